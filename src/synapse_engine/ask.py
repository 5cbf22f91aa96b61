"""A question to one or more models, in the shell: who speaks, what is said, and how long it took."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import click

from synapse_engine.errors import SynapseError
from synapse_engine.modes.steps import DOES


@dataclass
class _Turn:
    head: str
    is_answer: bool
    held: str = ""
    end: str | None = None


class Show:
    """Tells an answer's events as they come; of turns that go on at the same time one after the other.

    write: a piece of text, and whether it is the answer itself; the rest is about it. is_live: whether the
    answer is told while it is written, and not only at its end.
    """

    def __init__(self, write: Callable[[str, bool], None], *, is_live: bool) -> None:
        self.done: Any = None
        self._write = write
        self._is_live = is_live
        self._turns: dict[int, _Turn] = {}
        self._waiting: list[int] = []
        self._told: set[int] = set()
        self._is_at_start = True

    def hear(self, name: str, data: Any) -> None:
        told = getattr(self, f"_{name}", None)
        if told is not None:
            told(data)

    def _choice(self, data: Any) -> None:
        reasons = ", ".join(f"{part['reason']} {part['points']:g}" for part in data["parts"])
        self._line(f"{data['mode']} ({data['tier']}). {data['why']}" + (f" ({reasons})" if reasons else ""))

    def _cast(self, data: Any) -> None:
        self._line(", ".join(f"{player['member']} is {player['model']}" for player in data["players"]))

    def _note(self, data: Any) -> None:
        self._line(f"! {data['text']}")

    def _turn(self, data: Any) -> None:
        head = f"-- {data['member']} {DOES[data['role']]} ({data['model']})"
        self._turns[data["turn"]] = _Turn(head, data["is_answer"])
        self._waiting.append(data["turn"])
        if self._waiting[0] == data["turn"]:
            self._line(head)

    def _text(self, data: Any) -> None:
        turn, said = self._turns[data["turn"]], data["text"]
        if self._waiting[0] == data["turn"]:
            self._say(turn, said)
        else:
            turn.held += said

    def _said(self, data: Any) -> None:
        self._turns[data["turn"]].end = _end_of(data)
        while self._waiting and (turn := self._turns[self._waiting[0]]).end is not None:
            self._line(f"   {turn.end}")
            self._told.add(self._waiting.pop(0))
            if self._waiting:
                follower = self._turns[self._waiting[0]]
                self._line(follower.head)
                self._say(follower, follower.held)

    def _review(self, data: Any) -> None:
        scores = ", ".join(f"{score['member']} {score['score']:g}" for score in data["scores"])
        self._line(f"{data['member']} gives: {scores}")

    def _ranking(self, data: Any) -> None:
        scores = [(m["member"], "-" if m["score"] is None else f"{m['score']:g}") for m in data["members"]]
        self._line("Ranking: " + ", ".join(f"{member} {score}" for member, score in scores))

    def _agreement(self, data: Any) -> None:
        judged = data["concordance"]
        scores = "" if judged is None else f", of scores {judged:.0%}"
        self._line(f"Agreement after round {data['round']}: of words {data['similarity']:.0%}{scores}")

    def _ending(self, data: Any) -> None:
        who = f" by {data['member']}" if data["member"] else ""
        self._line(f"The debate ends: {data['reason'].replace('_', ' ')}{who}. {data['why']}")

    def _answer(self, data: Any) -> None:
        if self._is_live and data["turn"] in self._told and self._turns[data["turn"]].is_answer:
            return
        self._line("")
        self._put(f"{data['text']}\n", is_answer=True)

    def _done(self, data: Any) -> None:
        self.done = data
        usage = data["usage"]
        self._line(
            f"{data['status']} in {data['total_seconds']:.1f} s, {usage['prompt_tokens']} tokens read, "
            f"{usage['output_tokens']} written"
        )

    def _say(self, turn: _Turn, text: str) -> None:
        if not turn.is_answer:
            self._put(text, is_answer=False)
        elif self._is_live:
            self._put(text, is_answer=True)

    def _line(self, text: str) -> None:
        if not self._is_at_start:
            self._write("\n", False)
        self._write(f"{text}\n" if text else "", False)
        self._is_at_start = True

    def _put(self, text: str, *, is_answer: bool) -> None:
        if text:
            self._write(text, is_answer)
            self._is_at_start = text.endswith("\n")


def follow(events: Iterable[tuple[str, Any]], show: Show) -> None:
    """To its end. Raises SynapseError where there is no answer, or the control plane has ended before."""
    for name, data in events:
        show.hear(name, data)
    if show.done is None:
        raise SynapseError("The answer broke off", "The control plane has ended before it.")
    if problem := show.done["problem"]:
        raise SynapseError(problem["error"], problem["detail"])


def write(text: str, is_answer: bool) -> None:
    """The answer to stdout, the rest to stderr."""
    click.echo(text, nl=False, err=not is_answer)


def query_of(
    words: Sequence[str], mode: str, models: Sequence[str], options: Sequence[str], stdin: TextIO
) -> dict[str, Any]:
    """What `POST /api/query` takes. words: of the question; a dash is what stdin has, and so is none.

    models: names, split at commas. options: NAME=VALUE, the value as JSON or else as it is.
    """
    words = words or ["-"]
    given = stdin.read().strip() if "-" in words else ""
    text = " ".join(given if word == "-" else word for word in words).strip()
    if not text:
        raise click.UsageError("Ask something.")
    query: dict[str, Any] = {"query": text, "mode": mode}
    if names := [name.strip() for each in models for name in each.split(",") if name.strip()]:
        query["models"] = names
    if options:
        query["options"] = dict(map(_option, options))
    return query


def _option(pair: str) -> tuple[str, Any]:
    name, sign, value = pair.partition("=")
    if not sign:
        raise click.BadParameter(f"{pair} is not NAME=VALUE.", param_hint="--option")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _end_of(data: Any) -> str:
    if data["error"]:
        return f"failed: {data['error']}"
    figures = data["figures"]
    parts = [f"{figures['total_seconds']:.2f} s"]
    if figures["first_token_seconds"] is not None:
        parts.append(f"first token after {figures['first_token_seconds']:.2f} s")
    if figures["output_tokens"] is not None:
        parts.append(f"{figures['output_tokens']} tokens")
    if figures["output_per_second"] is not None:
        parts.append(f"{figures['output_per_second']:.1f} tokens/s")
    if figures["load_seconds"]:
        parts.append(f"loaded in {figures['load_seconds']:.1f} s")
    return ", ".join(parts)
