"""What a question is answered by: the score, what raised it, and what it chose."""

from __future__ import annotations

import pytest
from tests.fakes.asker import says
from tests.fakes.playing import candidate, played

from synapse_engine.catalog.model import Tier
from synapse_engine.modes.auto import choose

EASY = "What is the capital of France?"
MIDDLE = "Compare TCP and UDP, and explain which one a game needs."
HARD = "Prove step by step that the derivative of x^2 is 2x, and explain why the proof works."
ALL = [candidate("a_fast"), candidate("b_balanced"), candidate("c_powerful")]


@pytest.mark.parametrize(
    ("question", "mode", "tier", "why"),
    [
        (EASY, "simple", Tier.FAST, "below 3 a FAST model answers at once"),
        (MIDDLE, "two_stage", Tier.BALANCED, "from 3 on a BALANCED model refines a FAST one's draft"),
        (HARD, "two_stage", Tier.POWERFUL, "from 6 on a POWERFUL model refines a FAST one's draft"),
    ],
)
def test_choices(question: str, mode: str, tier: Tier, why: str) -> None:
    choice = choose(question, ALL)
    assert (choice.mode, choice.tier) == (mode, tier)
    assert choice.why == f"The question weighs {choice.score:g}: {why}."
    assert choice.score == pytest.approx(sum(part.points for part in choice.parts))
    assert all(part.reason for part in choice.parts)


def test_one_model_has_nobody_to_refine() -> None:
    for only in ([candidate("a_fast")], [candidate("a_fast"), candidate("e", is_chat=False)]):
        choice = choose(HARD, only)
        assert (choice.mode, choice.tier) == ("simple", Tier.POWERFUL)
        assert "only one model" in choice.why


@pytest.mark.parametrize(
    ("question", "line", "models"),
    [
        (EASY, "A:answer", ["a_fast"]),
        (MIDDLE, "DRAFT:draft REFINE:refine", ["a_fast", "b_balanced"]),
        (HARD, "DRAFT:draft REFINE:refine", ["a_fast", "c_powerful"]),
    ],
)
async def test_it_is_played_as_chosen(question: str, line: str, models: list[str]) -> None:
    parts = {each.name: [says(f"{each.name} says so")] for each in ALL}
    found = await played("auto", parts, question=question)
    assert found.line == line
    assert [turn.model for turn in found.record.turns] == models
    assert found.record.choice == choose(question, ALL)
    assert found.answer == f"{models[-1]} says so"
