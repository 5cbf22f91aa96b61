"""Models that say what a test has them say, for modes: no server, no HTTP, no waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

from synapse_engine.errors import ModelNotFound, SynapseError
from synapse_engine.modes.asking import Figures, Order, Piece

# What a model does next: says something, waits until it is told or for some seconds, or breaks off.
Act = str | Piece | asyncio.Event | float | SynapseError
Part = Callable[[Order], "str | Sequence[Act]"]


@dataclass
class Asked:
    """One request. began and ended: of the monotonic clock; how: `ok`, `failed` or `left`."""

    model: str
    order: Order
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    how: str | None = None

    @property
    def text(self) -> str:
        """All that it was told, with the roles left out."""
        return "\n\n".join(message.content for message in self.order.messages)


@dataclass
class FakeAsker:
    """parts: by model, what it does when it is asked, the last one again and again. asked: in order."""

    parts: dict[str, list[Part]]
    asked: list[Asked] = field(default_factory=list)

    def of(self, model: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.model == model]

    async def ask(self, model: str, order: Order) -> AsyncGenerator[Piece | Figures]:
        parts = self.parts.get(model)
        if parts is None:
            raise ModelNotFound(model)
        asked = Asked(model, order)
        self.asked.append(asked)
        part = parts[min(len(self.of(model)), len(parts)) - 1]
        asked.how, words = "left", 0
        first: float | None = None
        try:
            for act in _acts(part(order)):
                if isinstance(act, SynapseError):
                    asked.how = "failed"
                    raise act
                if isinstance(act, asyncio.Event):
                    await act.wait()
                elif isinstance(act, float):
                    await asyncio.sleep(act)
                else:
                    first = first or time.monotonic()
                    words += 1
                    yield Piece(act) if isinstance(act, str) else act
            asked.how = "ok"
        finally:
            asked.ended = time.monotonic()
        yield figures(model, words, asked.ended - asked.began, first and first - asked.began)


def says(*acts: Act) -> Part:
    """The same whatever it is asked."""
    return lambda order: acts


def figures(model: str, words: int, seconds: float, first_seconds: float | None) -> Figures:
    """As a server would tell them: a token for each word, one more for the prompt's end."""
    return Figures(
        model_id=model,
        server_id=model,
        queue_seconds=0.0,
        load_seconds=0.0,
        first_token_seconds=first_seconds,
        total_seconds=seconds,
        prompt_tokens=10,
        cached_tokens=0,
        output_tokens=words,
        prompt_per_second=100.0,
        output_per_second=50.0,
        finish_reason="stop",
    )


def _acts(said: str | Sequence[Act]) -> Sequence[Act]:
    """A text comes word by word, as a server streams it."""
    if not isinstance(said, str):
        return said
    words = said.split(" ")
    return [word if at == 0 else f" {word}" for at, word in enumerate(words)]
