"""What ends a debate, and what does not."""

from __future__ import annotations

import pytest

from synapse_engine.modes.endings import REPEATED_FROM, concedes, disengages, find_ending, repeats

QUESTION = "Should cities ban cars from their centres?"
THEIRS = "Cars bring customers to shops, and old people cannot walk far. A ban would kill the centres."
OWN = (
    "Cities without cars are quieter, cleaner and safer. In the towns that tried it, shops sell more, as "
    "people stay longer. Noise and exhaust make people ill, and streets are room that children could play in."
)
OWN_ANEW = (
    "You say shops lose customers. They do not: in Ghent and Oslo sales rose after cars had gone. Buses and "
    "delivery vans stay, so that old people reach every door. What kills centres is traffic, not its absence."
)

CONCEDES = {
    "plainly": "I concede.",
    "at last": "Shops do matter. You have made your case well. I concede the debate.",
    "with words before": "After all this I must now concede.",
    "convinced": "You have convinced me: cars should stay.",
    "convinced, in short": "You've fully convinced me.",
    "was wrong": "I was wrong about the shops.",
    "agrees wholly": "I now completely agree with my opponent.",
    "gives up": "I withdraw my case.",
    "with emphasis": "**I concede**.",
    "with a curly quote": "You’ve persuaded me.",
}
NO_CONCESSION = {
    "nothing of it": OWN,
    "not at all": "I do not concede.",
    "never": "I will never concede.",
    "not yet convinced": "You have not convinced me.",
    "cannot": "I cannot concede.",
    "if": "If you showed me numbers, I would have to say you convinced me.",
    "a condition": "If it were so I concede.",
    "one point": "I concede that point.",
    "one point, and goes on": "I concede that shops need customers, but they have them.",
    "grants and goes on": "I concede, but only for night hours.",
    "the other's": "You concede that noise is bad.",
    "agrees partly": "I agree with you on noise.",
    "the other should": "Why should I concede?",
    "a word like it": "My concession stand is open.",
}


@pytest.mark.parametrize("case", CONCEDES)
def test_concessions(case: str) -> None:
    assert concedes(CONCEDES[case])


@pytest.mark.parametrize("case", NO_CONCESSION)
def test_no_concessions(case: str) -> None:
    assert concedes(NO_CONCESSION[case]) is None


DISENGAGES = {
    "a model's excuse": "As an AI language model, I cannot take sides in this.",
    "nothing to add": "I have nothing more to add.",
    "no comment": "No further comments on cars in cities from my side at all.",
    "declines": "I must say that I decline to continue with this debate.",
    "a few words": "Cars are bad.",
    "of something else": "Bananas ripen faster inside paper bags because ethylene gathers there.",
}
ENGAGES = {
    "an argument": OWN,
    "an answer": OWN_ANEW,
    "about models": "As an AI researcher might say, cities learn from data: cars cost more than they bring.",
    "another script": "城市应该禁止汽车 cars",
    "few, but to the point": "Shops in car free cities do better.",
}


@pytest.mark.parametrize("case", DISENGAGES)
def test_disengaging(case: str) -> None:
    assert disengages(DISENGAGES[case], THEIRS, QUESTION)


@pytest.mark.parametrize("case", ENGAGES)
def test_engaging(case: str) -> None:
    assert disengages(ENGAGES[case], THEIRS, QUESTION) is None


REPEATS = {
    "word for word": OWN,
    "with a new beginning": f"As I said: {OWN}",
    "in another order": " ".join(reversed(OWN.split(". "))),
    "a word changed": OWN.replace("quieter", "calmer"),
}


@pytest.mark.parametrize("case", REPEATS)
def test_repeating(case: str) -> None:
    assert repeats(REPEATS[case], [OWN_ANEW, OWN]) is not None


def test_something_new_repeats_nothing() -> None:
    assert repeats(OWN_ANEW, [OWN]) is None
    assert repeats(OWN, []) is None
    assert REPEATED_FROM < 1


def test_what_is_found_first() -> None:
    """Whoever concedes in words said before has conceded."""
    conceding = f"{OWN} I concede."
    found = find_ending(conceding, [conceding], THEIRS, QUESTION)
    assert found is not None and found.reason == "concession" and "I concede." in found.why
    # Nothing has been said yet that it could concede to.
    opening = find_ending(conceding, [], "", QUESTION)
    assert opening is None
    repeated = find_ending(OWN, [OWN], THEIRS, QUESTION)
    assert repeated is not None and repeated.reason == "repetition" and "statement 1" in repeated.why
    disengaged = find_ending("No.", [], THEIRS, QUESTION)
    assert disengaged is not None and disengaged.reason == "disengagement"
    assert find_ending(OWN_ANEW, [OWN], THEIRS, QUESTION) is None


def test_a_huge_statement_takes_no_time() -> None:
    found = find_ending("i am not able to say why i concede if i " * 20_000, [OWN], THEIRS, QUESTION)
    assert found is not None and found.reason == "disengagement"
