"""Which of two answers a model finds better: what it is asked, what it says, what comes of it all. Pure.

Blind: it sees two answers and no names. Each pair is shown in both orders; who prefers the same answer both
times has decided, who prefers the same *place* has shown a bias, and that counts as a tie.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

MAX_TOKENS = 512
ANSWER_CHARACTERS = 8_000

SYSTEM = (
    "You compare two answers to the same task. Judge how correct, complete and clear they are; length alone "
    "is no merit. Their order means nothing. Think briefly, then end with exactly one line: VERDICT: 1, "
    "VERDICT: 2 or VERDICT: TIE."
)

_VERDICT = re.compile(r"verdict\W*(?:is\W*)?(?:answer\W*)?(1|2|tie)\b", re.IGNORECASE)
_ALONE = re.compile(r"^\W*(?:answer\W*)?(1|2|tie)\W*$", re.IGNORECASE)


class Preference(StrEnum):
    """By place. UNCLEAR: nothing could be read out of it, or it did not answer."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"
    UNCLEAR = "unclear"


class Decision(StrEnum):
    """Of both orders. BIASED: the same place both times."""

    ONE = "one"
    OTHER = "other"
    TIE = "tie"
    BIASED = "biased"
    UNCLEAR = "unclear"


_CHOICES = {"1": Preference.FIRST, "2": Preference.SECOND, "tie": Preference.TIE}


class Comparison(msgspec.Struct, frozen=True):
    """Of two models' answers to a prompt (its place). forward: with `one` first; backward: with `other`.

    reasons: the judge's words, forward and backward.
    """

    prompt: int
    one: str
    other: str
    forward: Preference
    backward: Preference
    reasons: tuple[str, str] = ("", "")

    @property
    def outcome(self) -> Decision:
        return decide(self.forward, self.backward)

    @property
    def winner(self) -> str | None:
        return {Decision.ONE: self.one, Decision.OTHER: self.other}.get(self.outcome)


class Standing(msgspec.Struct, frozen=True):
    """score: 1 for a win and a half for a tie, as a share of the comparisons that were decided; or None."""

    model: str
    wins: int
    ties: int
    losses: int
    unclear: int
    score: float | None


class Judgement(msgspec.Struct, frozen=True):
    """comparisons: in the order in which they were made."""

    judge: str
    comparisons: tuple[Comparison, ...]


def question(task: str, first: str, second: str) -> str:
    """What the judge is asked; answers that are very long are cut."""
    return (
        f"The task:\n\n{_cut(task)}\n\n--- Answer 1 ---\n\n{_cut(first)}\n\n"
        f"--- Answer 2 ---\n\n{_cut(second)}\n\n"
        "--- End of the answers ---\n\nWhich answer is better? End with one line: VERDICT: 1, VERDICT: 2 or "
        "VERDICT: TIE."
    )


def read_verdict(text: str) -> Preference:
    """The last verdict that it gives; else a last line that is one alone."""
    found = _VERDICT.findall(text)
    if found:
        return _CHOICES[found[-1].lower()]
    lines = [line for line in text.splitlines() if line.strip()]
    alone = _ALONE.match(lines[-1]) if lines else None
    return _CHOICES[alone[1].lower()] if alone else Preference.UNCLEAR


def decide(forward: Preference, backward: Preference) -> Decision:
    """backward: where the other one was shown first."""
    if Preference.UNCLEAR in (forward, backward):
        return Decision.UNCLEAR
    if Preference.TIE in (forward, backward):
        # A win in one order and a tie in the other is less than a win in both.
        return Decision.TIE
    if forward is backward:
        return Decision.BIASED
    return Decision.ONE if forward is Preference.FIRST else Decision.OTHER


def standings(comparisons: Iterable[Comparison]) -> list[Standing]:
    """Best first."""
    known = list(comparisons)
    models = dict.fromkeys(name for each in known for name in (each.one, each.other))
    rows = [_standing(model, [each for each in known if model in (each.one, each.other)]) for model in models]
    return sorted(rows, key=lambda row: (row.score is None, -(row.score or 0.0), row.model))


def _standing(model: str, of: list[Comparison]) -> Standing:
    wins = sum(each.winner == model for each in of)
    losses = sum(each.winner not in (None, model) for each in of)
    unclear = sum(each.outcome is Decision.UNCLEAR for each in of)
    ties = len(of) - wins - losses - unclear
    decided = len(of) - unclear
    return Standing(model, wins, ties, losses, unclear, (wins + ties / 2) / decided if decided else None)


def first_place_share(comparisons: Iterable[Comparison]) -> float | None:
    """How often the first place was preferred where a place was; half of them shows no bias."""
    choices = [choice for each in comparisons for choice in (each.forward, each.backward)]
    firsts, seconds = choices.count(Preference.FIRST), choices.count(Preference.SECOND)
    return firsts / (firsts + seconds) if firsts + seconds else None


def _cut(text: str) -> str:
    return text if len(text) <= ANSWER_CHARACTERS else f"{text[:ANSWER_CHARACTERS]} [cut here]"
