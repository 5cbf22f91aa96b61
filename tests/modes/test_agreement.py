"""How far texts and judges agree."""

from __future__ import annotations

import pytest

from synapse_engine.modes.agreement import concordance, measure, similarity
from synapse_engine.modes.steps import Agreement, Pair

SKY = "The sky is blue because air scatters blue light more than red light."
SKY_ANEW = "Air scatters blue light more strongly than red light, and so the sky looks blue."
SEA = "Waves are made by wind that blows across open water for many hours."

# Two texts, and between which bounds they are alike.
TEXTS = {
    "the same": (SKY, SKY, 1.0, 1.0),
    "in other case and marks": (SKY, SKY.upper().replace(".", "!!"), 1.0, 1.0),
    "in other words": (SKY, SKY_ANEW, 0.6, 0.95),
    "of something else": (SKY, SEA, 0.0, 0.05),
    "one says nothing": (SKY, "", 0.0, 0.0),
    "both say nothing": ("", "...", 0.0, 0.0),
    "short words, where there are no others": ("yes", "Yes.", 1.0, 1.0),
    "short words that differ": ("yes", "no", 0.0, 0.0),
    "numbers count": ("It is 42.", "It is 43.", 0.0, 0.0),
    "a script without spaces": ("空は青い", "空が青い", 0.7, 0.99),
    "another one": ("Небо голубое", "Небо зелёное", 0.4, 0.6),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts(case: str) -> None:
    one, other, least, most = TEXTS[case]
    assert least - 1e-9 <= similarity(one, other) <= most + 1e-9
    assert similarity(one, other) == similarity(other, one)


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        ([], None),
        ([{"A": 5.0}], None),
        ([{"A": 5.0}, {"B": 5.0}], None),
        ([{"B": 8.0, "C": 4.0}, {"A": 8.0, "C": 4.0}, {"A": 8.0, "B": 8.0}], 1.0),
        ([{"A": 0.0}, {"A": 10.0}], 0.0),
        ([{"A": 6.0, "B": 9.0}, {"A": 8.0, "B": 9.0}], 0.9),
    ],
)
def test_judges(scores: list[dict[str, float]], found: float | None) -> None:
    assert concordance(scores) == found


def test_a_council() -> None:
    found = measure(1, {"A": SKY, "B": SKY, "C": SEA}, [{"A": 9.0}, {"A": 8.0}])
    assert found == Agreement(
        1, 0.333, 0.9, [Pair(["A", "B"], 1.0), Pair(["A", "C"], 0.0), Pair(["B", "C"], 0.0)]
    )
