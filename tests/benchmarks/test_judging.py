"""What a judge's words mean, and what comes of them."""

from __future__ import annotations

from itertools import product

import pytest

from synapse_engine.benchmarks.judging import (
    ANSWER_CHARACTERS,
    Comparison,
    Decision,
    Preference,
    Standing,
    decide,
    first_place_share,
    question,
    read_verdict,
    standings,
)

FIRST, SECOND, TIE, UNCLEAR = Preference


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("VERDICT: 1", FIRST),
        ("Both are fine, the second is clearer.\n\nVERDICT: 2", SECOND),
        ("**Verdict:** Tie", TIE),
        ("verdict: answer 2.", SECOND),
        ("The verdict is: 1", FIRST),
        ("VERDICT: 1\nOn second thought:\nVERDICT: 2", SECOND),
        ("Answer 1 says Paris.\n\n2", SECOND),
        ("After all that:\nAnswer 1.", FIRST),
        ("VERDICT: 12", UNCLEAR),
        ("VERDICT: 3", UNCLEAR),
        ("1 and 2 are both good", UNCLEAR),
        ("I prefer the first.", UNCLEAR),
        ("", UNCLEAR),
        ("\n \n", UNCLEAR),
        ("VERDICT: tied up", UNCLEAR),
    ],
)
def test_read_verdict(text: str, meant: Preference) -> None:
    assert read_verdict(text) is meant


DECISIONS = {
    (FIRST, SECOND): Decision.ONE,
    (SECOND, FIRST): Decision.OTHER,
    (FIRST, FIRST): Decision.BIASED,
    (SECOND, SECOND): Decision.BIASED,
    (TIE, TIE): Decision.TIE,
    (FIRST, TIE): Decision.TIE,
    (TIE, FIRST): Decision.TIE,
    (SECOND, TIE): Decision.TIE,
    (TIE, SECOND): Decision.TIE,
}


@pytest.mark.parametrize("both", list(product(Preference, Preference)))
def test_decide(both: tuple[Preference, Preference]) -> None:
    assert decide(*both) is DECISIONS.get(both, Decision.UNCLEAR)


def test_the_judge_is_told_no_names() -> None:
    asked = question("What is 2 + 2?", "4", "5")
    assert "What is 2 + 2?" in asked
    assert asked.index("4") < asked.index("--- Answer 2 ---") < asked.index("5")


def test_very_long_answers_are_cut() -> None:
    asked = question("x", "a" * (ANSWER_CHARACTERS + 1), "b")
    assert "a" * ANSWER_CHARACTERS + " [cut here]" in asked


def test_standings() -> None:
    comparisons = [
        Comparison(0, "a", "b", FIRST, SECOND),
        Comparison(1, "a", "b", FIRST, FIRST),
        Comparison(2, "a", "b", UNCLEAR, FIRST),
        Comparison(0, "a", "c", SECOND, FIRST),
        Comparison(0, "b", "c", TIE, TIE),
    ]
    assert standings(comparisons) == [
        Standing("c", wins=1, ties=1, losses=0, unclear=0, score=0.75),
        Standing("a", wins=1, ties=1, losses=1, unclear=1, score=0.5),
        Standing("b", wins=0, ties=2, losses=1, unclear=1, score=1 / 3),
    ]
    assert comparisons[0].winner == "a" and comparisons[3].winner == "c" and comparisons[1].winner is None


def test_who_could_not_be_judged_has_no_score_and_comes_last() -> None:
    rows = standings([Comparison(0, "a", "b", UNCLEAR, UNCLEAR), Comparison(0, "b", "c", SECOND, FIRST)])
    assert [(row.model, row.score) for row in rows] == [("c", 1.0), ("b", 0.0), ("a", None)]


def test_a_bias_for_a_place_is_seen() -> None:
    fair = [Comparison(0, "a", "b", FIRST, SECOND)]
    blind = [Comparison(0, "a", "b", FIRST, FIRST), Comparison(1, "a", "b", FIRST, TIE)]
    assert first_place_share(fair) == 0.5
    assert first_place_share(blind) == 1.0
    assert first_place_share([Comparison(0, "a", "b", TIE, UNCLEAR)]) is None
