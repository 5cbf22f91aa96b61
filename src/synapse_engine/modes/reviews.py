"""Reviews: how they are asked for, and what their writers meant, whatever shape it came in. Pure."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from synapse_engine.modes.agreement import SCORE_MAX
from synapse_engine.modes.cast import Member, strength
from synapse_engine.modes.steps import Ranked, Review, Score

# What answers are called in reviews: no member has these labels, so that nobody finds itself in them.
LETTERS = "PQRSTUVW"
COMMENT_CHARACTERS = 200

_NUMBER = r"(\d+(?:\.\d+)?)(?:\s*/\s*(\d+))?"
_LINE = (
    r"(?:\banswer\s+)?\b{letter}\b[\s*_)\]\"']*(?:[:=\-–—]|is\b|gets\b|scores?\b)[^\d\n]{{0,40}}?" + _NUMBER
)


def shuffled(members: Sequence[str], reviewer: str, seed: int | None) -> dict[str, str]:
    """Letter to member: all but the reviewer, in an order that tells nothing and is the same each time."""
    others = [member for member in members if member != reviewer]
    random.Random(f"{seed}:{reviewer}").shuffle(others)
    return dict(zip(LETTERS, others, strict=False))


def review_format(letters: Sequence[str]) -> dict[str, Any]:
    """A request's `response_format`: one score and one comment for each answer."""
    one = {
        "type": "object",
        "properties": {
            "comment": {"type": "string", "maxLength": COMMENT_CHARACTERS},
            "score": {"type": "integer", "minimum": 0, "maximum": int(SCORE_MAX)},
        },
        "required": ["comment", "score"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": dict.fromkeys(letters, one),
        "required": list(letters),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "review", "schema": schema}}


def read_scores(text: str, letters: Mapping[str, str]) -> list[Score]:
    """letters: to members. What was meant by JSON, or by lines such as `Answer P: 7/10`; none for what says
    nothing that makes sense.
    """
    found = _in_json(text, letters) or _in_lines(text, letters)
    return [Score(letters[letter], score, comment) for letter, (score, comment) in sorted(found.items())]


def rank(members: Sequence[Member], reviews: Sequence[Review]) -> list[Ranked]:
    """By the mean of their peers' scores, then by tier and size. Who has no score comes last."""
    given: dict[str, list[float]] = {member.label: [] for member in members}
    for review in reviews:
        for score in review.scores:
            if score.member in given:
                given[score.member].append(score.score)
    means = {label: round(sum(own) / len(own), 2) if own else None for label, own in given.items()}

    def order(member: Member) -> tuple[float, int, float, str]:
        mean = means[member.label]
        tier, size_b = strength(member.candidate)
        return -1.0 if mean is None else mean, tier, size_b, _backwards(member.label)

    ordered = sorted(members, key=order, reverse=True)
    return [Ranked(member.label, means[member.label], len(given[member.label])) for member in ordered]


def _backwards(label: str) -> str:
    """Sorts labels the other way round."""
    return "".join(chr(0x10FFFF - ord(letter)) for letter in label)


def _in_json(text: str, letters: Mapping[str, str]) -> dict[str, tuple[float, str]]:
    decoder = json.JSONDecoder()
    for at in (found.start() for found in re.finditer(r"[{\[]", text)):
        try:
            value, _ = decoder.raw_decode(text, at)
            scores = dict(_entries(value, letters))
        except (ValueError, RecursionError):
            continue
        if scores:
            return scores
    return {}


def _entries(value: Any, letters: Mapping[str, str]) -> list[tuple[str, tuple[float, str]]]:
    """Of `{"P": {"score": 7}}`, `{"P": 7}`, `[{"answer": "P", "score": 7}]`, or of such in a field."""
    if isinstance(value, list):
        named = [(entry.get("answer", entry.get("id")), entry) for entry in value if isinstance(entry, dict)]
    elif isinstance(value, dict):
        named = list(value.items())
        if not any(_letter(name, letters) for name, _ in named):
            inner = [entry for entry in value.values() if isinstance(entry, dict | list)]
            return [found for entry in inner for found in _entries(entry, letters)]
    else:
        return []
    found = []
    for name, entry in named:
        letter = _letter(name, letters)
        score = _score(entry.get("score") if isinstance(entry, dict) else entry)
        if letter is not None and score is not None:
            comment = entry.get("comment") if isinstance(entry, dict) else None
            found.append((letter, (score, str(comment or "")[:COMMENT_CHARACTERS])))
    return found


def _letter(name: object, letters: Mapping[str, str]) -> str | None:
    """`P` of `P`, `answer p` and `Answer_P`."""
    words = re.findall(r"[^\W_]+", str(name).upper())
    return words[-1] if words and words[-1] in letters else None


def _score(value: object) -> float | None:
    """Of 7, 7.5, "7", "7/10" and "70/100"; what is beyond the scale is its end."""
    found = re.match(r"\s*" + _NUMBER, str(value)) if isinstance(value, int | float | str) else None
    if found is None or isinstance(value, bool):
        return None
    return _scaled(found[1], found[2])


def _in_lines(text: str, letters: Mapping[str, str]) -> dict[str, tuple[float, str]]:
    scores = {}
    for letter in letters:
        found = re.search(_LINE.format(letter=letter), text, re.IGNORECASE)
        if found is not None:
            rest = text[found.end() :].partition("\n")[0].strip(" .,;:*-–—)")
            scores[letter] = (_scaled(found[1], found[2]), rest[:COMMENT_CHARACTERS])
    return scores


def _scaled(number: str, of: str | None) -> float:
    value, most = float(number), float(of) if of and float(of) else SCORE_MAX
    return max(0.0, min(SCORE_MAX, value / most * SCORE_MAX))
