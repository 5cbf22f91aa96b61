"""Turns: told as they happen, and what becomes of one that fails."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from tests.fakes.asker import FakeAsker, Part, says
from tests.fakes.playing import candidate, played

from synapse_engine.errors import NoAnswer, SynapseError, UpstreamFailed
from synapse_engine.modes.asking import Message, Piece
from synapse_engine.modes.cast import Cast, Member
from synapse_engine.modes.fitting import Prompt
from synapse_engine.modes.floor import Floor, Speech, together
from synapse_engine.modes.options import Options, Question
from synapse_engine.modes.steps import Note, Said, Step, Text, Turn

LOST = UpstreamFailed("It closed the connection in the midst of its answer")
REFUSED = SynapseError("The model's server refused", "the request exceeds the context")


def speech_of(asker: FakeAsker, *, options: Options | None = None, **facts: Any) -> Speech:
    member = Member("A", "answer", candidate("a_fast", **facts))
    floor = Floor(asker, Question("Why?"), options or Options(), Cast((member,)))
    return Speech(floor, member, "answer", Prompt((), "Why?"), is_answer=True)


async def steps_of(speech: Speech) -> list[Step]:
    return [step async for step in speech.steps()]


async def test_a_turn_is_told_from_its_beginning_to_its_end() -> None:
    asker = FakeAsker({"a_fast": [says(Piece(thinking="Hm."), "It ", "is.")]})
    speech = speech_of(asker)
    begun, *texts, ended = await steps_of(speech)
    assert isinstance(begun, Turn) and isinstance(ended, Said)
    assert (begun.turn, begun.member, begun.model, begun.is_answer) == (1, "A", "a_fast", True)
    assert begun.messages == [Message("user", "Why?")]
    assert texts == [Text(1, "", "Hm."), Text(1, "It ", ""), Text(1, "is.", "")]
    assert (ended.text, ended.thinking, ended.error) == ("It is.", "Hm.", None)
    assert ended.figures is not None and ended.figures.output_tokens == 3
    assert 0 <= begun.began_seconds <= ended.ended_seconds
    assert (speech.text, speech.turn, speech.model) == ("It is.", 1, "a_fast")


async def test_thoughts_within_a_text_are_thoughts() -> None:
    speech = speech_of(FakeAsker({"a_fast": [says("<th", "ink>Hm.</thi", "nk>\n\nIt", " is.")]}))
    ended = (await steps_of(speech))[-1]
    assert isinstance(ended, Said)
    assert (ended.text, ended.thinking, speech.text) == ("It is.", "Hm.", "It is.")


LAST_PARTS: dict[str, tuple[list[Part], str | None, list[str], str]] = {
    "it breaks off, and is asked again": (
        [says("It ", LOST), says("It is.")],
        "It is.",
        ["a_fast has failed (The model's server did not answer); a_fast is asked again."],
        "(A:answer) A:answer",
    ),
    "it breaks off again": (
        [says("It ", LOST), says("It ", "was ", LOST)],
        "It was",
        [
            "a_fast has failed (The model's server did not answer); a_fast is asked again.",
            "a_fast has failed (The model's server did not answer); nobody takes its place.",
            "The answer is what a_fast said before it broke off.",
        ],
        "(A:answer) (A:answer)",
    ),
    "it refuses": ([says(REFUSED)], None, [], ""),
    "it says nothing": ([says()], None, [], ""),
    "it only thinks": ([says(Piece(thinking="Hm."))], None, [], ""),
}


@pytest.mark.parametrize("case", LAST_PARTS)
async def test_with_nobody_else(case: str) -> None:
    parts, answer, notes, line = LAST_PARTS[case]
    if answer is None:
        with pytest.raises(NoAnswer, match="a_fast"):
            await played("simple", {"a_fast": parts})
        return
    found = await played("simple", {"a_fast": parts})
    assert (found.answer, found.notes, found.line) == (answer, notes, line)


async def test_another_takes_its_place() -> None:
    """What runs first; and what it says is the answer, of which nothing of the first one is left."""
    parts: dict[str, list[Part]] = {
        "a_powerful": [says("It ", LOST)],
        "b_fast": [says("It is.")],
        "c_fast": [says("Never asked.")],
    }
    pool = [candidate("a_powerful"), candidate("b_fast"), candidate("c_fast", is_up=False)]
    found = await played("simple", parts, candidates=pool)
    assert found.answer == "It is."
    assert found.notes == [
        "a_powerful has failed (The model's server did not answer); b_fast takes its place."
    ]
    record = found.record
    assert [(turn.model, turn.text, turn.is_answer) for turn in record.turns] == [
        ("a_powerful", "It ", True),
        ("b_fast", "It is.", True),
    ]
    assert record.answer is not None and (record.answer.turn, record.answer.model) == (2, "b_fast")
    assert record.turns[0].error == str(LOST) and record.turns[0].figures is None
    assert (record.notes[0].turn, record.notes[0].member) == (1, "A")


async def test_not_all_models_there_are_take_one_place() -> None:
    """What one refuses the others refuse too, and each would have to be loaded for that."""
    parts = {f"{letter}_fast": [says(REFUSED)] for letter in "abcdefgh"}
    with pytest.raises(NoAnswer) as raised:
        await played("simple", parts)
    assert raised.value.detail.count("exceeds the context") == 3


async def test_a_reason_ends_once() -> None:
    with pytest.raises(NoAnswer) as raised:
        await played("simple", {"a_fast": [says(LOST), says(LOST)]})
    assert str(LOST).endswith("Its log says more.")
    assert raised.value.detail.endswith("Its log says more.") and ".." not in raised.value.detail


async def test_one_whose_time_is_over() -> None:
    """What it has said by then is the answer, and nobody else is asked."""
    found = await played(
        "simple", {"a_fast": [says("It ", asyncio.Event())], "b_fast": [says("x")]}, deadline_seconds=0.05
    )
    assert found.answer == "It"
    assert found.record.turns[0].error == "its time is over: all may take 0.05 s"
    assert found.notes[0] == (
        "a_fast has failed (its time is over: all may take 0.05 s); nobody takes its place."
    )
    assert [(asked.model, asked.how) for asked in found.asker.asked] == [("a_fast", "left")]


OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "the person's": ({"sampling": {"temperature": 0.2}}, {}, {"temperature": 0.2}),
    "of the answer alone": ({"sampling": {"seed": 1}, "final": {"stop": "x"}}, {}, {"seed": 1, "stop": "x"}),
}


@pytest.mark.parametrize("case", OPTIONS)
async def test_what_a_request_says(case: str) -> None:
    options, facts, said = OPTIONS[case]
    asker = FakeAsker({"a_fast": [says("It is.")]})
    await steps_of(speech_of(asker, options=Options(**options), **facts))
    assert asker.asked[0].order.options == said


@pytest.mark.parametrize(
    ("thinks", "sampling", "most"),
    [(False, {}, 400), (True, {}, None), (True, {"max_tokens": 50}, 50), (False, {"max_tokens": 50}, 50)],
)
async def test_the_modes_own_limit_is_none_for_thoughts(
    thinks: bool, sampling: dict[str, Any], most: int | None
) -> None:
    asker = FakeAsker({"a_fast": [says("It is.")]})
    member = Member("A", "answer", candidate("a_fast", thinks=thinks))
    floor = Floor(asker, Question("Why?"), Options(sampling=sampling), Cast((member,)))
    await steps_of(Speech(floor, member, "pro", Prompt((), "Why?"), defaults={"max_tokens": 400}))
    assert asker.asked[0].order.options.get("max_tokens") == most


async def test_what_does_not_fit_is_cut_with_a_note() -> None:
    asker = FakeAsker({"a_fast": [says("It is.")]})
    speech = speech_of(asker, context_tokens=512)
    speech._prompt = Prompt((Message("user", "old " * 2000),), "Why?")
    note = (await steps_of(speech))[1]
    assert note == Note(
        "To fit into the context of a_fast: the oldest 1 messages left out.", turn=1, member="A"
    )
    assert asker.asked[0].text == "Why?"


async def test_left_early_it_asks_no_more() -> None:
    asker = FakeAsker({"a_fast": [says("It ", asyncio.Event())]})
    async with aclosing(speech_of(asker).steps()) as steps:
        await anext(steps)
        await anext(steps)
    assert asker.asked[0].how == "left"


async def test_several_at_a_time() -> None:
    """Each goes on while another waits; left early, all end."""
    gate, asker = asyncio.Event(), FakeAsker({"a_fast": [says("a ", "b")]})
    waits = FakeAsker({"a_fast": [says("c ", gate, "d")]})
    first, second = speech_of(asker), speech_of(waits)
    told: list[str] = []
    async with aclosing(together([first.steps(), second.steps()])) as steps:
        async for step in steps:
            if isinstance(step, Text):
                told.append(step.text.strip())
            if isinstance(step, Said):
                gate.set()
    assert told in (["a", "c", "b", "d"], ["c", "a", "b", "d"])
    endless = speech_of(FakeAsker({"a_fast": [says("a ", asyncio.Event())]}))
    others = speech_of(asker)
    async with aclosing(together([endless.steps(), others.steps()])) as steps:
        await anext(steps)
    assert all(asked.how == "left" for asked in endless._floor._asker.asked)  # type: ignore[attr-defined]


async def test_a_defect_in_one_of_several_ends_all() -> None:
    def broken(order: object) -> Any:
        raise ValueError("a defect")

    asker = FakeAsker({"a_fast": [broken]})
    waits = FakeAsker({"a_fast": [says("c ", asyncio.Event())]})
    with pytest.raises(ValueError, match="a defect"):
        async for _ in together([speech_of(asker).steps(), speech_of(waits).steps()]):
            pass
    assert all(asked.how == "left" for asked in waits.asked)
