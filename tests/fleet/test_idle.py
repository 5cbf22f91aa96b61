"""Models that stop by themselves: after a while without a request, and when they are unloaded."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.rig import Clock, Rig, open_rig, until
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.errors import NotRunning, StartCancelled
from synapse_engine.fleet.idle import Resting, idle_limit_seconds
from synapse_engine.fleet.restarts import RestartLimits
from synapse_engine.fleet.state import State

DEFAULT = 1800.0
NOTHING_SAID: dict[str, Any] = {"by_hand": False, "own_limit_seconds": None, "keep_alive_seconds": None}
LIMITS: dict[str, tuple[dict[str, Any], float]] = {
    "what a request started": ({}, DEFAULT),
    "what a person started": ({"by_hand": True}, math.inf),
    "its own limit": ({"own_limit_seconds": 5.0}, 5.0),
    "its own limit, though a person started it": ({"own_limit_seconds": 5.0, "by_hand": True}, 5.0),
    "its own never": ({"own_limit_seconds": 0.0}, math.inf),
    "a request's word": ({"keep_alive_seconds": 5.0}, 5.0),
    "a request's word for a while longer": ({"keep_alive_seconds": 9000.0}, 9000.0),
    "a request's for ever": ({"keep_alive_seconds": math.inf}, math.inf),
    "a request's not at all": ({"keep_alive_seconds": 0.0}, 0.0),
    "a request's word before its own limit": ({"keep_alive_seconds": 5.0, "own_limit_seconds": 9.0}, 5.0),
    "a request's word is none about a person's": ({"keep_alive_seconds": 5.0, "by_hand": True}, math.inf),
    "but where it has a limit of its own": (
        {"keep_alive_seconds": 5.0, "by_hand": True, "own_limit_seconds": 9.0},
        5.0,
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_how_long_it_may_be_idle(case: str) -> None:
    facts, expected = LIMITS[case]
    resting = Resting(model_id="alpha", idle_seconds=0.0, **NOTHING_SAID | facts)
    assert idle_limit_seconds(resting, DEFAULT) == expected


def test_zero_is_never() -> None:
    assert idle_limit_seconds(Resting(model_id="a", idle_seconds=0.0, **NOTHING_SAID), 0.0) == math.inf


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def aging(tmp_path: Path, engine: Path, stage: Stage, ports: range, clock: Clock) -> AsyncIterator[Rig]:
    """A fleet whose idle servers stop after `DEFAULT` of the clock's seconds."""
    async with open_rig(tmp_path, engine, stage, ports, idle_stop_seconds=DEFAULT, clock=clock) as rig:
        yield rig


async def by_request(rig: Rig, model_id: str = "alpha") -> str:
    await rig.add(model_id)
    await rig.fleet.start(model_id, by_request=True)
    return model_id


def has_stopped(rig: Rig, model_id: str) -> bool:
    return rig.server(model_id).state is State.STOPPED


async def stopped_by_a_look(rig: Rig) -> bool:
    stops = rig.fleet.idle_stops.look()
    await asyncio.gather(*stops)
    return bool(stops)


async def test_an_idle_one_stops_and_says_why(
    aging: Rig, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model_id = await by_request(aging)
    clock.advance(DEFAULT - 1)
    assert not await stopped_by_a_look(aging)
    clock.advance(1)
    assert await stopped_by_a_look(aging)
    server = aging.server(model_id)
    assert (server.state, server.failure) == (State.STOPPED, None)
    assert not aging.registry.get(model_id).choices.held
    assert "alpha stops: it was idle for 1800 s" in caplog.text


async def test_a_used_one_stays_and_counts_from_its_last_request(aging: Rig, clock: Clock) -> None:
    model_id = await by_request(aging)
    with aging.fleet.lease(model_id):
        clock.advance(2 * DEFAULT)
        assert not await stopped_by_a_look(aging)
    clock.advance(DEFAULT - 1)
    assert not await stopped_by_a_look(aging)
    clock.advance(1)
    assert await stopped_by_a_look(aging)


async def test_a_persons_stays(aging: Rig, clock: Clock) -> None:
    await aging.add("alpha")
    await aging.fleet.start("alpha")
    await by_request(aging, "beta")
    await aging.fleet.start("beta")
    clock.advance(100 * DEFAULT)
    assert not await stopped_by_a_look(aging)


async def test_a_limit_of_its_own_goes_for_a_persons_too(aging: Rig, clock: Clock) -> None:
    await aging.add("alpha")
    await aging.choose("alpha", settings={"idle_stop_seconds": 60.0})
    await aging.fleet.start("alpha")
    assert not aging.fleet.restart_required(aging.registry.get("alpha"))
    clock.advance(60)
    assert await stopped_by_a_look(aging)


async def test_a_request_says_how_long_it_is_kept(aging: Rig, clock: Clock) -> None:
    model_id = await by_request(aging)
    aging.fleet.keep_alive(model_id, math.inf)
    clock.advance(100 * DEFAULT)
    assert not await stopped_by_a_look(aging)
    aging.fleet.keep_alive(model_id, None)
    assert await stopped_by_a_look(aging)


async def test_what_a_request_said_ends_with_the_server(aging: Rig, clock: Clock) -> None:
    model_id = await by_request(aging)
    aging.fleet.keep_alive(model_id, 0.0)
    assert await stopped_by_a_look(aging)
    await aging.fleet.start(model_id, by_request=True)
    assert not await stopped_by_a_look(aging)
    aging.fleet.keep_alive("unheard of", 5.0)


async def test_once_it_is_decided_nobody_is_let_in_and_the_next_start_waits(aging: Rig, clock: Clock) -> None:
    model_id = await by_request(aging)
    clock.advance(DEFAULT)
    stops = aging.fleet.idle_stops.look()
    with pytest.raises(NotRunning, match="It is stopping"):
        aging.fleet.lease(model_id)
    again = aging.fleet.start(model_id, by_request=True)
    _, started = await asyncio.gather(asyncio.gather(*stops), again)
    assert not started.was_running
    with aging.fleet.lease(model_id):
        assert not await stopped_by_a_look(aging)


@pytest.mark.parametrize("by_hand", [True, False])
async def test_whose_it_is_outlasts_the_control_plane(
    tmp_path: Path, engine: Path, stage: Stage, ports: range, clock: Clock, by_hand: bool
) -> None:
    async with open_rig(tmp_path, engine, stage, ports) as first:
        model_id = await by_request(first)
        if by_hand:
            await first.fleet.start(model_id)
        await first.fleet.let_go(0.0)
        async with open_rig(tmp_path, engine, stage, ports, idle_stop_seconds=DEFAULT, clock=clock) as second:
            await second.fleet.adopt()
            clock.advance(DEFAULT)
            assert await stopped_by_a_look(second) == (not by_hand)


async def test_a_restart_after_a_crash_leaves_it_the_persons(
    tmp_path: Path, engine: Path, stage: Stage, ports: range, clock: Clock
) -> None:
    limits = RestartLimits(first_delay_seconds=0.01)
    rigging = open_rig(
        tmp_path, engine, stage, ports, restart_limits=limits, idle_stop_seconds=DEFAULT, clock=clock
    )
    async with rigging as rig:
        model_id = await by_request(rig)
        await rig.fleet.start(model_id)
        (await rig.enter(model_id)).die(1)
        await rig.enter(model_id)
        await until(lambda: rig.server(model_id).state is State.READY)
        clock.advance(DEFAULT)
        assert not await stopped_by_a_look(rig)


async def test_it_looks_again_and_again(aging: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synapse_engine.fleet.idle.LOOK_SECONDS", 0.001)
    watching = asyncio.create_task(aging.fleet.idle_stops.watch())
    for model_id in (await by_request(aging, "alpha"), await by_request(aging, "beta")):
        clock.advance(DEFAULT)
        await until(partial(has_stopped, aging, model_id))
    watching.cancel()
    await asyncio.wait({watching})


async def test_an_unloaded_one_may_be_started_by_a_request(rig: Rig) -> None:
    await rig.add("alpha")
    assert not (await rig.fleet.unload("alpha")).was_active
    await rig.fleet.start("alpha")
    assert (await rig.fleet.unload("alpha")).was_active
    assert rig.server("alpha").state is State.STOPPED
    assert not rig.registry.get("alpha").choices.held


async def test_an_unloading_waits_for_running_requests_and_a_start_for_the_unloading(rig: Rig) -> None:
    await rig.add("alpha")
    await rig.fleet.start("alpha")
    actor = await rig.enter("alpha")
    with rig.fleet.lease("alpha"):
        unload = asyncio.create_task(rig.fleet.unload("alpha"))
        await until(lambda: rig.server("alpha").state is State.STOPPING)
        start = asyncio.create_task(rig.fleet.start("alpha", by_request=True))
        joined = asyncio.create_task(rig.fleet.unload("alpha"))
        await asyncio.wait({start, joined}, timeout=0.05)
        assert actor.count("sigterm") == 0
    assert (await unload).was_active
    assert not (await start).was_running
    await joined
    assert rig.server("alpha").state is State.READY


async def test_an_unloading_cancels_a_start(rig: Rig) -> None:
    await rig.add("alpha", Behaviour(loads_when_told=True))
    start = asyncio.create_task(rig.fleet.start("alpha"))
    await rig.enter("alpha")
    await rig.fleet.unload("alpha")
    with pytest.raises(StartCancelled):
        await start


async def test_an_unloading_leaves_a_failure_to_be_read(rig: Rig) -> None:
    await rig.add("alpha", Behaviour(exit_code=1))
    await asyncio.wait({asyncio.create_task(rig.fleet.start("alpha"))})
    assert not (await rig.fleet.unload("alpha")).was_active
    assert rig.server("alpha").failure is not None
