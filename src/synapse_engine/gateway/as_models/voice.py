"""What a client that knows of models only is told of a mode: a text, with thoughts before it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from synapse_engine.gateway.news import Manner
from synapse_engine.modes.steps import DOES, Answer, Note, Said, Step, Text, Turn

# Between what somebody said who broke off, and what another says in its place.
ANEW = "\n\n---\n\n"


@dataclass(frozen=True)
class Utterance:
    """kind: of the answer's text, of the thoughts before it, or a comment that nobody has to see."""

    kind: Literal["text", "thinking", "comment"]
    text: str


class Voice:
    """The answer's turn is told word by word. manner: how the others are: as comments, thoughts, or not."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._turns: dict[int, Turn] = {}
        self._told: int | None = None

    def hear(self, step: Step) -> Iterator[Utterance]:
        if isinstance(step, Turn):
            self._turns[step.turn] = step
        if isinstance(step, Text | Answer):
            yield from self._of_the_answer(step)
        elif self._manner == "comments":
            yield from self._comments(step)
        elif self._manner == "reasoning":
            yield from self._thoughts(step)

    def _of_the_answer(self, step: Text | Answer) -> Iterator[Utterance]:
        if isinstance(step, Answer):
            if step.turn is None or step.turn != self._told:
                yield from self._say(step.turn, step.text)
        elif self._turns[step.turn].is_answer:
            if step.thinking:
                yield Utterance("thinking", step.thinking)
            if step.text:
                yield from self._say(step.turn, step.text)

    def _comments(self, step: Step) -> Iterator[Utterance]:
        if isinstance(step, Turn):
            yield Utterance("comment", self._who(step))
        elif isinstance(step, Note):
            yield Utterance("comment", step.text)

    def _thoughts(self, step: Step) -> Iterator[Utterance]:
        if isinstance(step, Said) and step.error is None and not self._turns[step.turn].is_answer:
            who = self._who(self._turns[step.turn])
            yield Utterance("thinking", f"**{who}**\n\n{step.text.strip()}\n\n")
        elif isinstance(step, Note):
            yield Utterance("thinking", f"*{step.text}*\n\n")

    def _say(self, turn: int | None, text: str) -> Iterator[Utterance]:
        if self._told not in (None, turn):
            yield Utterance("text", ANEW)
        self._told = turn
        yield Utterance("text", text)

    def _who(self, turn: Turn) -> str:
        return f"{turn.member} {DOES[turn.role]} ({turn.model})"
