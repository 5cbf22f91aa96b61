"""Every (state, event) pair."""

from __future__ import annotations

import itertools

import pytest

from synapse_engine.fleet.state import Event, IllegalTransition, State, next_state, transition_table

# One row per state; the columns are in the order of COLUMNS. A dash raises.
TABLE = """
stopped  | queued | -        | -     | -      | -       | -        | starting | -        | -
queued   | -      | starting | -     | failed | -       | -        | -        | stopping | -
starting | -      | -        | ready | failed | backoff | -        | -        | stopping | -
ready    | -      | -        | -     | failed | backoff | -        | -        | stopping | -
backoff  | -      | -        | -     | failed | -       | starting | -        | stopping | -
stopping | -      | -        | -     | -      | -       | -        | -        | -        | stopped
failed   | queued | -        | -     | -      | -       | -        | -        | stopped  | -
"""
COLUMNS = (
    Event.ENQUEUE,
    Event.ADMIT,
    Event.HEALTHY,
    Event.FAIL,
    Event.CRASH,
    Event.RETRY,
    Event.ADOPT,
    Event.STOP,
    Event.GONE,
)


def rows() -> dict[tuple[State, Event], State | None]:
    cells = {}
    for line in TABLE.strip().splitlines():
        state, *targets = (cell.strip() for cell in line.split("|"))
        for event, target in zip(COLUMNS, targets, strict=True):
            cells[State(state), event] = None if target == "-" else State(target)
    return cells


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair(state: State, event: Event) -> None:
    target = rows()[state, event]
    if target is None:
        with pytest.raises(IllegalTransition, match=f"{event} cannot happen to a server that is {state}"):
            next_state(state, event)
    else:
        assert next_state(state, event) is target


def test_the_documented_table_has_every_state_and_event() -> None:
    head, rule, *body = transition_table().splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")] == ["state", *Event]
    assert len(rule.strip("|").split("|")) == len(Event) + 1
    assert [line.split("**")[1] for line in body] == list(State)
    assert "| **starting** |  |  | ready | failed | backoff |  |  | stopping |  |" in body
