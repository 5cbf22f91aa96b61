"""What is cut so that it fits, and what never is."""

from __future__ import annotations

import pytest

from synapse_engine.modes.asking import Message
from synapse_engine.modes.fitting import CUT, Passage, Prompt, estimate_tokens, fit

LONG = "The river runs down to the sea, and the sea is never full. " * 200
SYSTEM = Message("system", "Be brief.")
OLD = (Message("user", "One? " * 300), Message("assistant", "Two. " * 300))


def size(messages: tuple[Message, ...]) -> int:
    return sum(estimate_tokens(message.content) for message in messages)


def test_what_fits_is_as_it_was() -> None:
    prompt = Prompt((SYSTEM,), "Why?", (Passage("The draft", "So."), Passage("Another", "Or so.")), "Go on.")
    fitted = fit(prompt, 4096, None)
    assert fitted.cut == ""
    assert fitted.messages == (
        SYSTEM,
        Message("user", "Why?\n\nThe draft:\nSo.\n\nAnother:\nOr so.\n\nGo on."),
    )
    assert fit(prompt, None, None) == fitted


def test_where_nobody_knows_the_context_nothing_is_cut() -> None:
    prompt = Prompt((), "Why?", (Passage("The draft", LONG * 10),))
    assert fit(prompt, None, 100).messages == prompt.messages()


@pytest.mark.parametrize("context_tokens", [512, 1024, 4096])
@pytest.mark.parametrize("answer_tokens", [None, 100, 100_000])
def test_passages_are_cut_to_fit(context_tokens: int, answer_tokens: int | None) -> None:
    """Half of the context at least is for what is asked; the question itself is never cut."""
    prompt = Prompt((SYSTEM,), "Why?", (Passage("The draft", LONG), Passage("Another", LONG)), "Go on.")
    fitted = fit(prompt, context_tokens, answer_tokens)
    assert fitted.cut == "The draft, Another cut"
    reserved = min(answer_tokens or max(1024, context_tokens // 4), context_tokens // 2)
    assert size(fitted.messages) <= context_tokens - reserved
    last = fitted.messages[-1].content
    assert last.startswith("Why?\n\nThe draft:\nThe river") and last.endswith("\n\nGo on.")
    assert last.count(CUT) == 2


def test_a_short_passage_stays_whole_beside_a_long_one() -> None:
    prompt = Prompt((), "Why?", (Passage("Short", "Because."), Passage("Long", LONG)))
    fitted = fit(prompt, 1024, None)
    assert fitted.cut == "Long cut"
    assert "Short:\nBecause.\n\n" in fitted.messages[-1].content


def test_the_oldest_messages_go_first_and_system_messages_stay() -> None:
    before = (SYSTEM, *OLD, Message("user", "Three?"), Message("assistant", "Four."))
    fitted = fit(Prompt(before, "Five?", (Passage("The draft", LONG),)), 1024, None)
    assert fitted.messages[:-1] == (SYSTEM, *before[3:])
    assert fitted.cut == "The draft cut and the oldest 2 messages left out"


def test_the_end_of_a_passage_is_kept_too() -> None:
    fitted = fit(Prompt((), "Why?", (Passage("It", f"First. {LONG} Last."),)), 1024, None)
    assert "First." in fitted.messages[-1].content and "Last." in fitted.messages[-1].content


def test_other_scripts_are_cut_between_letters() -> None:
    fitted = fit(Prompt((), "何?", (Passage("It", "川は海へ流れる。" * 500),)), 512, None)
    assert fitted.cut == "It cut"
    assert "\ufffd" not in fitted.messages[-1].content


def test_a_question_that_does_not_fit_is_for_the_server_to_refuse() -> None:
    fitted = fit(Prompt((), LONG), 512, None)
    assert fitted.messages == (Message("user", LONG),)
