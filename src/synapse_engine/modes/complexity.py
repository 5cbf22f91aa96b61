"""How hard a question is, and so which tier is to answer it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from synapse_engine.catalog.model import Tier

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
    """score: from 0 up. reasons: what raised it, in words. tier: what it chooses."""

    score: float
    reasons: tuple[str, ...]
    tier: Tier


def weigh_question(question: str) -> Weight:
    """Length, asking for reasons or work, code, maths and several questions at once raise the score."""
    words = len(question.split())
    hard = {match.casefold() for match in _HARD.findall(question)}
    asks = max(question.count("?"), len(re.findall(r"^\s*(?:\d+[.)]|[-*])\s", question, re.MULTILINE)))
    parts = [
        (min(4.0, words / 60), f"{words} words"),
        (1.5 * min(3, len(hard)), f"asks to {', '.join(sorted(hard))}"),
        (2.0 if _CODE.search(question) else 0.0, "has code"),
        (2.0 if _MATHS.search(question) else 0.0, "has maths"),
        (min(2.0, 0.7 * max(0, asks - 1)), f"asks {asks} things"),
    ]
    score = round(sum(points for points, _ in parts), 2)
    reasons = tuple(reason for points, reason in parts if points >= 0.5)
    if score >= POWERFUL_FROM:
        return Weight(score, reasons, Tier.POWERFUL)
    return Weight(score, reasons, Tier.BALANCED if score >= BALANCED_FROM else Tier.FAST)
