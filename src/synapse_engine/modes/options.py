"""What may be said of how a mode is to answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from synapse_engine.catalog.model import Tier
from synapse_engine.modes.asking import Message

COUNCIL_MIN = 3
COUNCIL_MAX = 8


@dataclass(frozen=True)
class Persona:
    """manner: what it is told of itself."""

    name: str
    manner: str


@dataclass(frozen=True)
class Personas:
    pro: Persona
    con: Persona


@dataclass(frozen=True)
class Options:
    """sampling: fields of a request, for whatever is written. final: the same, for that turn alone whose text
    is the whole answer. start: whether stopped models may be started. deadline_seconds: for all of it.

    tier: of `simple`. members, refine: of a council. personas (a pair's name or one's own), turns (of both
    together), moderator: of a debate. in_parallel: of `benchmark`.
    """

    sampling: dict[str, Any] = field(default_factory=dict)
    final: dict[str, Any] = field(default_factory=dict)
    start: bool = True
    deadline_seconds: float = 900.0
    tier: Tier | None = None
    members: int = COUNCIL_MIN
    refine: bool = True
    personas: str | Personas = "optimist_and_skeptic"
    turns: int = 6
    moderator: bool = False
    in_parallel: bool = False


@dataclass(frozen=True)
class Question:
    """text: what is asked. before: what was said before it, a system message too."""

    text: str
    before: tuple[Message, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        return (*self.before, Message("user", self.text))
