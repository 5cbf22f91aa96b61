"""What happens while a mode answers, step by step. Pure.

On the wire each is an event named by KINDS, with these fields as JSON. Seconds count from the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from synapse_engine.catalog.model import Tier
from synapse_engine.modes.asking import Figures, Message

Mode = Literal["auto", "simple", "two_stage", "council", "debate", "benchmark"]
Role = Literal["answer", "draft", "refine", "review", "synthesis", "pro", "con", "moderator"]
DOES: Mapping[Role, str] = {
    "answer": "answers",
    "draft": "drafts",
    "refine": "refines",
    "review": "reviews",
    "synthesis": "puts it together",
    "pro": "argues for it",
    "con": "argues against it",
    "moderator": "moderates",
}
Status = Literal["running", "done", "failed", "cancelled", "interrupted"]
EndingReason = Literal["concession", "repetition", "disengagement", "turn_limit", "failure"]


@dataclass(frozen=True)
class Begun:
    """First of all. models: the names that were asked for. history: what was said before the query."""

    id: int
    mode: Mode
    query: str
    began_at: datetime
    models: list[str]
    options: dict[str, Any]
    history: list[Message]


@dataclass(frozen=True)
class Part:
    """points: what it adds to the score."""

    points: float
    reason: str


@dataclass(frozen=True)
class Choice:
    """What `auto` has chosen. score: how hard the query seems, the sum of the parts. why: in words."""

    mode: Mode
    tier: Tier
    score: float
    parts: list[Part]
    why: str


@dataclass(frozen=True)
class Player:
    """member: what it is called in this answer. model: the name that it is asked by. options: of its own."""

    member: str
    role: Role
    model: str
    model_id: str
    tier: Tier | None
    persona: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Casting:
    """Who plays. One that is replaced later is told by a note, and by the turns."""

    players: list[Player]


@dataclass(frozen=True)
class Note:
    """What went otherwise than one would expect, and what was done about it. turn: which one it is about."""

    text: str
    turn: int | None = None
    member: str | None = None


@dataclass(frozen=True)
class Turn:
    """A model has been asked. turn: its number, from 1; several may go on at a time.

    hears: the turns whose texts it was given. messages: all that it was given. is_answer: whether its text is
    meant to be the whole answer's.
    """

    turn: int
    member: str
    role: Role
    round: int
    model: str
    hears: list[int]
    messages: list[Message]
    is_answer: bool
    began_seconds: float


@dataclass(frozen=True)
class Text:
    """Some more of a turn's text, or of its thoughts."""

    turn: int
    text: str = ""
    thinking: str = ""


@dataclass(frozen=True)
class Said:
    """A turn's end. text and thinking: all of it. error: why it broke off; then figures is null."""

    turn: int
    text: str
    thinking: str
    figures: Figures | None
    error: str | None
    ended_seconds: float


@dataclass(frozen=True)
class Score:
    """score: 0 to 10."""

    member: str
    score: float
    comment: str = ""


@dataclass(frozen=True)
class Review:
    """What one member, in that turn, thinks of the others' answers. It did not know whose they are."""

    turn: int
    member: str
    scores: list[Score]


@dataclass(frozen=True)
class Ranked:
    """score: the mean of its reviews; null where nobody has reviewed it."""

    member: str
    score: float | None
    reviews: int


@dataclass(frozen=True)
class Ranking:
    """The strongest first."""

    members: list[Ranked]


@dataclass(frozen=True)
class Pair:
    members: list[str]
    similarity: float


@dataclass(frozen=True)
class Agreement:
    """How far a council agrees, 0 to 1. round: of the answers that were compared.

    similarity: of their words, the mean of all pairs. concordance: how near each other the scores are that
    several have given the same answer; null before there are any.
    """

    round: int
    similarity: float
    concordance: float | None
    pairs: list[Pair]


@dataclass(frozen=True)
class Ending:
    """Why a debate ended, and by which turn and member."""

    reason: EndingReason
    why: str
    turn: int | None = None
    member: str | None = None


@dataclass(frozen=True)
class Answer:
    """The whole answer. turn: whose text it is; null where it was put together of several."""

    text: str
    turn: int | None = None
    model: str | None = None


@dataclass(frozen=True)
class Problem:
    error: str
    detail: str


@dataclass(frozen=True)
class Usage:
    """Tokens of all turns together, as far as their servers say."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Done:
    """Last of all. total_seconds: from the beginning; model_seconds: of these, while any model was asked."""

    status: Status
    problem: Problem | None
    usage: Usage
    total_seconds: float
    model_seconds: float


Step = (
    Begun
    | Choice
    | Casting
    | Note
    | Turn
    | Text
    | Said
    | Review
    | Ranking
    | Agreement
    | Ending
    | Answer
    | Done
)

KINDS: Mapping[type[Step], str] = {
    Begun: "begun",
    Choice: "choice",
    Casting: "cast",
    Note: "note",
    Turn: "turn",
    Text: "text",
    Said: "said",
    Review: "review",
    Ranking: "ranking",
    Agreement: "agreement",
    Ending: "ending",
    Answer: "answer",
    Done: "done",
}
