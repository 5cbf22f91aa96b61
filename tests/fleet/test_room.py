"""What is free, whether a start fits, and what a refusal says: tables, without an event loop."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_engine.fleet.eviction import Occupant
from synapse_engine.fleet.placement import Placement
from synapse_engine.fleet.room import (
    GPU_MARGIN_BYTES,
    Holding,
    Space,
    explain_refusal,
    grant_cache,
    plan_admission,
    plan_spaces,
    plan_wait,
)
from synapse_engine.launch.base import RAM, Device

MB = 1_000_000
GIB = 1 << 30


def ram(total: int, free: int) -> Device:
    return Device(name=RAM, kind="ram", total_bytes=total, free_bytes=free)


def gpu(total: int, free: int, **facts: Any) -> Device:
    return Device(
        name="CUDA0",
        kind="gpu",
        total_bytes=total + GPU_MARGIN_BYTES,
        free_bytes=free + GPU_MARGIN_BYTES,
        **facts,
    )


def space(free: int, name: str = RAM, limit: int | None = None) -> Space:
    return Space(
        name=name,
        kind="ram" if name == RAM else "gpu",
        total_bytes=1000 * MB,
        limit_bytes=1000 * MB if limit is None else limit,
        reserved_bytes=0,
        free_bytes=free,
    )


def taking(size: int) -> Holding:
    return Holding({RAM: size}, size)


FREE: dict[str, tuple[Device, int | None, list[Holding], int]] = {
    "less a tenth": (ram(1000, 1000), None, [], 900),
    "what the person said": (ram(1000, 1000), 500, [], 500),
    "beside one that has taken all of it": (ram(1000, 1000), 500, [taking(200)], 300),
    "beside one that has taken nothing yet": (ram(1000, 1000), 500, [Holding({RAM: 200}, 0)], 300),
    "beside one that took more than reserved": (ram(1000, 1000), 500, [Holding({RAM: 200}, 350)], 150),
    "no more than the machine has": (ram(1000, 100), 500, [], 100),
    "the machine has it, but it is promised": (ram(1000, 400), 900, [Holding({RAM: 300}, 100)], 200),
    "never less than nothing": (ram(1000, 10), 100, [taking(200)], 0),
    "a GPU, without its margin": (gpu(800, 700), None, [], 700),
    "a GPU that a server has taken": (gpu(800, 500), None, [Holding({"CUDA0": 300}, 1)], 500),
    "a GPU that one is about to take": (gpu(800, 800), None, [Holding({"CUDA0": 300}, 0)], 500),
}


@pytest.mark.parametrize("case", FREE)
def test_free(case: str) -> None:
    device, limit, holdings, expected = FREE[case]
    (found,) = plan_spaces([device], limit, holdings)
    assert found.free_bytes == expected


def test_memory_that_a_gpu_shares_is_counted_once() -> None:
    spaces = plan_spaces([ram(1000, 1000), gpu(800, 800, shares_ram=True)], None, [])
    assert [found.name for found in spaces] == [RAM]


def idle(model_id: str, size: int, **facts: Any) -> Occupant:
    return Occupant(server_id=model_id, model_id=model_id, taken={RAM: size}, **facts)


def test_it_fits() -> None:
    verdict = plan_admission([Placement({RAM: 10})], [space(10)], [idle("a", 5)], may_evict=True)
    assert (verdict.fits, verdict.evicts) == (True, ())


def test_it_fits_once_another_has_stopped() -> None:
    verdict = plan_admission([Placement({RAM: 12})], [space(10)], [idle("a", 5)], may_evict=True)
    assert (verdict.fits, verdict.evicts, verdict.short) == (True, ("a",), {})


def test_nobody_stops_where_that_is_not_allowed() -> None:
    verdict = plan_admission([Placement({RAM: 12})], [space(10)], [idle("a", 5)], may_evict=False)
    assert (verdict.fits, verdict.evicts, verdict.short) == (False, (), {RAM: 2})


def test_after_memory_ran_out_somebody_stops_though_it_seems_to_fit() -> None:
    placements, spaces = [Placement({RAM: 5})], [space(10)]
    asked = plan_admission(placements, spaces, [idle("a", 5)], may_evict=True, must_evict=True)
    assert (asked.fits, asked.evicts) == (True, ("a",))
    nobody = plan_admission(placements, spaces, [], may_evict=True, must_evict=True)
    assert (nobody.fits, nobody.evicts) == (True, ())


def test_those_that_are_leaving_are_waited_for() -> None:
    occupants = [idle("a", 5), idle("b", 2, is_idle=False, is_leaving=True)]
    enough = plan_admission([Placement({RAM: 12})], [space(10)], occupants, may_evict=False)
    assert (enough.fits, enough.evicts, enough.awaits) == (True, (), ("b",))
    more = plan_admission([Placement({RAM: 17})], [space(10)], occupants, may_evict=True)
    assert (more.fits, more.evicts, more.awaits) == (True, ("a",), ("b",))
    assert not plan_admission([Placement({RAM: 17})], [space(10)], occupants, may_evict=False).fits


FULL = Placement({RAM: 1, "CUDA0": 10})
SMALLER = Placement({RAM: 6, "CUDA0": 5}, "smaller")


def on_gpu(size: int) -> Occupant:
    return Occupant(server_id="other", model_id="other", taken={"CUDA0": size})


PLACED: dict[str, tuple[int, int, list[Occupant], Placement, bool, tuple[str, ...]]] = {
    "all on the GPU": (10, 10, [], FULL, True, ()),
    "all on the GPU after another has stopped": (10, 5, [on_gpu(5)], FULL, True, ("other",)),
    "a smaller one before a refusal": (10, 5, [], SMALLER, True, ()),
    "a smaller one after another has stopped": (10, 2, [on_gpu(4)], SMALLER, True, ("other",)),
    "none": (5, 5, [], SMALLER, False, ()),
}


@pytest.mark.parametrize("case", PLACED)
def test_the_best_placement(case: str) -> None:
    ram_free, gpu_free, occupants, expected, fits, evicts = PLACED[case]
    spaces = [space(ram_free), space(gpu_free, "CUDA0")]
    verdict = plan_admission([FULL, SMALLER], spaces, occupants, may_evict=True)
    assert (verdict.placement, verdict.fits, verdict.evicts) == (expected, fits, evicts)


def busy(model_id: str, size: int, **facts: Any) -> Occupant:
    return idle(model_id, size, **{"is_idle": False} | facts)


WAITS: dict[str, tuple[list[Occupant], tuple[str, ...]]] = {
    "it fits when an idle one stops": ([idle("a", 5), busy("b", 5)], ()),
    "a busy one": ([busy("b", 5)], ("b",)),
    "one that has just come": ([idle("a", 5, is_protected=True, up_seconds=1.0)], ("a",)),
    "a pinned one never": ([busy("a", 5, is_pinned=True)], ()),
    "an idle pinned one never": ([idle("a", 5, is_pinned=True)], ()),
    "a person's never": ([busy("a", 5, by_hand=True)], ()),
    "too small": ([busy("a", 4)], ()),
    "beside an idle one that helps": ([idle("a", 3), busy("b", 3)], ("b",)),
    "the cheapest to reload": ([busy("a", 5, reload_bytes=9), busy("b", 5, reload_bytes=1)], ("b",)),
    "as few as it takes": ([busy("a", 3), busy("b", 5, reload_bytes=1)], ("b",)),
    "several": ([busy("a", 3), busy("b", 3)], ("a", "b")),
    "long idle before it came into use": ([busy("a", 5, idle_seconds=999.0)], ("a",)),
}


@pytest.mark.parametrize("case", WAITS)
def test_who_has_to_finish(case: str) -> None:
    occupants, expected = WAITS[case]
    assert plan_wait([Placement({RAM: 15})], [space(10)], occupants) == expected


def test_nobody_has_to_finish_where_it_fits() -> None:
    assert plan_wait([Placement({RAM: 10})], [space(10)], [busy("a", 5)]) == ()


REFUSALS: dict[str, tuple[int, list[Occupant], str]] = {
    "who would have to stop": (
        700,
        [idle("a", 300 * MB, is_idle=False)],
        "To free enough, a would have to stop",
    ),
    "idle ones first": (
        700,
        [
            idle("busy", 300 * MB, is_idle=False),
            idle("pinned", 300 * MB, is_pinned=True),
            idle("a", 300 * MB),
        ],
        "To free enough, a would have to stop",
    ),
    "larger than all": (2000, [idle("a", 300 * MB)], "All servers together may have 1000 MB of RAM"),
    "no server's fault": (700, [], "Other programs hold the rest"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_what_to_do(case: str) -> None:
    size, occupants, expected = REFUSALS[case]
    spaces = [space(500 * MB)]
    verdict = plan_admission([Placement({RAM: size * MB})], spaces, occupants, may_evict=False)
    text = explain_refusal(verdict, spaces, occupants)
    assert text == (
        f"It needs {size} MB of RAM, and 500 MB are free. {expected}. force=true starts it anyway."
    )


GRANTS = {
    "at most 2 GiB": (space(60 * GIB, limit=64 * GIB), 0, 0, 2 * GIB),
    "half of a tenth of the limit": (space(20 * GIB, limit=20 * GIB), 0, 0, GIB),
    "half of what others have left of it": (space(20 * GIB, limit=20 * GIB), 0, GIB, GIB // 2),
    "half of what is free beside the model": (space(3 * GIB, limit=40 * GIB), 2 * GIB, 0, GIB // 2),
    "whole MiB": (space(20 * GIB, limit=20 * GIB + 999), 0, 0, GIB),
    "none where nothing is left": (space(GIB, limit=20 * GIB), GIB, 0, 0),
    "none where a start was forced": (space(0, limit=20 * GIB), GIB, 0, 0),
    "none where others have all": (space(20 * GIB, limit=20 * GIB), 0, 3 * GIB, 0),
}


@pytest.mark.parametrize("case", GRANTS)
def test_a_prompt_cache_is_cut_from_what_is_left_over(case: str) -> None:
    free, need, given, expected = GRANTS[case]
    assert grant_cache(free, need, given) == expected
