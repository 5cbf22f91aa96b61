"""Which tier a question needs."""

from __future__ import annotations

import pytest

from synapse_engine.catalog.model import Tier
from synapse_engine.modes.complexity import BALANCED_FROM, POWERFUL_FROM, weigh_question

LONG = "I have a small garden behind my house with roses and a few herbs that need some care. " * 8
CODE = "```python\ndef f(x):\n    return x\n```"

QUESTIONS = {
    "nothing": ("", Tier.FAST),
    "a greeting": ("Hi there!", Tier.FAST),
    "a fact": ("What is the capital of France?", Tier.FAST),
    "one hard word": ("Why is the sky blue?", Tier.FAST),
    "a hard word, many times": ("why why why why why", Tier.FAST),
    "a short sum": ("2 ^ 10 = ?", Tier.FAST),
    "code alone": (CODE, Tier.FAST),
    "two tasks": ("Compare TCP and UDP, and explain which one a game needs.", Tier.BALANCED),
    "code and a task": (f"Refactor this:\n{CODE}", Tier.BALANCED),
    "several questions at once": (
        "Explain tides. When are they highest? Where? Who found out? Since when?",
        Tier.BALANCED,
    ),
    "a long text": (LONG * 2, Tier.BALANCED),
    "a proof": (
        "Prove step by step that the derivative of x^2 is 2x, and explain why the proof works.",
        Tier.POWERFUL,
    ),
    "code, tasks and questions": (
        f"Debug and optimize this. What is slow? Why? What would you design instead?\n{CODE}",
        Tier.POWERFUL,
    ),
    "a long text with tasks": (f"{LONG} Analyze it, critique it, and derive a strategy.", Tier.POWERFUL),
    "a list of tasks": (
        "Evaluate these designs:\n1. one queue\n2. two queues\n3. none\nCompare their trade-offs.",
        Tier.POWERFUL,
    ),
}


@pytest.mark.parametrize("case", QUESTIONS)
def test_questions(case: str) -> None:
    question, tier = QUESTIONS[case]
    weight = weigh_question(question)
    assert weight.tier is tier, weight
    assert weight.tier is (
        Tier.POWERFUL
        if weight.score >= POWERFUL_FROM
        else Tier.BALANCED
        if weight.score >= BALANCED_FROM
        else Tier.FAST
    )


def test_it_says_why() -> None:
    """Each sign with its points, which make the score."""
    weight = weigh_question(f"Compare these two, and prove it.\n{CODE}\nWhich one? Why? By how much?")
    assert [(part.reason, part.points) for part in weight.parts] == [
        ("18 words", 0.3),
        ("asks to compare, prove, why", 4.5),
        ("has code", 2.0),
        ("asks 3 things", 1.4),
    ]
    assert weight.score == sum(part.points for part in weight.parts)


def test_case_does_not_matter() -> None:
    assert weigh_question("COMPARE AND EXPLAIN").score == weigh_question("compare and explain").score


def test_more_of_a_question_is_never_easier() -> None:
    text = f"{LONG} Why? Prove it. Compare x ^ 2 and y.\n{CODE}"
    scores = [weigh_question(text[:length]).score for length in range(0, len(text), 25)]
    assert scores[-1] == max(scores)
    assert scores[0] == 0


def test_a_huge_question_takes_no_time() -> None:
    assert weigh_question("why? " * 200_000).tier is Tier.POWERFUL
