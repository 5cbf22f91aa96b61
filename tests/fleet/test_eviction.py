"""Who stops for another: every rule, without an event loop."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_engine.catalog.model import Kind
from synapse_engine.fleet.eviction import Occupant, has_just_come, plan_eviction
from synapse_engine.launch.base import RAM


def one(model_id: str, size: int = 10, **facts: Any) -> Occupant:
    given: dict[str, Any] = {
        "taken": {RAM: size},
        "idle_seconds": 60.0,
    }
    return Occupant(server_id=model_id, model_id=model_id, **given | facts)


HOUR = 3600.0
CASES: dict[str, tuple[int, list[Occupant], tuple[str, ...] | None]] = {
    "nobody there": (1, [], None),
    "an idle one": (10, [one("a")], ("a",)),
    "too small": (11, [one("a")], None),
    "a busy one never": (1, [one("a", is_idle=False)], None),
    "a pinned one never": (1, [one("a", is_pinned=True, idle_seconds=HOUR)], None),
    "one of the same start-all never": (1, [one("a", is_protected=True)], None),
    "a hand-started one, just used": (1, [one("a", by_hand=True, idle_seconds=599)], None),
    "a hand-started one after ten minutes": (1, [one("a", by_hand=True, idle_seconds=600)], ("a",)),
    "request-started before hand-started": (
        10,
        [one("hand", by_hand=True, idle_seconds=HOUR), one("request", idle_seconds=1)],
        ("request",),
    ),
    "chat before embedding": (
        10,
        [one("embed", kind=Kind.EMBEDDING, idle_seconds=HOUR), one("chat", idle_seconds=1)],
        ("chat",),
    ),
    "a hand-started chat before a reranker": (
        10,
        [one("rank", kind=Kind.RERANKING), one("chat", by_hand=True, idle_seconds=HOUR)],
        ("chat",),
    ),
    "embedding where nothing else helps": (
        20,
        [one("embed", kind=Kind.EMBEDDING), one("chat")],
        ("chat", "embed"),
    ),
    "the longest idle": (10, [one("new", idle_seconds=60), one("old", idle_seconds=600)], ("old",)),
    "within a minute the cheapest to reload": (
        10,
        [one("dear", reload_bytes=9, idle_seconds=119), one("cheap", reload_bytes=1, idle_seconds=60)],
        ("cheap",),
    ),
    "as many as it takes": (25, [one("a"), one("b"), one("c"), one("d")], ("a", "b", "c")),
    "nobody in vain": (
        50,
        [one("small", idle_seconds=HOUR), one("large", 50, idle_seconds=60)],
        ("large",),
    ),
    "one that is leaving, whatever it is": (
        10,
        [
            one("a", idle_seconds=HOUR),
            one("b", is_idle=False, is_pinned=True, is_protected=True, is_leaving=True, kind=Kind.EMBEDDING),
        ],
        ("b",),
    ),
    "nobody at all where it is not enough": (50, [one("a"), one("b")], None),
}


@pytest.mark.parametrize("case", CASES)
def test_who_stops(case: str) -> None:
    short, occupants, expected = CASES[case]
    assert plan_eviction({RAM: short}, occupants) == expected
    assert plan_eviction({RAM: short}, occupants[::-1]) == expected


JUST_COME: dict[str, tuple[dict[str, Any], bool]] = {
    "in use since it came": ({"up_seconds": 9.9, "is_idle": False, "idle_seconds": 0.0}, True),
    "between two requests": ({"up_seconds": 9.9, "idle_seconds": 0.9}, True),
    "nobody wants it": ({"up_seconds": 9.9, "idle_seconds": 1.0}, False),
    "there for a while": ({"up_seconds": 10.0, "idle_seconds": 0.0}, False),
    "a person's": ({"up_seconds": 0.0, "idle_seconds": 0.0, "by_hand": True}, False),
}


@pytest.mark.parametrize("case", JUST_COME)
def test_who_has_just_come(case: str) -> None:
    facts, expected = JUST_COME[case]
    assert has_just_come(one("a", **facts)) == expected


def test_only_those_on_the_device_that_is_short() -> None:
    there = one("there", taken={"CUDA0": 10}, idle_seconds=1)
    elsewhere = one("elsewhere", taken={"CUDA1": 10}, idle_seconds=HOUR)
    assert plan_eviction({"CUDA0": 5}, [elsewhere, there]) == ("there",)


def test_several_devices_short_at_once() -> None:
    ram, gpu = one("ram"), one("gpu", taken={"CUDA0": 10})
    both = one("both", taken={RAM: 10, "CUDA0": 10}, idle_seconds=1)
    assert plan_eviction({RAM: 5, "CUDA0": 5}, [ram, gpu]) == ("gpu", "ram")
    assert plan_eviction({RAM: 5, "CUDA0": 15}, [ram, gpu, both]) == ("gpu", "both")


def test_nothing_short_is_nobody() -> None:
    assert plan_eviction({}, [one("a")]) == ()
