"""Stopping: in every state, with and without requests, and against resistance."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.fakes.rig import LIMITS, Rig, is_alive, open_rig, until
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.errors import NotRunning, StartCancelled
from synapse_engine.fleet.state import State


async def test_a_running_one_is_gone_when_the_stop_answers(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    stopped = await rig.fleet.stop(model_id)
    assert stopped.was_active
    assert 0 < stopped.seconds < 5
    assert not psutil.pid_exists(actor.pid)
    assert actor.count("sigterm") == 1
    server = rig.server(model_id)
    assert (server.state, server.process, server.started_at) == (State.STOPPED, None, None)


@pytest.mark.parametrize("was_started", [True, False])
async def test_one_that_does_not_run_is_no_error(rig: Rig, was_started: bool) -> None:
    model_id = await rig.add("alpha")
    if was_started:
        await rig.fleet.start(model_id)
        await rig.fleet.stop(model_id)
    stopped = await rig.fleet.stop(model_id)
    assert not stopped.was_active


async def test_a_failed_one_becomes_stopped(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(exit_code=1))
    await asyncio.wait({asyncio.create_task(rig.fleet.start(model_id))})
    assert rig.server(model_id).state is State.FAILED
    assert not (await rig.fleet.stop(model_id)).was_active
    assert rig.server(model_id).state is State.STOPPED
    assert rig.server(model_id).failure is None


async def test_a_stop_while_it_loads_cancels_the_start(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(loads_when_told=True))
    starts = [asyncio.create_task(rig.fleet.start(model_id)) for _ in range(2)]
    actor = await rig.enter(model_id)
    await actor.saw("listening")
    assert (await rig.fleet.stop(model_id)).was_active
    assert not psutil.pid_exists(actor.pid)
    for start in starts:
        with pytest.raises(StartCancelled) as raised:
            await start
        assert (raised.value.error, raised.value.status) == ("Start cancelled", 409)
    assert rig.server(model_id).state is State.STOPPED


async def test_a_stop_before_the_spawn_leaves_nothing(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    start = asyncio.create_task(rig.fleet.start(model_id))
    await asyncio.sleep(0)
    assert rig.server(model_id).state is State.QUEUED
    assert (await rig.fleet.stop(model_id)).was_active
    with pytest.raises(StartCancelled):
        await start
    assert rig.spawns(model_id) == 0


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64])
async def test_a_stop_at_any_moment_of_a_start_ends_it(rig: Rig, milliseconds: int) -> None:
    model_id = await rig.add("alpha")
    start = asyncio.create_task(rig.fleet.start(model_id))
    await asyncio.sleep(0)
    await asyncio.sleep(milliseconds / 1000)
    await rig.fleet.stop(model_id)
    (outcome,) = await asyncio.gather(start, return_exceptions=True)
    assert isinstance(outcome, StartCancelled) or not isinstance(outcome, BaseException)
    assert rig.server(model_id).state is State.STOPPED
    assert rig.server(model_id).process is None
    assert not psutil.Process().children()


async def test_a_stop_while_stopping_joins(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(ignores_sigterm=True))
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    stops = [asyncio.create_task(rig.fleet.stop(model_id)) for _ in range(3)]
    await actor.saw("sigterm")
    actor.die(0)
    assert all(stopped.was_active for stopped in await asyncio.gather(*stops))
    assert actor.count("sigterm") == 0


async def test_now_kills_one_that_is_stopping(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(ignores_sigterm=True))
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    stop = asyncio.create_task(rig.fleet.stop(model_id))
    await actor.saw("sigterm")
    assert (await rig.fleet.stop(model_id, now=True)).seconds < 5
    assert (await stop).was_active


async def test_now_waits_neither_for_requests_nor_for_sigterm(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    with rig.fleet.lease(model_id):
        assert (await rig.fleet.stop(model_id, now=True)).seconds < 5
    assert actor.count("sigterm") == 0


async def test_now_cuts_a_drain_short(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    with rig.fleet.lease(model_id):
        stop = asyncio.create_task(rig.fleet.stop(model_id))
        await until(lambda: rig.server(model_id).state is State.STOPPING)
        await rig.fleet.stop(model_id, now=True)
        assert (await stop).was_active


async def test_one_that_ignores_sigterm_is_killed(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    limits = replace(LIMITS, stop_seconds=0.3)
    async with open_rig(tmp_path, engine, stage, ports, limits=limits) as rig:
        model_id = await rig.add("alpha", Behaviour(ignores_sigterm=True))
        await rig.fleet.start(model_id)
        actor = await rig.enter(model_id)
        stopped = await rig.fleet.stop(model_id)
        assert 0.3 <= stopped.seconds < 3
        assert actor.count("sigterm") == 1
        assert not psutil.pid_exists(actor.pid)


async def test_what_a_server_started_ends_with_it(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(leaves_a_child=True))
    await rig.fleet.start(model_id)
    child = (await (await rig.enter(model_id)).saw("child"))["pid"]
    await rig.fleet.stop(model_id)
    await until(lambda: not is_alive(child))


async def test_what_a_crashed_server_started_ends_with_it(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(leaves_a_child=True))
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    child = (await actor.saw("child"))["pid"]
    psutil.Process(actor.pid).kill()
    await until(lambda: not is_alive(child))


async def test_a_stop_waits_for_running_requests(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    first, second = rig.fleet.lease(model_id), rig.fleet.lease(model_id)
    with first:
        with second:
            stop = asyncio.create_task(rig.fleet.stop(model_id))
            await until(lambda: rig.server(model_id).state is State.STOPPING)
            with pytest.raises(NotRunning):
                rig.fleet.lease(model_id)
        await asyncio.wait({stop}, timeout=0.05)
        assert not stop.done()
        assert actor.count("sigterm") == 0
        assert rig.server(model_id).active_requests == 1
    assert (await stop).was_active
    assert rig.server(model_id).active_requests == 0


async def test_it_waits_for_them_only_so_long(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    limits = replace(LIMITS, drain_seconds=0.2)
    async with open_rig(tmp_path, engine, stage, ports, limits=limits) as rig:
        model_id = await rig.add("alpha")
        await rig.fleet.start(model_id)
        with rig.fleet.lease(model_id):
            assert 0.2 <= (await rig.fleet.stop(model_id)).seconds < 3


async def test_a_stop_goes_on_when_its_caller_leaves(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(ignores_sigterm=True))
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    stop = asyncio.create_task(rig.fleet.stop(model_id))
    await actor.saw("sigterm")
    stop.cancel()
    actor.die(0)
    assert (await rig.fleet.stop(model_id)).seconds < 5
    assert rig.server(model_id).state is State.STOPPED


async def test_stop_all_stops_every_one(rig: Rig) -> None:
    ids = [await rig.add(name) for name in ("alpha", "beta", "gamma")]
    for model_id in ids[:2]:
        await rig.fleet.start(model_id)
    outcomes = await rig.fleet.stop_all()
    assert [outcome.entry.model_id for outcome in outcomes] == ids[:2]
    assert all(server.state is State.STOPPED for server in rig.fleet.servers.values())


async def test_stop_all_reaches_those_that_load(rig: Rig) -> None:
    ids = [await rig.add(name, Behaviour(loads_when_told=True)) for name in ("alpha", "beta")]
    starting = asyncio.create_task(rig.fleet.start_all(ids, None))
    for model_id in ids:
        await rig.enter(model_id)
    await rig.fleet.stop_all()
    assert all(isinstance(outcome.result, StartCancelled) for outcome in await starting)


async def test_the_port_is_free_when_the_stop_answers(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    for _ in range(3):
        await rig.fleet.start(model_id)
        await rig.fleet.stop(model_id)
    assert {actor.port for actor in rig.stage.actors} == {rig.ports.start}


async def test_leases_are_only_of_ready_servers(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(loads_when_told=True))
    with pytest.raises(NotRunning, match="It is stopped"):
        rig.fleet.lease(model_id)
    start = asyncio.create_task(rig.fleet.start(model_id))
    actor = await rig.enter(model_id)
    with pytest.raises(NotRunning, match="It is starting"):
        rig.fleet.lease(model_id)
    actor.tell("ready")
    await start
    with rig.fleet.lease(model_id) as lease:
        assert lease.url == f"http://127.0.0.1:{actor.port}"
        assert "leases=1" in repr(rig.server(model_id))


async def test_a_first_start_in_the_midst_of_a_stop_all(rig: Rig) -> None:
    await rig.add("alpha")
    await rig.add("beta")
    await rig.fleet.start("alpha")
    stop = asyncio.create_task(rig.fleet.stop_all())
    start = asyncio.create_task(rig.fleet.start("beta"))
    assert [outcome.entry.model_id for outcome in await stop] == ["alpha"]
    await start
    assert rig.server("beta").state is State.READY
