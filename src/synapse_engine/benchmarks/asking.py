"""One question to one model, and what it took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass

from synapse_engine.benchmarks.prompts import Prompt
from synapse_engine.benchmarks.record import Problem
from synapse_engine.errors import SynapseError
from synapse_engine.modes.asking import Asker, Figures, Message, Order


@dataclass(frozen=True)
class Answer:
    """figures: None where it did not come to its end; then problem says why. began_at: unix seconds."""

    began_at: float
    text: str
    thinking: str
    figures: Figures | None
    problem: Problem | None


async def ask(asker: Asker, model: str, prompt: Prompt, options: Mapping[str, object]) -> Answer:
    """The whole answer, or as much as came of it."""
    messages = [Message("system", prompt.system)] if prompt.system else []
    order = Order((*messages, Message("user", prompt.text)), options)
    began_at, texts, thoughts = time.time(), [""], [""]
    figures, problem = None, None
    try:
        async with aclosing(asker.ask(model, order)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Figures):
                    figures = piece
                else:
                    texts.append(piece.text)
                    thoughts.append(piece.thinking)
    except SynapseError as error:
        problem = problem_of(error)
    return Answer(began_at, "".join(texts), "".join(thoughts), figures, problem)


def problem_of(error: SynapseError) -> Problem:
    return Problem(error.error, error.detail, time.time())
