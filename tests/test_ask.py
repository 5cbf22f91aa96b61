"""What `synapse ask` tells while an answer comes, without a terminal and without a control plane."""

from __future__ import annotations

import io
from typing import Any

import click
import msgspec
import pytest
from tests.fakes.asker import Part, says
from tests.fakes.playing import candidate, played

from synapse_engine.ask import Show, follow, query_of
from synapse_engine.errors import SynapseError, UpstreamFailed
from synapse_engine.modes.steps import KINDS, Done, Mode, Problem, Usage

LOST = UpstreamFailed("It closed the connection")
DONE = Done("done", None, Usage(10, 0, 4), 2.5, 2.0)


async def told(
    mode: Mode, parts: dict[str, list[Part]], *, is_live: bool, **chosen: Any
) -> tuple[str, str, str]:
    """All that is written, what of it is the answer, and what is about it."""
    found = await played(mode, parts, **chosen)
    events = [(KINDS[type(step)], msgspec.to_builtins(step)) for step in [*found.steps, DONE]]
    written: list[tuple[str, bool]] = []
    follow(iter(events), Show(lambda text, is_answer: written.append((text, is_answer)), is_live=is_live))
    return (
        "".join(text for text, _ in written),
        "".join(text for text, is_answer in written if is_answer),
        "".join(text for text, is_answer in written if not is_answer),
    )


TWO: dict[str, list[Part]] = {"a_fast": [says("Be", "cause.")], "b_balanced": [says("Because ", "of air.")]}


async def test_at_a_terminal_it_is_told_as_it_is_written() -> None:
    every, answer, about = await told("two_stage", TWO, is_live=True)
    assert answer == "Because of air."
    lines = every.splitlines()
    assert lines[0] == "DRAFT is a_fast, REFINE is b_balanced"
    assert lines[1:3] == ["-- DRAFT drafts (a_fast)", "Because."]
    assert "2 tokens, 50.0 tokens/s" in lines[3]
    assert lines[4:6] == ["-- REFINE refines (b_balanced)", "Because of air."]
    assert lines[-1] == "done in 2.5 s, 10 tokens read, 4 written"
    assert every.endswith("\n")


async def test_elsewhere_the_answer_comes_at_the_end_alone() -> None:
    _, answer, about = await told("two_stage", TWO, is_live=False)
    assert answer == "Because of air.\n"
    assert "Because of air." not in about and "Because." in about


async def test_of_turns_at_the_same_time_each_is_told_whole() -> None:
    parts = {f"{letter}_fast": [says(f"{letter} ", "says.")] for letter in "abc"}
    every, _, _ = await told("council", parts, is_live=True, refine=False)
    lines = every.splitlines()
    for letter in "abc":
        at = lines.index(f"-- {letter.upper()} answers ({letter}_fast)")
        assert lines[at + 1] == f"{letter} says."
    assert any(line.startswith("Agreement after round 1: of words ") for line in lines)
    assert "Ranking: A -, B -, C -" in lines


async def test_what_breaks_off_is_told_with_its_note() -> None:
    parts: dict[str, list[Part]] = {"a_fast": [says("So", LOST)], "b_fast": [says("Yes.")]}
    every, answer, about = await told("simple", parts, is_live=True)
    assert "   failed: The model's server did not answer" in about
    assert "! a_fast has failed (The model's server did not answer); b_fast takes its place." in about
    assert answer == "SoYes."  # the first word was out already


async def test_an_answer_that_was_not_told_is_told_whole() -> None:
    named = [candidate("a_fast"), candidate("b_balanced")]
    parts: dict[str, list[Part]] = {"a_fast": [says("Because.")], "b_balanced": [says(LOST)]}
    _, answer, _ = await told("two_stage", parts, is_live=True, named=named)
    assert answer == "Because.\n"


async def test_a_choice_and_an_ending() -> None:
    every, _, _ = await told("auto", {"a_fast": [says("Yes.")]}, is_live=True)
    assert every.startswith("simple (fast). The question weighs 0.07: below 3 a FAST model answers at once.")
    every, _, _ = await told("debate", {"a_fast": [says("No.")]}, is_live=True)
    assert "The debate ends: disengagement by PRO. It has 1 words." in every


def test_one_without_an_answer() -> None:
    show = Show(lambda text, is_answer: None, is_live=False)
    failed = Done("failed", Problem("No model has answered", "a_fast: lost"), Usage(), 1.0, 1.0)
    with pytest.raises(SynapseError, match="No model has answered"):
        follow(iter([("done", msgspec.to_builtins(failed))]), show)
    with pytest.raises(SynapseError, match="broke off"):
        follow(iter([]), Show(lambda text, is_answer: None, is_live=False))


QUERIES: dict[str, tuple[list[str], list[str], list[str], str, dict[str, Any]]] = {
    "words": (["Why", "so?"], [], [], "", {"query": "Why so?"}),
    "stdin": ([], [], [], "Why\nso?\n", {"query": "Why\nso?"}),
    "both": (["Sum up:", "-"], [], [], "A text.\n", {"query": "Sum up: A text."}),
    "models": (["x"], ["a, b", "c:q"], [], "", {"query": "x", "models": ["a", "b", "c:q"]}),
    "options": (
        ["x"],
        [],
        ["turns=4", "moderator=true", "personas=advocate_and_judge"],
        "",
        {"query": "x", "options": {"turns": 4, "moderator": True, "personas": "advocate_and_judge"}},
    ),
}


@pytest.mark.parametrize("case", QUERIES)
def test_what_is_asked(case: str) -> None:
    words, models, options, given, query = QUERIES[case]
    assert query_of(words, "auto", models, options, io.StringIO(given)) == {"mode": "auto", **query}


def test_nothing_is_asked() -> None:
    with pytest.raises(click.UsageError, match="Ask something"):
        query_of([], "auto", [], [], io.StringIO(" \n"))
    with pytest.raises(click.BadParameter, match="NAME=VALUE"):
        query_of(["x"], "auto", [], ["turns"], io.StringIO())
