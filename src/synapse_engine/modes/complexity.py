"""How hard a question is, and so which tier is to answer it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from synapse_engine.catalog.model import Tier
from synapse_engine.modes.steps import Part

BALANCED_FROM = 3.0
POWERFUL_FROM = 6.0

_HARD = re.compile(
    r"\b(why|prove|proof|derive|compare|contrast|analy[sz]e|evaluate|design|architect|refactor|debug|optimi[sz]e"
    r"|explain|implement|trade-?offs?|step by step|algorithm|theorem|strategy|critique|review)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"```|\bdef |\bclass |\bfunction\b|;\s*$|[{}]\s*$|\bSELECT\b", re.MULTILINE)
_MATHS = re.compile(
    r"[∑∫√≤≥]|\\(frac|sum|int)|\b\d+\s*[\^]\s*\d+|\b(integral|derivative|probability)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Weight:
    """score: from 0 up, the sum of the parts. parts: what raised it, by how much. tier: what it chooses."""

    score: float
    parts: tuple[Part, ...]
    tier: Tier


def weigh_question(question: str) -> Weight:
    """How hard a question seems, by signs that can be counted:

    * its length: a point for 60 words, 4 at most;
    * words that ask for reasons or work (why, compare, prove, refactor, ...): 1.5 each, for 3 different ones;
    * code, and maths: 2 each;
    * several questions or numbered tasks at once: 0.7 for each after the first, 2 at most.

    Below BALANCED_FROM it chooses FAST, from POWERFUL_FROM on POWERFUL.
    """
    words = len(question.split())
    hard = {match.casefold() for match in _HARD.findall(question)}
    asks = max(question.count("?"), len(re.findall(r"^\s*(?:\d+[.)]|[-*])\s", question, re.MULTILINE)))
    found = [
        (min(4.0, words / 60), f"{words} words"),
        (1.5 * min(3, len(hard)), f"asks to {', '.join(sorted(hard))}"),
        (2.0 if _CODE.search(question) else 0.0, "has code"),
        (2.0 if _MATHS.search(question) else 0.0, "has maths"),
        (min(2.0, 0.7 * max(0, asks - 1)), f"asks {asks} things"),
    ]
    parts = tuple(Part(round(points, 2), reason) for points, reason in found if points >= 0.01)
    score = round(sum(part.points for part in parts), 2)
    if score >= POWERFUL_FROM:
        return Weight(score, parts, Tier.POWERFUL)
    return Weight(score, parts, Tier.BALANCED if score >= BALANCED_FROM else Tier.FAST)
