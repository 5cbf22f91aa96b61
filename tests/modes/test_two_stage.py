"""A draft, and who refines it; and what is answered where one of the two fails."""

from __future__ import annotations

import pytest
from tests.fakes.asker import Part, says
from tests.fakes.playing import played

from synapse_engine.errors import NoAnswer, UpstreamFailed
from synapse_engine.modes.asking import Message
from synapse_engine.modes.options import Question

LOST = UpstreamFailed("It closed the connection")
DIES = says("So", LOST)


async def test_the_draft_is_refined_by_one_who_sees_it_and_the_question() -> None:
    before = (Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello"))
    parts = {"a_fast": [says("<think>Hm</think>Because.")], "b_balanced": [says("Because of air.")]}
    found = await played("two_stage", parts, question=Question("Why is it blue?", before))
    assert (found.answer, found.line, found.notes) == ("Because of air.", "DRAFT:draft REFINE:refine", [])
    draft, refine = found.asker.asked
    assert draft.order.messages == (*before, Message("user", "Why is it blue?"))
    assert refine.order.messages[:-1] == before
    said = refine.order.messages[-1].content
    assert said.startswith("Why is it blue?\n\nThe draft:\nBecause.\n\n")
    assert "Hm" not in said  # thoughts are nobody else's
    first, second = found.record.turns
    assert (first.is_answer, second.is_answer, second.hears, second.round) == (False, True, [1], 2)


FAILURES: dict[str, tuple[dict[str, list[Part]], str, str, str]] = {
    "the drafter, and another drafts": (
        {"a_fast": [DIES], "b_balanced": [says("Good.")], "c_fast": [says("Draft.")]},
        "Good.",
        "(DRAFT:draft) DRAFT:draft REFINE:refine",
        "c_fast takes its place",
    ),
    "the drafter, and its beginning is the draft": (
        {"a_fast": [DIES], "b_balanced": [says("Good.")]},
        "Good.",
        "(DRAFT:draft) (DRAFT:draft) REFINE:refine",
        "nobody takes its place",
    ),
    "the drafter, at once": (
        {"a_fast": [says(LOST)], "b_balanced": [says("Good.")]},
        "Good.",
        "(DRAFT:draft) (DRAFT:draft) REFINE:refine",
        "There is no draft",
    ),
    "the refiner, and another refines": (
        {"a_fast": [says("Draft.")], "b_balanced": [DIES], "c_powerful": [says("Better.")]},
        "Better.",
        "DRAFT:draft (REFINE:refine) REFINE:refine",
        "c_powerful takes its place",
    ),
    "the refiner, and the draft is the answer": (
        {"a_fast": [says("Draft.")], "b_balanced": [DIES]},
        "Draft.",
        "DRAFT:draft (REFINE:refine) (REFINE:refine)",
        "The answer is the draft, as nobody has refined it.",
    ),
    "both, and the longer beginning is the answer": (
        {"a_fast": [says("So it", LOST)], "b_balanced": [DIES]},
        "So it",
        "(DRAFT:draft) (DRAFT:draft) (REFINE:refine) (REFINE:refine)",
        "The answer is what a_fast said before it broke off.",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_one_fails(case: str) -> None:
    parts, answer, line, note = FAILURES[case]
    found = await played("two_stage", parts)
    assert (found.answer, found.line) == (answer, line)
    assert any(note in each for each in found.notes), found.notes


async def test_both_fail_at_once() -> None:
    with pytest.raises(NoAnswer, match="a_fast: .* b_balanced: "):
        await played("two_stage", {"a_fast": [says(LOST)], "b_balanced": [says(LOST)]})


async def test_without_a_draft_the_question_alone_is_asked() -> None:
    found = await played("two_stage", {"a_fast": [says(LOST)], "b_balanced": [says("Good.")]})
    assert found.asker.of("b_balanced")[0].text == "Is the sky blue?"
    assert found.record.turns[-1].hears == []
