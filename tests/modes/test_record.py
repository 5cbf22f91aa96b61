"""A record is the sum of its steps."""

from __future__ import annotations

import pytest
from tests.fakes.asker import figures, says
from tests.fakes.playing import BEGAN_AT, played

from synapse_engine.modes.record import busy_seconds, record_of, summed
from synapse_engine.modes.steps import KINDS, Begun, Done, Note, Said, Step, Text, Turn, Usage

BEGUN = Begun(7, "simple", "Why?", BEGAN_AT, ["a_fast"], {"seed": 1}, [])
TURN = Turn(1, "A", "answer", 1, "a_fast", [], [], True, 0.5)


def test_as_far_as_it_has_come() -> None:
    record = record_of([BEGUN, TURN, Text(1, "It ", "Hm."), Text(1, "is")])
    assert (record.id, record.query, record.models, record.status) == (7, "Why?", ["a_fast"], "running")
    (turn,) = record.turns
    assert (turn.text, turn.thinking, turn.ended_seconds, turn.began_seconds) == ("It is", "Hm.", None, 0.5)


def test_pieces_of_texts_are_not_needed() -> None:
    """They are not kept: the turn's end has them all."""
    said = Said(1, "It is.", "Hm.", figures("a_fast", 2, 1.0, 0.5), None, 2.0)
    done = Done("done", None, Usage(10, 0, 2), 2.5, 1.5)
    steps: list[Step] = [BEGUN, TURN, Text(1, "It "), Text(1, "is.", "Hm."), Note("n", 1), said, done]
    record = record_of(steps)
    assert record == record_of([step for step in steps if not isinstance(step, Text)])
    assert (record.status, record.total_seconds, record.usage.output_tokens) == ("done", 2.5, 2)
    assert record.turns[0].ended_seconds == 2.0


async def test_every_kind_of_step_has_a_name_and_a_place() -> None:
    """Played, a council and a debate have all of them but the first and the last, and auto's choice."""
    council = await played("council", {"a_fast": [says('{"P": 1, "Q": 2} and some words')]})
    debate = await played("debate", {"a_fast": [says("No.")]})
    auto = await played("auto", {"a_fast": [says("No.")]})
    kinds = {type(step) for found in (council, debate, auto) for step in found.steps}
    assert kinds == KINDS.keys() - {Done}
    assert len(set(KINDS.values())) == len(KINDS)
    assert (
        auto.record.choice and council.record.reviews and council.record.agreements and debate.record.ending
    )


def test_tokens_are_summed_as_far_as_they_are_known() -> None:
    assert summed([figures("a", 2, 1.0, None), None, figures("b", 3, 1.0, None)]) == Usage(20, 0, 5)


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0.0),
        ([(0.0, 1.0)], 1.0),
        ([(0.0, 1.0), (2.0, 3.5)], 2.5),
        ([(0.0, 2.0), (1.0, 3.0), (1.5, 1.6)], 3.0),
        ([(2.0, 3.0), (0.0, 1.0)], 2.0),
    ],
)
def test_how_long_anybody_was_asked(spans: list[tuple[float, float]], seconds: float) -> None:
    assert busy_seconds(spans) == pytest.approx(seconds)
