"""A debate: every way to end, every death, and who sums up."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.asker import Part, says
from tests.fakes.playing import Played, candidate, played

from synapse_engine.errors import NoAnswer, UpstreamFailed
from synapse_engine.modes.asking import Message, Order
from synapse_engine.modes.options import Options, Persona, Personas, Question
from synapse_engine.modes.personas import PAIRS

LOST = UpstreamFailed("It closed the connection")
DIES = says("So", LOST)
QUESTION = "Should cities ban cars from their centres?"
PRO = (
    "Cities without cars are quieter and safer, and children play in the streets of their centres again.",
    "Shops in Ghent sell more since cities banned cars there, whatever merchants had feared before.",
    "Buses reach every door of centres that delivery vans reach, which answers your worry about the old.",
    "Exhaust of cars kills more people each year than crashes do, and cities are where they breathe it.",
)
CON = (
    "Cars bring customers to centres from villages that no bus serves, and a ban would lock them out.",
    "Ghent is flat and small; most cities are neither, so its shops tell nothing about theirs.",
    "Delivery vans are cars too, and a ban with exceptions for cars is no ban that cities could keep.",
    "Electric cars have no exhaust, so that the air of cities heals without any ban from anybody.",
)
NAMES = ("a_fast", "b_fast", "c_fast")


def lines(*texts: str) -> list[Part]:
    """One after the other."""
    return [says(text) for text in texts]


def cast(**overridden: list[Part]) -> dict[str, list[Part]]:
    """a_fast is PRO, b_fast CON, c_fast neutral."""
    return {
        "a_fast": lines(*PRO),
        "b_fast": lines(*CON),
        "c_fast": lines("On balance, partly."),
        **overridden,
    }


async def debated(parts: dict[str, list[Part]], **chosen: Any) -> Played:
    named = [candidate(name) for name in NAMES]
    return await played("debate", parts, question=QUESTION, named=named, **chosen)


def told(found: Played, model: str, at: int = 0) -> str:
    return found.asker.of(model)[at].order.messages[-1].content


async def test_they_answer_each_other_in_turns() -> None:
    found = await debated(cast(), turns=4)
    assert found.line == "PRO:pro CON:con PRO:pro CON:con SYNTHESIS:synthesis"
    assert (found.answer, found.notes) == ("On balance, partly.", [])
    ending = found.record.ending
    assert ending is not None
    assert (ending.reason, ending.why, ending.turn) == ("turn_limit", "4 turns are over.", None)
    assert [turn.round for turn in found.record.turns] == [1, 1, 2, 2, 3]
    assert [turn.hears for turn in found.record.turns] == [[], [1], [1, 2], [2, 3], [1, 2, 3, 4]]
    opening = told(found, "a_fast")
    assert "You are Optimist." in opening and QUESTION in opening and "Open the debate" in opening
    answer = told(found, "b_fast")
    assert f"What Optimist has just said:\n{PRO[0]}" in answer and "You are Skeptic." in answer
    second = told(found, "a_fast", 1)
    assert f"What you have said (1):\n{PRO[0]}" in second
    assert f"What Skeptic has just said:\n{CON[0]}" in second
    # Each answers the last points of the other, and not all it ever said.
    third = told(await debated(cast(), turns=6), "a_fast", 2)
    assert CON[1] in third and CON[0] not in third and PRO[0] in third
    summed = told(found, "c_fast")
    assert all(text in summed for text in (*PRO[:2], *CON[:2]))
    assert "PRO (Optimist):" in summed and "a_fast" not in summed


async def test_it_is_told_who_is_who_and_the_personas_are_shown() -> None:
    found = await debated(cast(), turns=2)
    players = {player.member: player for player in found.record.players}
    assert {name: player.persona for name, player in players.items()} == {
        "PRO": "Optimist",
        "CON": "Skeptic",
        "SYNTHESIS": None,
    }


@pytest.mark.parametrize("pair", PAIRS)
async def test_named_pairs(pair: str) -> None:
    found = await debated(cast(), turns=2, personas=pair)
    assert f"You are {PAIRS[pair].pro.name}. {PAIRS[pair].pro.manner}" in told(found, "a_fast")
    assert f"You are {PAIRS[pair].con.name}. {PAIRS[pair].con.manner}" in told(found, "b_fast")


async def test_ones_own_personas() -> None:
    own = Personas(Persona("Cat", "You purr."), Persona("Dog", "You bark."))
    found = await debated(cast(), turns=2, personas=own)
    assert "You are Cat. You purr." in told(found, "a_fast")
    assert "What Cat has just said" in told(found, "b_fast")


def test_there_are_six_pairs_all_different() -> None:
    assert len(PAIRS) == 6
    assert len({persona for pair in PAIRS.values() for persona in (pair.pro, pair.con)}) == 12


ENDINGS: dict[str, tuple[dict[str, list[Part]], str, str, str, str]] = {
    "CON concedes": (
        cast(b_fast=lines(CON[0], "You have convinced me about the cars in cities.")),
        "concession",
        "CON",
        "PRO:pro CON:con PRO:pro CON:con SYNTHESIS:synthesis",
        "convinced me",
    ),
    "PRO concedes": (
        cast(a_fast=lines(PRO[0], "Those villages matter more than cars. I concede.")),
        "concession",
        "PRO",
        "PRO:pro CON:con PRO:pro SYNTHESIS:synthesis",
        "I concede.",
    ),
    "PRO repeats itself": (
        cast(a_fast=lines(PRO[0], PRO[1], f"Again: {PRO[0]}")),
        "repetition",
        "PRO",
        "PRO:pro CON:con PRO:pro CON:con PRO:pro SYNTHESIS:synthesis",
        "statement 1",
    ),
    "CON repeats itself": (
        cast(b_fast=lines(CON[0])),
        "repetition",
        "CON",
        "PRO:pro CON:con PRO:pro CON:con SYNTHESIS:synthesis",
        "100% the same",
    ),
    "CON takes no part": (
        cast(b_fast=lines("As an AI language model, I cannot take sides.")),
        "disengagement",
        "CON",
        "PRO:pro CON:con SYNTHESIS:synthesis",
        "as an ai language model",
    ),
    "PRO says next to nothing": (
        cast(a_fast=lines(PRO[0], "No.")),
        "disengagement",
        "PRO",
        "PRO:pro CON:con PRO:pro SYNTHESIS:synthesis",
        "1 words",
    ),
    "PRO dies": (
        cast(a_fast=[says(PRO[0]), DIES]),
        "failure",
        "PRO",
        "PRO:pro CON:con (PRO:pro) (PRO:pro) SYNTHESIS:synthesis",
        "nobody takes its place",
    ),
    "CON dies at once": (
        cast(b_fast=[DIES]),
        "failure",
        "CON",
        "PRO:pro (CON:con) (CON:con) SYNTHESIS:synthesis",
        "nobody takes its place",
    ),
    "turns are over": (cast(), "turn_limit", "", "PRO:pro CON:con " * 3 + "SYNTHESIS:synthesis", "6"),
}


@pytest.mark.parametrize("case", ENDINGS)
async def test_endings(case: str) -> None:
    """The answer is there whatever ended it, and the ending says why, whose and in which turn."""
    parts, reason, member, line, why = ENDINGS[case]
    found = await debated(parts)
    ending = found.record.ending
    assert ending is not None
    assert (ending.reason, ending.member or "") == (reason, member)
    assert why in ending.why
    assert found.line == line
    assert found.answer == "On balance, partly."
    if member:
        turn = found.record.turns[(ending.turn or 0) - 1]
        assert turn.member == member


async def test_another_takes_a_side_over() -> None:
    parts = {**cast(a_fast=[says(PRO[0]), DIES]), "d_fast": lines(PRO[1])}
    found = await played("debate", parts, question=QUESTION, turns=4)
    assert found.line == "PRO:pro CON:con (PRO:pro) PRO:pro CON:con SYNTHESIS:synthesis"
    assert found.notes == ["a_fast has failed (The model's server did not answer); d_fast takes its place."]
    # Its own side's words are its own now.
    assert f"What you have said (1):\n{PRO[0]}" in told(found, "d_fast")


SUMS: dict[str, tuple[dict[str, list[Part]], str, str]] = {
    "PRO's model sums up": (
        cast(a_fast=[*lines(PRO[0]), says("From my side.")], c_fast=[DIES]),
        "From my side.",
        "PRO:pro CON:con (SYNTHESIS:synthesis) (SYNTHESIS:synthesis) PRO:synthesis",
    ),
    "CON's model does": (
        cast(a_fast=[*lines(PRO[0]), DIES], b_fast=[*lines(CON[0]), says("From mine.")], c_fast=[DIES]),
        "From mine.",
        "PRO:pro CON:con (SYNTHESIS:synthesis) (SYNTHESIS:synthesis) (PRO:synthesis) (PRO:synthesis) "
        "CON:synthesis",
    ),
}


@pytest.mark.parametrize("case", SUMS)
async def test_who_sums_up_where_the_neutral_one_dies(case: str) -> None:
    parts, answer, line = SUMS[case]
    found = await debated(parts, turns=2)
    assert (found.answer, found.line) == (answer, line)
    assert "c_fast has failed" in found.notes[0]


async def test_nobody_sums_up() -> None:
    """Then what each side has said last is the answer."""
    parts = cast(a_fast=[*lines(PRO[0]), DIES], b_fast=[*lines(CON[0]), DIES], c_fast=[DIES])
    found = await debated(parts, turns=2)
    assert found.answer == f"**PRO (Optimist)**\n\n{PRO[0]}\n\n**CON (Skeptic)**\n\n{CON[0]}"
    assert found.notes[-1] == "Nobody could sum up: the answer is what each side has said last."


async def test_a_debate_without_a_word() -> None:
    """Somebody answers the question all the same."""
    found = await debated(cast(a_fast=[DIES]))
    assert found.answer == "On balance, partly."
    assert found.record.ending is not None and found.record.ending.reason == "failure"
    assert any("the question alone is answered" in note for note in found.notes)
    assert told(found, "c_fast") == QUESTION


async def test_everybody_dies() -> None:
    with pytest.raises(NoAnswer):
        await debated({name: [DIES] for name in NAMES})


async def test_a_moderator_speaks_between_the_rounds() -> None:
    parts = cast(c_fast=lines("Which city did it?", "On balance, partly."))
    found = await debated(parts, turns=4, moderator=True)
    assert found.line == "PRO:pro CON:con MODERATOR:moderator PRO:pro CON:con SYNTHESIS:synthesis"
    assert "What the moderator has said:\nWhich city did it?" in told(found, "a_fast", 1)
    assert "What the moderator has said:\nWhich city did it?" in told(found, "b_fast", 1)
    assert "Moderator:\nWhich city did it?" in told(found, "c_fast", 1)
    assert [turn.hears for turn in found.record.turns][2:4] == [[1, 2], [1, 2, 3]]


async def test_a_moderator_that_dies_is_done_without() -> None:
    parts = cast(c_fast=[DIES, DIES, says("On balance, partly.")])
    found = await debated(parts, turns=4, moderator=True)
    assert found.line == (
        "PRO:pro CON:con (MODERATOR:moderator) (MODERATOR:moderator) PRO:pro CON:con SYNTHESIS:synthesis"
    )
    assert found.answer == "On balance, partly."
    assert "c_fast has failed" in found.notes[0]


async def test_one_model_speaks_for_both() -> None:
    def both(order: Order) -> str:
        said = order.messages[-1].content
        if "The question:" in said:
            return "On balance."
        return (CON if "Your side is CON" in said else PRO)[said.count("What you have said")]

    found = await played("debate", {"a_fast": [both]}, question=QUESTION, turns=4)
    assert found.answer == "On balance."
    assert found.notes == ["a_fast speaks for both sides, as no other model was there."]


async def test_what_was_said_before_and_how_they_are_sampled() -> None:
    before = (Message("system", "Be brief."),)
    options = Options(sampling={"seed": 5}, turns=2)
    named = [candidate(name) for name in NAMES]
    found = await played("debate", cast(), question=Question(QUESTION, before), options=options, named=named)
    assert all(asked.order.messages[:-1] == before for asked in found.asker.asked)
    assert [asked.order.options.get("seed") for asked in found.asker.asked] == [5, 6, 5]
    assert [asked.order.options.get("max_tokens") for asked in found.asker.asked] == [400, 400, None]


async def test_thoughts_stay_with_who_thinks_them() -> None:
    parts = cast(a_fast=lines(f"<think>Secret plans.</think>{PRO[0]}"))
    found = await debated(parts, turns=2)
    assert all("Secret" not in asked.text for asked in found.asker.asked)
    assert found.record.turns[0].thinking == "Secret plans."
