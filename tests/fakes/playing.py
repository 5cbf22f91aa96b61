"""A mode played by models that say what a test has them say."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.fakes.asker import FakeAsker, Part

from synapse_engine.catalog.model import Tier
from synapse_engine.modes.asking import Asker
from synapse_engine.modes.cast import Candidate
from synapse_engine.modes.floor import Floor
from synapse_engine.modes.options import Options, Question
from synapse_engine.modes.playing import plan, play
from synapse_engine.modes.record import Record, record_of
from synapse_engine.modes.steps import Begun, Mode, Step

BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)


def candidate(name: str, **facts: Any) -> Candidate:
    """One that runs; its tier is in its name, as in `a_fast`."""
    tier = next((tier for tier in Tier if name.endswith(tier.value)), None)
    sizes = {Tier.FAST: 3.0, Tier.BALANCED: 9.0, Tier.POWERFUL: 30.0, None: None}
    given = {"model_id": name, "tier": tier, "size_b": sizes[tier], "is_up": True}
    return Candidate(name, **{**given, **facts})


class Played:
    """Attributes: asker, steps (all that were told), record."""

    def __init__(self, asker: FakeAsker, mode: Mode, question: Question) -> None:
        self.asker = asker
        self.steps: list[Step] = [
            Begun(1, mode, question.text, BEGAN_AT, [], {}, list(question.before)),
        ]

    @property
    def record(self) -> Record:
        return record_of(self.steps)

    @property
    def notes(self) -> list[str]:
        return [note.text for note in self.record.notes]

    @property
    def answer(self) -> str | None:
        answer = self.record.answer
        return None if answer is None else answer.text

    @property
    def line(self) -> str:
        """Who has spoken, in order, with what failed in brackets: `A:answer (B:answer) A:synthesis`."""
        spoken = [(f"{turn.member}:{turn.role}", turn.error) for turn in self.record.turns]
        return " ".join(f"({who})" if error else who for who, error in spoken)


async def played(
    mode: Mode,
    parts: dict[str, list[Part]],
    *,
    question: Question | str = "Is the sky blue?",
    options: Options | None = None,
    candidates: Sequence[Candidate] | None = None,
    named: Sequence[Candidate] = (),
    asker: Asker | None = None,
    **chosen: Any,
) -> Played:
    """To its end; raises what it raises. candidates: by default one that runs for each of the parts."""
    asked = question if isinstance(question, Question) else Question(question)
    options = replace(options or Options(), **chosen)
    pool = [candidate(name) for name in parts] if candidates is None else candidates
    fake = FakeAsker(parts)
    planned = plan(mode, asked, options, pool, named)
    found = Played(fake, mode, asked)
    floor = Floor(asker or fake, asked, options, planned.cast)
    async with aclosing(play(planned, floor)) as steps:
        async for step in steps:
            found.steps.append(step)
    return found
