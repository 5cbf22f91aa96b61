"""A whole answer, put together of its steps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from synapse_engine.modes.asking import Figures, Message
from synapse_engine.modes.steps import (
    Agreement,
    Answer,
    Begun,
    Casting,
    Choice,
    Done,
    Ending,
    Mode,
    Note,
    Player,
    Problem,
    Ranked,
    Ranking,
    Review,
    Role,
    Said,
    Status,
    Step,
    Text,
    Turn,
    Usage,
)

# Steps that are a field of the record as they are, and those of which it has a list.
_ONE: Mapping[type[Step], str] = {Choice: "choice", Ending: "ending", Answer: "answer"}
_MANY: Mapping[type[Step], str] = {Note: "notes", Review: "reviews", Agreement: "agreements"}


@dataclass
class Spoken:
    """A turn, as far as it has come. Fields as in the steps `turn` and `said`."""

    turn: int
    member: str
    role: Role
    round: int
    model: str
    hears: list[int]
    messages: list[Message]
    is_answer: bool
    began_seconds: float
    ended_seconds: float | None = None
    text: str = ""
    thinking: str = ""
    figures: Figures | None = None
    error: str | None = None


@dataclass
class Record:
    """A query and its answer, as far as it has come. Fields as in the steps."""

    id: int
    mode: Mode
    query: str
    began_at: datetime
    models: list[str]
    options: dict[str, Any]
    history: list[Message]
    status: Status = "running"
    problem: Problem | None = None
    choice: Choice | None = None
    players: list[Player] = field(default_factory=list)
    turns: list[Spoken] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    ranking: list[Ranked] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    ending: Ending | None = None
    answer: Answer | None = None
    usage: Usage = field(default_factory=Usage)
    total_seconds: float | None = None
    model_seconds: float | None = None

    def add(self, step: Step) -> None:
        """The next step; never Begun, which it begins with."""
        kind = type(step)
        if kind in _ONE:
            setattr(self, _ONE[kind], step)
        elif kind in _MANY:
            getattr(self, _MANY[kind]).append(step)
        elif isinstance(step, Casting):
            self.players = step.players
        elif isinstance(step, Ranking):
            self.ranking = step.members
        elif isinstance(step, Turn):
            self.turns.append(Spoken(**vars(step)))
        elif isinstance(step, Text):
            spoken = self._turn(step.turn)
            spoken.text += step.text
            spoken.thinking += step.thinking
        elif isinstance(step, Said):
            vars(self._turn(step.turn)).update(vars(step))
        else:
            assert isinstance(step, Done)
            vars(self).update(vars(step))

    def _turn(self, number: int) -> Spoken:
        return next(spoken for spoken in reversed(self.turns) if spoken.turn == number)


def record_of(steps: Iterable[Step]) -> Record:
    """Of all the steps so far, the first of which is Begun."""
    steps = iter(steps)
    first = next(steps)
    assert isinstance(first, Begun)
    record = Record(**vars(first))
    for step in steps:
        record.add(step)
    return record


def summed(figures: Iterable[Figures | None]) -> Usage:
    known = [each for each in figures if each is not None]
    return Usage(
        sum(each.prompt_tokens or 0 for each in known),
        sum(each.cached_tokens or 0 for each in known),
        sum(each.output_tokens or 0 for each in known),
    )


def busy_seconds(spans: Iterable[tuple[float, float]]) -> float:
    """How long at least one of the spans (beginning and end, in seconds) went on."""
    total, until = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total
