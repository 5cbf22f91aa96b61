"""Which port a server gets."""

from __future__ import annotations

import pytest

from synapse_engine.errors import NoFreePort
from synapse_engine.fleet.ports import Holding, plan_port

RANGE = range(8080, 8083)


def held(
    model_id: str, port: int, *, pinned: bool = False, active: bool = False, started: float | None = None
) -> Holding:
    return Holding(model_id, port, pinned, active, started)


CASES = {
    "the lowest free on first need": ([], [], 8080),
    "the next where the first is held": ([held("a", 8080)], [], 8081),
    "a gap is filled": ([held("a", 8080), held("b", 8082)], [], 8081),
    "its own is kept": ([held("me", 8082)], [], 8082),
    "its own is kept while others are free": ([held("a", 8080), held("me", 8081)], [], 8081),
    "a busy one of its own is left": ([held("me", 8080)], [8080], 8081),
    "one out of a changed range is left": ([held("me", 9000)], [], 8080),
    "a pinned one is kept outside the range": ([held("me", 9000, pinned=True)], [], 9000),
    "a pinned one is kept even where busy": ([held("me", 8081, pinned=True)], [8081], 8081),
    "a busy free one is passed over": ([], [8080, 8081], 8082),
    "the one unused longest is taken over": (
        [held("a", 8080, started=30), held("b", 8081, started=10), held("c", 8082, started=20)],
        [],
        8081,
    ),
    "one that never ran is taken over first": (
        [held("a", 8080, started=30), held("b", 8081, started=10), held("c", 8082)],
        [],
        8082,
    ),
    "the lowest of those alike is taken over": ([held(f"m{port}", port) for port in RANGE], [], 8080),
    "an active one is not taken over": (
        [held("a", 8080, active=True), held("b", 8081, started=5), held("c", 8082, active=True)],
        [],
        8081,
    ),
    "a pinned one is not taken over": (
        [held("a", 8080, pinned=True), held("b", 8081, pinned=True), held("c", 8082, started=5)],
        [],
        8082,
    ),
    "a busy one is not taken over": (
        [held("a", 8080, started=1), held("b", 8081, started=2), held("c", 8082, started=3)],
        [8080],
        8081,
    ),
    "its own out of range leaves takeover to others": (
        [held("me", 9000), held("a", 8080, started=2), held("b", 8081, started=1), held("c", 8082)],
        [],
        8082,
    ),
    "another's pin on its own moves it on": (
        [held("me", 8080), held("a", 8080, pinned=True)],
        [],
        8081,
    ),
    "in whichever order they come": ([held("a", 8080, pinned=True), held("me", 8080)], [], 8081),
    "a running other on its own moves it on": (
        [held("a", 8080, active=True), held("me", 8080)],
        [],
        8081,
    ),
    "a stopped other on its own does not": ([held("a", 8080), held("me", 8080)], [], 8080),
    "its pin wins over another's automatic one": (
        [held("a", 8080, active=True), held("me", 8080, pinned=True)],
        [],
        8080,
    ),
    "a port that is pinned and kept is never taken over": (
        [
            held("a", 8080, pinned=True),
            held("b", 8080, started=1),
            held("c", 8081, started=3),
            held("d", 8082, started=2),
        ],
        [],
        8082,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_plan(case: str) -> None:
    holdings, busy, port = CASES[case]
    assert plan_port("me", holdings, RANGE, busy) == port


NONE_FREE = {
    "all active": ([held(f"m{port}", port, active=True) for port in RANGE], []),
    "all pinned": ([held(f"m{port}", port, pinned=True) for port in RANGE], []),
    "all busy": ([], list(RANGE)),
    "its own the only takeable, and busy": (
        [held("me", 8080), held("a", 8081, active=True), held("b", 8082, active=True)],
        [8080],
    ),
}


@pytest.mark.parametrize("case", NONE_FREE)
def test_none_free(case: str) -> None:
    holdings, busy = NONE_FREE[case]
    with pytest.raises(NoFreePort) as raised:
        plan_port("me", holdings, RANGE, busy)
    assert raised.value.detail == "No free port in 8080-8082"
