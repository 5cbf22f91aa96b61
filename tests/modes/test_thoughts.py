"""Thoughts that come within the text."""

from __future__ import annotations

import pytest

from synapse_engine.modes.thoughts import Thoughts

# The text, what is said, what is thought.
TEXTS = {
    "nothing": ("", "", ""),
    "no thoughts": ("Hello <b>you</b>", "Hello <b>you</b>", ""),
    "thoughts, then an answer": ("<think>Hm, so.</think>\n\nHello", "Hello", "Hm, so."),
    "space before": ("\n<think>Hm</think>Hello", "Hello", "Hm"),
    "no thoughts at all within": ("<think>\n\n</think>\n\nHello", "Hello", "\n\n"),
    "never ended": ("<think>Hm, and on", "", "Hm, and on"),
    "a mark that is no mark": ("<thing>", "<thing>", ""),
    "the beginning of a mark": ("<thi", "<thi", ""),
    "a mark within an answer": ("So: <think>x</think>", "So: <think>x</think>", ""),
    "an end that is none": ("<think>a </thin b</think>c", "c", "a </thin b"),
}


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("case", TEXTS)
def test_cut_anywhere(case: str, pieces: int) -> None:
    text, said, thought = TEXTS[case]
    length = -(-len(text) // pieces) or 1
    thoughts = Thoughts()
    found = [thoughts.feed(text[at : at + length]) for at in range(0, len(text), length)]
    found.append(thoughts.finish())
    assert "".join(one for one, _ in found).lstrip() == said
    assert "".join(other for _, other in found) == thought
