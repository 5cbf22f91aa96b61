"""The built-in sets of prompts. Pure; what is long in them is made of our own sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

DEFAULT_SET = "chat"
MAX_TOKENS = 256


class Prompt(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked. max_tokens: of the answer; has_fixed_length: exactly so many."""

    name: str
    text: str
    system: str | None = None
    max_tokens: int = MAX_TOKENS
    has_fixed_length: bool = False


@dataclass(frozen=True)
class PromptSet:
    name: str
    title: str
    description: str
    prompts: tuple[Prompt, ...]


def _log_lines(count: int) -> Iterator[str]:
    """A day in a warehouse, every line another one, so that nothing in it can be skipped."""
    goods = ("lamps", "ropes", "tiles", "kettles", "hinges", "maps", "crates of apples")
    people = ("Ada", "Bruno", "Chidi", "Dana", "Emre")
    for number in range(1, count + 1):
        minute = 7 * number
        yield (
            f"{6 + minute // 60:02d}:{minute % 60:02d} {people[number * 3 % 5]} moved "
            f"{number * 17 % 90 + 10} {goods[number * 5 % 7]} from shelf "
            f"{number * 11 % 40 + 1} to bay {number * 7 % 12 + 1}."
        )


def _long(name: str, lines: int) -> Prompt:
    text = "This is the log of a warehouse.\n\n" + "\n".join(_log_lines(lines))
    return Prompt(name, f"{text}\n\nWho moved the most goods? Answer with a name.", max_tokens=16)


_CODE = """def total(orders):
    sum = 0
    for i in range(1, len(orders)):
        if orders[i]["paid"] = True:
            sum += orders[i].price
    return sum
"""

_LETTER = (
    "Dear Ms Okafor,\n\nthank you for your order no. 48213 of 3 May. Two oak shelves (120 EUR each) and one "
    "reading lamp (45.50 EUR) leave our store in Lyon on 9 May and reach you in Porto within four days. You "
    "paid by card; the invoice is number R-2291. Should anything be missing, call Luc Martin at extension "
    "417.\n\nKind regards,\nHolz & Licht"
)

_ALL = (
    PromptSet(
        "chat",
        "Short chat",
        "Short questions and short answers: how quick a conversation feels.",
        (
            Prompt("capital", "What is the capital of France? Answer in one sentence.", max_tokens=64),
            Prompt("tea", "How do I make a good cup of green tea?", max_tokens=160),
            Prompt("reply", "Write a friendly reply that declines an invitation to dinner.", max_tokens=160),
        ),
    ),
    PromptSet(
        "prefill",
        "Long prompt",
        "Long prompts and a word in answer: how fast a prompt is read, and how long the first token takes.",
        (_long("log of 20 lines", 20), _long("log of 50 lines", 50), _long("log of 100 lines", 100)),
    ),
    PromptSet(
        "generation",
        "Long generation",
        "A short prompt and exactly 512 tokens in answer: how fast a model writes.",
        (
            Prompt(
                "story",
                "Tell a long story about a lighthouse keeper who finds a message in a bottle.",
                max_tokens=512,
                has_fixed_length=True,
            ),
        ),
    ),
    PromptSet(
        "code",
        "Code",
        "Writing, mending and explaining code.",
        (
            Prompt(
                "write",
                "Write a Python function that merges two sorted lists into one sorted list, without using "
                "sort. Only the code.",
            ),
            Prompt(
                "mend", f"Find every mistake in this Python function and mend it.\n\n```python\n{_CODE}```"
            ),
            Prompt(
                "explain", "Explain in a few sentences what `git rebase --onto A B C` does.", max_tokens=200
            ),
        ),
    ),
    PromptSet(
        "reasoning",
        "Reasoning",
        "Questions with one right answer that takes a few steps.",
        (
            Prompt(
                "trains",
                "A train leaves at 9:20 and takes 2 hours and 55 minutes. The next one leaves at 9:50 and "
                "takes 35 minutes less. Which arrives first, and by how much? End with the answer alone on a "
                "line.",
                max_tokens=400,
            ),
            Prompt(
                "boxes",
                "Three boxes are labelled RED, BLUE and MIXED, and every label is wrong. From MIXED you draw "
                "a red ball. What is in each box? End with the answer alone on a line.",
                max_tokens=400,
            ),
            Prompt(
                "ages",
                "Mina is twice as old as Leo was when Mina was as old as Leo is now. Mina is 24. How old is "
                "Leo? End with the answer alone on a line.",
                max_tokens=400,
            ),
        ),
    ),
    PromptSet(
        "extraction",
        "Extraction",
        "Facts out of a text, in a form that programs can read.",
        (
            Prompt(
                "order",
                f"{_LETTER}\n\nGive the order number, the invoice number, the total in EUR and the city of "
                "delivery as a JSON object with the keys order, invoice, total and city. Only the JSON.",
                max_tokens=120,
            ),
            Prompt(
                "people", f"{_LETTER}\n\nList every person named in this letter, one a line.", max_tokens=60
            ),
        ),
    ),
)

SETS: Mapping[str, PromptSet] = {each.name: each for each in _ALL}
