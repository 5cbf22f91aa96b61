"""A council: at the same time, blind, and never lost for one who dies."""

from __future__ import annotations

import asyncio
import json
import re
import time

import pytest
from tests.fakes.asker import Part, says
from tests.fakes.playing import candidate, played

from synapse_engine.errors import NoAnswer, UpstreamFailed
from synapse_engine.modes.asking import Message, Order
from synapse_engine.modes.options import Question
from synapse_engine.modes.steps import Ranked

LOST = UpstreamFailed("It closed the connection")
DIES = says("So", LOST)
NAMES = ("a_fast", "b_fast", "c_fast")
QUESTION = "Is the sky blue?"


def answers(*, first: str, refined: str = "", scores: dict[str, int] | None = None) -> Part:
    """What one does in each round; scores: by what the answer that it gets them says."""

    def part(order: Order) -> str:
        told = order.messages[-1].content
        if "response_format" in order.options:
            found = re.findall(r"Answer ([P-W]):\n(.*)", told)
            return json.dumps(
                {letter: {"comment": text, "score": (scores or {})[text]} for letter, text in found}
            )
        if "The question:" not in told:
            return first
        return "All together." if "Expert 1" in told else refined or f"{first} Anew."

    return part


def council_of(**overridden: Part | list[Part]) -> dict[str, list[Part]]:
    """Three who find Bee the best."""
    scores = {"Ay": 5, "Bee": 9, "Sea": 3}
    parts: dict[str, list[Part]] = {
        "a_fast": [answers(first="Ay", scores=scores)],
        "b_fast": [answers(first="Bee", scores=scores)],
        "c_fast": [answers(first="Sea", scores=scores)],
    }
    return {
        **parts,
        **{name: part if isinstance(part, list) else [part] for name, part in overridden.items()},
    }


async def test_all_rounds() -> None:
    before = (Message("system", "Be brief."),)
    found = await played("council", council_of(), question=Question(QUESTION, before))
    assert found.notes == []
    record = found.record
    rounds = [f"{member}:{role}" for role in ("answer", "review", "refine") for member in "ABC"]
    assert found.line.split() == [*rounds, "B:synthesis"]
    assert [turn.round for turn in record.turns] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]
    assert all(asked.order.messages[:-1] == before for asked in found.asker.asked)
    # Each has answered without a word of the others.
    assert {asked.order.messages[-1].content for asked in found.asker.asked[:3]} == {QUESTION}
    assert record.ranking == [Ranked("B", 9.0, 2), Ranked("A", 5.0, 2), Ranked("C", 3.0, 2)]
    first, last = record.agreements
    assert (first.round, first.similarity, first.concordance) == (1, 0.0, None)
    assert (last.round, last.concordance) == (3, 1.0)
    assert last.similarity > first.similarity  # they have the word Anew in common
    answer = record.answer
    assert answer is not None
    assert (answer.text, answer.model, answer.turn) == ("All together.", "b_fast", 10)


async def test_reviews_are_blind() -> None:
    """Nobody is told whose an answer is, nor given its own; the order differs from one to the next."""
    found = await played("council", council_of())
    reviewing = [asked for asked in found.asker.asked if "response_format" in asked.order.options]
    own = {"a_fast": "Ay", "b_fast": "Bee", "c_fast": "Sea"}
    for asked in reviewing:
        told = asked.order.messages[-1].content
        assert "_fast" not in told and not re.search(r"\b[ABC]\b", told.replace("Above", ""))
        assert re.findall(r"Answer [P-W]:\n(.*)", told) != [own[asked.model]]
        assert sorted(re.findall(r"Answer ([P-W]):", told)) == ["P", "Q"]
        assert f":\n{own[asked.model]}\n" not in told
        assert asked.order.options["temperature"] == 0
    for review in found.record.reviews:
        assert review.member not in {score.member for score in review.scores}
        expected = {"A": 5, "B": 9, "C": 3}
        assert all(score.score == expected[score.member] for score in review.scores)


async def test_refining_is_told_what_reviewers_said() -> None:
    found = await played("council", council_of())
    refining = next(a for a in found.asker.of("a_fast") if "Your answer" in a.text)
    assert "Your answer:\nAy\n" in refining.text
    assert "- 5/10. Ay" in refining.text
    assert "Bee" in refining.text and "Sea" in refining.text
    turn = next(turn for turn in found.record.turns if turn.member == "A" and turn.role == "refine")
    answered, reviewed = [1, 2, 3], [r.turn for r in found.record.reviews if r.member != "A"]
    assert sorted(turn.hears) == sorted([*answered, *reviewed])


async def test_without_refining() -> None:
    found = await played("council", council_of(), refine=False)
    assert [turn.role for turn in found.record.turns] == ["answer"] * 3 + ["review"] * 3 + ["synthesis"]
    assert [each.round for each in found.record.agreements] == [1, 2]
    assert found.answer == "All together."


async def test_each_round_takes_as_long_as_its_slowest() -> None:
    """Members overlap: of each round the wall time is at most 1.2 times the slowest member's own."""
    delays = {"a_fast": 0.30, "b_fast": 0.22, "c_fast": 0.26}

    def slow(name: str) -> list[Part]:
        inner = council_of()[name][0]

        def part(order: Order) -> list[str | float]:
            said = inner(order)
            assert isinstance(said, str)
            return [delays[name] / 2, said, delays[name] / 2]

        return [part]

    found = await played("council", {name: slow(name) for name in NAMES})
    for number in (1, 2, 3):
        turns = [turn for turn in found.record.turns if turn.round == number]
        began = [turn.began_seconds for turn in turns]
        ended = [turn.ended_seconds or 0.0 for turn in turns]
        assert max(began) < min(ended)
        slowest = max(end - begin for begin, end in zip(began, ended, strict=True))
        assert slowest >= 0.30
        assert max(ended) - min(began) <= 1.2 * slowest
        assert max(ended) - min(began) <= 1.2 * 0.30
    assert found.record.total_seconds is None  # the run's own, not the mode's


async def test_all_are_asked_before_any_has_answered() -> None:
    """Without a clock: each waits until the others have been asked."""
    asked, everybody = 0, asyncio.Event()

    def waits(name: str) -> list[Part]:
        def part(order: Order) -> list[str | asyncio.Event]:
            nonlocal asked
            asked += 1
            if asked % 3 == 0 and asked <= 9:
                everybody.set()
            said = council_of()[name][0](order)
            assert isinstance(said, str)
            return [everybody, said]

        return [part]

    found = await played("council", {name: waits(name) for name in NAMES})
    assert found.answer == "All together."


DEATHS: dict[str, tuple[int, str, str]] = {
    # Which of its turns breaks off, the answer, and what is noted.
    "answering": (0, "All together.", "b_fast has failed"),
    "reviewing": (1, "All together.", "b_fast has failed"),
    "refining": (2, "All together.", "B stays with its first answer."),
    "putting together": (3, "All together.", "b_fast has failed"),
}


@pytest.mark.parametrize("case", DEATHS)
async def test_a_member_dies_in_a_round(case: str) -> None:
    """Named, so that nobody else may come in: the answer is there all the same, and a note."""
    at, answer, note = DEATHS[case]
    lives = council_of()["b_fast"][0]
    parts = council_of(b_fast=[lives] * at + [DIES])
    found = await played("council", parts, named=[candidate(name) for name in NAMES])
    assert found.answer == answer
    assert any(note in each for each in found.notes), found.notes
    assert any("nobody takes its place" in each for each in found.notes)
    failed = [turn for turn in found.record.turns if turn.error]
    assert failed and {turn.member for turn in failed} == {"B"}
    if case == "putting together":
        assert found.line.endswith("(B:synthesis) (B:synthesis) A:synthesis")


@pytest.mark.parametrize("case", DEATHS)
async def test_another_takes_the_place_in_any_round(case: str) -> None:
    at, answer, _ = DEATHS[case]
    lives = council_of()["b_fast"][0]
    parts = {**council_of(b_fast=[lives] * at + [DIES]), "d_fast": council_of()["b_fast"]}
    found = await played("council", parts)
    assert found.answer == answer
    assert [note for note in found.notes if "d_fast takes its place" in note]
    later = [turn.model for turn in found.record.turns if turn.member == "B"]
    assert later[at] == "b_fast" and set(later[at + 1 :]) == {"d_fast"}


async def test_two_of_three_die() -> None:
    """The only answer is the council's."""
    found = await played("council", council_of(a_fast=DIES, c_fast=DIES), named=[candidate(n) for n in NAMES])
    assert found.answer == "Bee"
    assert found.notes[-1] == "Only one member has answered, so that its answer is the council's."
    assert found.record.agreements == []


async def test_all_die() -> None:
    with pytest.raises(NoAnswer):
        await played("council", dict.fromkeys(NAMES, [DIES]))


async def test_nobody_can_put_it_together() -> None:
    """The strongest member's refined answer is the council's."""

    def part(name: str) -> list[Part]:
        inner = council_of()[name][0]
        return [lambda order: [LOST] if "Expert 1" in order.messages[-1].content else inner(order)]

    found = await played("council", {name: part(name) for name in NAMES})
    assert found.answer == "Bee Anew."
    assert found.notes[-1] == "Nobody could put the answers together: this is the strongest one."


async def test_reviews_that_say_nothing() -> None:
    """Then the strongest by tier and size puts it together."""

    def mumbles(first: str) -> list[Part]:
        inner = answers(first=first)
        return [lambda order: "Hm." if "response_format" in order.options else inner(order)]

    parts = {
        "a_fast": mumbles("Ay"),
        "b_powerful": mumbles("Bee"),
        "c_fast": mumbles("Sea"),
    }
    found = await played("council", parts)
    assert len([note for note in found.notes if "no scores that can be read" in note]) == 3
    assert [each.score for each in found.record.ranking] == [None] * 3
    assert found.record.turns[-1].model == "b_powerful"
    assert found.record.agreements[-1].concordance is None


async def test_one_model_is_a_council_too() -> None:
    """It says so, and each member is sampled in its own way."""
    parts = {"a_fast": [answers(first="Ay", scores={"Ay": 5})]}
    found = await played("council", parts)
    assert "a_fast speaks for several" in found.notes[0]
    answered = found.asker.asked[:3]
    assert [asked.order.options for asked in answered] == [
        {"seed": 1, "temperature": 0.7},
        {"seed": 2, "temperature": 1.0},
        {"seed": 3, "temperature": 0.4},
    ]
    assert found.answer == "All together."


async def test_what_others_say_is_cut_to_a_members_context() -> None:
    long = "The river runs down to the sea. " * 200
    parts: dict[str, list[Part]] = {name: [says("Short.")] for name in NAMES} | {"b_fast": [says(long)]}
    pool = [candidate("a_fast", context_tokens=1024), candidate("b_fast"), candidate("c_fast")]
    found = await played("council", parts, candidates=pool)
    assert any(note.startswith("To fit into the context of a_fast: Answer ") for note in found.notes)
    assert found.answer is not None


async def test_when_time_is_over_the_best_so_far_is_the_answer() -> None:
    """Whoever has not answered by then is left out, and nothing more is asked."""
    gate = asyncio.Event()
    parts = council_of(c_fast=says("So ", gate))
    began = time.monotonic()
    found = await played("council", parts, deadline_seconds=0.2)
    assert time.monotonic() - began < 1
    assert found.answer == "Ay"
    assert found.notes == [
        "c_fast has failed (its time is over: all may take 0.2 s); nobody takes its place.",
        "The time for all of it (0.2 s) is over: nobody is asked any more.",
        "Nobody could put the answers together: this is the strongest one.",
    ]
    assert [asked.model for asked in found.asker.asked] == list(NAMES)
