"""Reviews: blind, in whatever shape they come, and what follows of them."""

from __future__ import annotations

import pytest
from tests.fakes.playing import candidate

from synapse_engine.modes.cast import Member
from synapse_engine.modes.reviews import rank, read_scores, review_format, shuffled
from synapse_engine.modes.steps import Ranked, Review, Score

LETTERS = {"P": "B", "Q": "C"}

BOTH = {"B": 8.0, "C": 3.0}
# What was written, and the scores of B and C.
TEXTS: dict[str, tuple[str, dict[str, float]]] = {
    "as asked": (
        '{"P": {"comment": "Good.", "score": 8}, "Q": {"comment": "-", "score": 3}}',
        BOTH,
    ),
    "within other words": (
        'Here it is:\n```json\n{"P": {"score": 8}, "Q": {"score": 3}}\n```',
        BOTH,
    ),
    "bare numbers": ('{"P": 8, "Q": 3.5}', {"B": 8, "C": 3.5}),
    "a list": ('[{"answer": "P", "score": 8}, {"answer": "Q", "score": 3}]', BOTH),
    "within a field": (
        '{"reviews": [{"answer": "Answer P", "score": "8/10"}, {"answer": "q", "score": 3}]}',
        BOTH,
    ),
    "other names": ('{"answer_p": {"score": 8}, "Answer Q": {"score": 3}}', BOTH),
    "only one": ('{"P": {"score": 8}}', {"B": 8}),
    "beyond the scale": ('{"P": 80, "Q": -1}', {"B": 10}),
    "of a hundred": ('{"P": "80/100", "Q": "3 / 10"}', BOTH),
    "letters of nobody": ('{"X": 8, "Q": 3}', {"C": 3}),
    "lines": ("Answer P: 8/10. Well done.\nAnswer Q: 3/10, it is wrong.", BOTH),
    "lines with marks": ("**P**: 8\n- **Q** - Score: 3", BOTH),
    "words around": ("Answer P gets 8 of 10, and Answer Q is a 3.", BOTH),
    "broken JSON": (
        '{"P": {"comment": "He said "no"", "score": 8}, "Q": {"comment": "", "score": 3}}',
        BOTH,
    ),
    "cut JSON": ('{"P": {"comment": "Good", "score": 8}, "Q": {"comment": "So', {"B": 8}),
    "nested beyond sense": ('{"a": ' * 900 + "{}" + "}" * 900 + "\nP: 8, Q: 3", BOTH),
    "nothing of it": ("I like both answers very much.", {}),
    "nothing at all": ("", {}),
    "a word that has the letter": ("Pretty: 8, Quite: 3", {}),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts(case: str) -> None:
    text, scores = TEXTS[case]
    assert {score.member: score.score for score in read_scores(text, LETTERS)} == scores


def test_comments() -> None:
    found = read_scores('{"P": {"comment": "Clear.", "score": 8}, "Q": 3}', LETTERS)
    assert found == [Score("B", 8.0, "Clear."), Score("C", 3.0, "")]
    assert read_scores("Answer P: 8/10. Well done.\nNothing more.", LETTERS)[0].comment == "Well done"


def test_nobody_reviews_its_own_and_the_order_tells_nothing() -> None:
    members = list("ABCDE")
    found = {reviewer: shuffled(members, reviewer, 1) for reviewer in members}
    for reviewer, letters in found.items():
        assert list(letters) == ["P", "Q", "R", "S"]
        assert sorted([*letters.values(), reviewer]) == members
        assert letters == shuffled(members, reviewer, 1)
    assert any(list(letters.values()) != sorted(letters.values()) for letters in found.values())
    # Which one comes first is not always the same, of whoever is reviewed.
    assert len({letters["P"] for letters in found.values()}) > 1
    assert any(shuffled(members, "A", seed) != found["A"] for seed in range(2, 6))


def test_the_format_asks_for_each_letter() -> None:
    schema = review_format(["P", "Q"])["json_schema"]["schema"]
    assert schema["required"] == ["P", "Q"] and set(schema["properties"]) == {"P", "Q"}


def test_ranks() -> None:
    """By the peers, then by tier and size, then by name; who was not reviewed comes last."""
    members = [
        Member("A", "answer", candidate("a_fast")),
        Member("B", "answer", candidate("b_powerful")),
        Member("C", "answer", candidate("c_fast")),
        Member("D", "answer", candidate("d_powerful")),
    ]
    reviews = [
        Review(1, "A", [Score("B", 6), Score("C", 9)]),
        Review(2, "B", [Score("A", 8), Score("C", 9)]),
        Review(3, "C", [Score("A", 8), Score("B", 10), Score("Z", 1)]),
    ]
    assert rank(members, reviews) == [
        Ranked("C", 9.0, 2),
        Ranked("B", 8.0, 2),
        Ranked("A", 8.0, 2),
        Ranked("D", None, 0),
    ]
    assert [each.member for each in rank(members, [])] == ["B", "D", "A", "C"]
