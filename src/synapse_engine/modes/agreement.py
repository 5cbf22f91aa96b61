"""How far texts, and those who review them, agree. Pure.

Two figures, as they say different things. *Similarity* is of the words: the cosine between two texts' counts
of words, dampened (log of 1 + count). Words below four letters are left out, as these are mostly grammar. It
needs no further model, and is the same on every machine; it cannot see that two texts say the same in other
words, or the opposite in the same ones. *Concordance* is of the judgements: how near the scores are that
several have given one answer. Nobody scores their own, so that in a council of three no two have ranked the
same pair of answers: ranks could not be compared, scores can.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

from synapse_engine.modes.steps import Agreement, Pair

SCORE_MAX = 10.0
# A word, or one character of a script that writes without spaces.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
_SHORT = re.compile(r"[a-z]{1,3}")


def words_of(text: str) -> Counter[str]:
    """What is compared: content words and numbers; where there are none, all words."""
    every = _WORD.findall(text.casefold())
    return Counter(word for word in every if not _SHORT.fullmatch(word)) or Counter(every)


def similarity(one: str, other: str) -> float:
    """0 (no word in common) to 1 (the same words, as often)."""
    vectors = [{word: math.log1p(count) for word, count in words_of(text).items()} for text in (one, other)]
    lengths = [math.sqrt(sum(value * value for value in vector.values())) for vector in vectors]
    if not all(lengths):
        return 0.0
    shared = vectors[0].keys() & vectors[1].keys()
    product = sum(vectors[0][word] * vectors[1][word] for word in shared)
    return min(1.0, product / (lengths[0] * lengths[1]))


def concordance(scores: Sequence[Mapping[str, float]]) -> float | None:
    """scores: of each reviewer, by whose answer it is. 1: they give each answer the same score; 0: one gives
    it 0, the other 10. None where no answer has two scores.
    """
    apart = [
        abs(one[member] - other[member])
        for one, other in combinations(scores, 2)
        for member in one.keys() & other.keys()
    ]
    return 1.0 - sum(apart) / len(apart) / SCORE_MAX if apart else None


def measure(round: int, answers: Mapping[str, str], scores: Sequence[Mapping[str, float]] = ()) -> Agreement:
    """answers: by member, at least two. Figures have three digits."""
    pairs = [
        Pair([one, other], _rounded(similarity(answers[one], answers[other])))
        for one, other in combinations(answers, 2)
    ]
    mean = sum(pair.similarity for pair in pairs) / len(pairs)
    found = concordance(scores)
    return Agreement(round, _rounded(mean), None if found is None else _rounded(found), pairs)


def _rounded(value: float) -> float:
    return round(value, 3)
