"""How a debate ends: what its last statement says or does. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from synapse_engine.modes.agreement import similarity, words_of
from synapse_engine.modes.steps import EndingReason

# A copy with other words here and there is above this.
REPEATED_FROM = 0.9
WORDS_MIN = 6

_CONCEDES = re.compile(
    r"\b(?:i (?:hereby |must |have to |now |fully |therefore )*concede\b"
    r"|you(?: have|'ve)? (?:fully |completely |entirely )?(?:convinced|persuaded) me\b"
    r"|i (?:stand corrected|was wrong|am (?:now )?(?:convinced|persuaded))\b"
    r"|i(?:'m| am) (?:now )?(?:convinced|persuaded) (?:by you|that you)"
    r"|you win (?:this|the) (?:debate|argument)\b"
    r"|i (?:give up|withdraw) my (?:position|case|argument)\b"
    r"|i (?:now )?(?:fully|completely|entirely|wholly) agree with (?:you|my opponent|the other side)\b)"
)
# What takes it back again, before it or behind it.
_NOT_BEFORE = re.compile(
    r"\b(?:not|never|no|cannot|can't|won't|wouldn't|don't|doesn't|didn't|isn't|aren't|haven't|hardly|if|unless|until"
    r"|before|would|could|should|may|might|expect|why)\b[^,;:]*$"
)
_NOT_BEHIND = re.compile(r"\b(?:but|however|yet|although|though|nevertheless|still)\b")
_OF_A_POINT = re.compile(r"^\s*(?:that|this|the|your|one|a|some|on)\b(?! (?:debate|argument|case|whole)\b)")
_REFUSES = re.compile(
    r"\b(?:as an? (?:ai|artificial intelligence|(?:large )?language model)\b[^.!?]*"
    r"\b(?:can(?:no|')t|do not|don't|unable)"
    r"|i (?:have|'ve) nothing (?:more |further |else )?to (?:add|say)\b"
    r"|no (?:further|more) (?:comments?|arguments?|points?)\b"
    r"|i(?:'m| am)? (?:refuse|decline|unable|not able|not willing) to"
    r" (?:take part|participate|argue|continue|go on)"
    r"|i (?:cannot|can't|won't|will not) (?:take part|participate|argue|continue|go on|engage|debate)\b"
    r"|let us end (?:this|the) debate\b|let's end (?:this|the) debate\b)"
)


@dataclass(frozen=True)
class Found:
    reason: EndingReason
    why: str


def find_ending(text: str, own_before: Sequence[str], others_last: str, question: str) -> Found | None:
    """Whether this statement ends the debate.

    own_before: what the same side has said before; others_last: what it answers, empty where it is the first.
    """
    if others_last and (sentence := concedes(text)):
        return Found("concession", f'It says: "{sentence}"')
    if why := disengages(text, others_last, question):
        return Found("disengagement", why)
    if why := repeats(text, own_before):
        return Found("repetition", why)
    return None


def concedes(text: str) -> str | None:
    """The sentence by which the whole case is given up; a single point that is granted is none."""
    for sentence in _sentences(text):
        plain = _plain(sentence)
        found = _CONCEDES.search(plain)
        if found is None or _NOT_BEFORE.search(plain[: found.start()]):
            continue
        behind = plain[found.end() :]
        if _NOT_BEHIND.search(behind) or _OF_A_POINT.match(behind):
            continue
        return sentence
    return None


def disengages(text: str, others_last: str, question: str) -> str | None:
    """Why it takes no part any more: it says so, says next to nothing, or nothing that has to do with it."""
    if found := _REFUSES.search(_plain(text)):
        return f'It says: "{found[0]}"'
    count = len(text.split())
    if count < WORDS_MIN and not any(len(word) == 1 and not word.isascii() for word in words_of(text)):
        return f"It has {count} words."
    if not words_of(text).keys() & words_of(f"{question} {others_last}").keys():
        return "It takes up no word of the question or of the other side."
    return None


def repeats(text: str, own_before: Sequence[str]) -> str | None:
    """Why it is nothing new."""
    for at, earlier in enumerate(own_before, 1):
        alike = similarity(text, earlier)
        if alike >= REPEATED_FROM:
            return f"It is {alike:.0%} the same as statement {at} of this side."
    return None


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def _plain(text: str) -> str:
    """In lower case, with plain quotes, without marks of emphasis."""
    return re.sub(r"[*_`\"“”]", "", text).replace("’", "'").casefold()
