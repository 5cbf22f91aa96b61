"""Questions to one or more models: what is asked, the steps of an answer, and its record."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from synapse_engine.api.wire.base import Ask, Seconds
from synapse_engine.catalog.model import Tier
from synapse_engine.modes.options import COUNCIL_MAX, COUNCIL_MIN
from synapse_engine.modes.personas import PAIRS
from synapse_engine.modes.record import Spoken
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
    Said,
    Status,
    Text,
    Turn,
    Usage,
)

# Options that one mode alone takes; `auto` takes none of these.
OF_ONE_MODE: dict[str, Mode] = {
    "tier": "simple",
    "members": "council",
    "refine": "council",
    "personas": "debate",
    "turns": "debate",
    "moderator": "debate",
    "in_parallel": "benchmark",
}
QUERY_CHARACTERS = 1_000_000
MODELS_MAX = 100
Name = Annotated[str, Field(min_length=1, max_length=300)]


class MessageAsk(Ask):
    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=QUERY_CHARACTERS)


class PersonaAsk(Ask):
    name: str = Field(min_length=1, max_length=80, examples=["Economist"])
    manner: str = Field(min_length=1, max_length=2000, description="what it is told of itself")


class PersonasAsk(Ask):
    pro: PersonaAsk
    con: PersonaAsk


class QueryOptions(Ask):
    """What is left out goes by the model's own defaults, or by those named here."""

    temperature: float | None = Field(None, ge=0, le=5)
    top_p: float | None = Field(None, ge=0, le=1)
    seed: int | None = Field(None, ge=0, le=(1 << 32) - 1, description="of the first turn; others add to it")
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, description="of each text, thoughts included")
    thinking: bool | None = Field(None, description="whether models that can think do so")
    system_prompt: str | None = Field(None, max_length=QUERY_CHARACTERS)
    start: bool | None = Field(
        None, description="whether stopped models are started; null: as SYNAPSE_MODES_START says"
    )
    deadline_seconds: float | None = Field(
        None, gt=0, le=1e6, description="for the whole answer; null: as SYNAPSE_MODES_SECONDS says"
    )
    tier: Tier | None = Field(None, description="simple: a model of this tier")
    members: int | None = Field(
        None, ge=COUNCIL_MIN, le=COUNCIL_MAX, description="council: how many, where no models are named (3)"
    )
    refine: bool | None = Field(None, description="council: whether answers are refined after reviews (true)")
    personas: str | PersonasAsk | None = Field(
        None, description=f"debate: one's own, or one of {', '.join(PAIRS)}"
    )
    turns: int | None = Field(None, ge=2, le=40, description="debate: at most so many, of both together (6)")
    moderator: bool | None = Field(None, description="debate: whether one sums up between rounds (false)")
    in_parallel: bool | None = Field(
        None,
        description="benchmark: whether all are asked at once; their speeds then are not their own (false)",
    )


class QueryAsk(Ask):
    """A question, and how it is to be answered."""

    query: str = Field(min_length=1, max_length=QUERY_CHARACTERS, pattern=r"\S")
    mode: Mode = "auto"
    models: list[Name] | None = Field(
        None,
        min_length=1,
        max_length=MODELS_MAX,
        description="any names that a request may use, variants and upstreams too; null: the mode picks",
    )
    options: QueryOptions = QueryOptions.model_construct()
    history: list[MessageAsk] = Field(default_factory=list, max_length=1000, description="said before")
    stream: bool = Field(False, description="whether the steps are told as they happen, as events")
    detach: bool = Field(
        False,
        description="whether its id is answered at once, with 202, and it goes on whoever leaves; "
        "GET /api/query/{query_id}/events follows it; not together with stream",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.detach and self.stream:
            raise ValueError("detach: what is detached is followed by its events; leave stream out")
        for name, mode in OF_ONE_MODE.items():
            if getattr(self.options, name) is not None and self.mode != mode:
                raise ValueError(f"options.{name} is for the mode {mode}, and this is {self.mode}")
        if isinstance(self.options.personas, str) and self.options.personas not in PAIRS:
            raise ValueError(
                f"options.personas: {self.options.personas} is none of {', '.join(PAIRS)}; "
                'one\'s own are {"pro": {"name", "manner"}, "con": {...}}'
            )
        return self


class QueryDetached(BaseModel):
    """A query that has begun, and goes on by itself."""

    id: int


class QueryEvents(BaseModel):
    """The stream's events by their name, each with its data. `begun` is the first, `done` the last."""

    begun: Begun
    choice: Choice = Field(description="of auto")
    cast: Casting
    note: Note
    turn: Turn = Field(description="a model has been asked")
    text: Text = Field(description="a piece of what it says")
    said: Said = Field(description="the turn has ended")
    review: Review = Field(description="of a council, after each reviewing turn")
    ranking: Ranking = Field(description="of a council, after its reviews")
    agreement: Agreement = Field(description="of a council, before and after it refines")
    ending: Ending = Field(description="of a debate, before its synthesis")
    answer: Answer = Field(description="the whole answer; missing where there is none")
    done: Done


class QueryRecord(BaseModel):
    """A query and its answer, as far as it has come."""

    id: int
    mode: Mode
    query: str
    began_at: datetime
    models: list[str] = Field(description="as they were asked for; empty where the mode picked them")
    options: dict[str, Any] = Field(description="those that were given")
    history: list[MessageAsk]
    status: Status = Field(description="interrupted: the control plane ended before it did")
    problem: Problem | None = Field(description="why there is no answer")
    choice: Choice | None
    players: list[Player]
    turns: list[Spoken]
    notes: list[Note]
    reviews: list[Review]
    ranking: list[Ranked]
    agreements: list[Agreement]
    ending: Ending | None
    answer: Answer | None
    usage: Usage
    total_seconds: Seconds | None
    model_seconds: Seconds | None = Field(description="of these, while any model was asked")


class QueryRow(BaseModel):
    """A query in the history."""

    id: int
    mode: Mode
    query: str = Field(description="its first 300 characters")
    answer: str | None = Field(description="its first 300 characters")
    began_at: datetime
    status: Status
    total_seconds: Seconds | None


class QueryPage(BaseModel):
    """The newest first."""

    queries: list[QueryRow]
    next: int | None = Field(description="the `before` of the next page; null on the last one")


class QueryDeleted(BaseModel):
    message: str = Field(examples=["Query deleted", "Query cancelled"])
    id: int
