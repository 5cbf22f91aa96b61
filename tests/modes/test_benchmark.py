"""One question to every model, side by side."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.asker import Part, says
from tests.fakes.playing import candidate, played

from synapse_engine.errors import NoAnswer, UpstreamFailed
from synapse_engine.modes.asking import Order

DIES = says("So", UpstreamFailed("It closed the connection"))


async def test_one_after_the_other_the_smallest_first() -> None:
    parts = {"c_powerful": [says("Yes, ", "it is.")], "a_fast": [says("Yes.")], "b_balanced": [says("No.")]}
    found = await played("benchmark", parts)
    assert found.line == "a_fast:answer b_balanced:answer c_powerful:answer"
    turns = found.record.turns
    assert all(turn.messages[-1].content == "Is the sky blue?" for turn in turns)
    assert all((a.ended_seconds or 0) <= b.began_seconds for a, b in zip(turns, turns[1:], strict=False))
    assert found.answer is not None
    table, *answers = found.answer.split("\n\n## ")
    assert answers == ["a_fast\n\nYes.", "b_balanced\n\nNo.", "c_powerful\n\nYes, it is."]
    header, _, *rows = table.split("\n")
    assert header.split(" | ")[0] == "| model"
    first = rows[0].strip("| ").split(" | ")
    assert (first[0], first[3:]) == ("a_fast", ["10", "100.0", "1", "50.0"])
    assert rows[2].strip("| ").split(" | ")[5] == "2"


async def test_all_at_once() -> None:
    """Each waits until all have been asked."""
    asked, everybody = 0, asyncio.Event()

    def waits(order: Order) -> list[str | asyncio.Event]:
        nonlocal asked
        asked += 1
        if asked == 3:
            everybody.set()
        return [everybody, "Yes."]

    parts: dict[str, list[Part]] = {f"{letter}_fast": [waits] for letter in "abc"}
    found = await played("benchmark", parts, in_parallel=True)
    assert found.answer is not None and found.answer.count("## ") == 3


async def test_one_that_dies_is_left_out() -> None:
    named = [candidate("a_fast"), candidate("b_fast")]
    found = await played("benchmark", {"a_fast": [DIES], "b_fast": [says("Yes.")]}, named=named)
    assert found.answer is not None
    assert "a_fast" not in found.answer and "## b_fast" in found.answer
    assert "nobody takes its place" in found.notes[-1]
    with pytest.raises(NoAnswer):
        await played("benchmark", {"a_fast": [DIES]})
