"""The built-in sets."""

from __future__ import annotations

import pytest

from synapse_engine.benchmarks.prompts import DEFAULT_SET, SETS, PromptSet


def test_what_there_is() -> None:
    assert list(SETS) == ["chat", "prefill", "generation", "code", "reasoning", "extraction"]
    assert DEFAULT_SET in SETS


@pytest.mark.parametrize("each", list(SETS.values()), ids=list(SETS))
def test_a_set_is_whole(each: PromptSet) -> None:
    assert each.title and each.description and each.prompts
    names = [prompt.name for prompt in each.prompts]
    assert len(set(names)) == len(names)
    assert all(prompt.text.strip() and prompt.max_tokens > 0 for prompt in each.prompts)


def test_long_prompts_grow_and_repeat_no_line() -> None:
    texts = [prompt.text for prompt in SETS["prefill"].prompts]
    sizes = [len(text) for text in texts]
    assert sizes == sorted(sizes) and sizes[-1] > 4 * sizes[0]
    lines = texts[-1].splitlines()[2:-2]
    assert len(set(lines)) == len(lines) == 100


def test_long_generation_has_a_fixed_length() -> None:
    assert all(prompt.has_fixed_length and prompt.max_tokens >= 512 for prompt in SETS["generation"].prompts)
