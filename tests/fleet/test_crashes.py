"""Servers that end or hang by themselves, and how they come back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.rig import LIMITS, Rig, open_rig, until
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.errors import NotRunning
from synapse_engine.fleet.restarts import RestartLimits
from synapse_engine.fleet.state import State
from synapse_engine.launch.failure import SHOWN_LINES
from synapse_engine.launch.local import LocalLauncher

QUICK = RestartLimits(most=2, window_seconds=600, first_delay_seconds=0.01)
PATIENT = RestartLimits(most=2, window_seconds=600, first_delay_seconds=1000)


@pytest.fixture
async def quick(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> AsyncIterator[Rig]:
    """Restarts follow at once."""
    async with open_rig(tmp_path, engine, stage, ports, restart_limits=QUICK) as rig:
        yield rig


@pytest.fixture
async def patient(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> AsyncIterator[Rig]:
    """A restart is far away."""
    async with open_rig(tmp_path, engine, stage, ports, restart_limits=PATIENT) as rig:
        yield rig


async def crashed(rig: Rig, model_id: str) -> None:
    """Start it, and let it die."""
    await rig.fleet.start(model_id)
    (await rig.enter(model_id)).die(3, "it went wrong")
    await until(lambda: rig.server(model_id).state is not State.READY)


async def test_one_that_dies_comes_back_by_itself(quick: Rig) -> None:
    model_id = await quick.add("alpha")
    await quick.fleet.start(model_id)
    first = await quick.enter(model_id)
    first.die(3)
    second = await quick.enter(model_id)
    await until(lambda: quick.server(model_id).state is State.READY)
    assert second.pid != first.pid
    assert second.port == first.port
    assert quick.server(model_id).restarts.total == 1
    assert quick.server(model_id).failure is None


async def test_a_kill_is_noticed_and_mended(quick: Rig) -> None:
    model_id = await quick.add("alpha")
    await quick.fleet.start(model_id)
    actor = await quick.enter(model_id)
    os.kill(actor.pid, signal.SIGKILL)
    assert (await quick.enter(model_id)).pid != actor.pid


async def test_a_crash_loop_ends_in_failed_with_its_reason(quick: Rig) -> None:
    model_id = await quick.add("alpha")
    await quick.fleet.start(model_id)
    quick.direct(model_id, Behaviour(exit_code=7, log=["cudaMalloc failed: out of memory"]))
    (await quick.enter(model_id)).die(7)
    server = quick.server(model_id)
    await until(lambda: server.state is State.FAILED)
    assert server.failure is not None
    assert "Out of memory (exit code 7)" in server.failure.detail
    assert quick.spawns(model_id) == 3
    assert server.restarts.total == 2


async def test_while_it_waits_requests_are_told_so(patient: Rig) -> None:
    model_id = await patient.add("alpha")
    await crashed(patient, model_id)
    await until(lambda: patient.server(model_id).state is State.BACKOFF)
    with pytest.raises(NotRunning, match="It is backoff"):
        patient.fleet.lease(model_id)
    failure = patient.server(model_id).failure
    assert failure is not None
    assert failure.error == "Server ended by itself"
    assert "exit code 3" in failure.detail
    assert "it went wrong" in failure.detail


async def test_a_start_does_not_wait_for_the_backoff_and_resets_the_count(patient: Rig) -> None:
    model_id = await patient.add("alpha")
    await crashed(patient, model_id)
    started = await patient.fleet.start(model_id)
    assert not started.was_running
    assert patient.server(model_id).state is State.READY
    assert patient.server(model_id).restarts.total == 0


async def test_a_start_in_backoff_that_fails_says_why(patient: Rig) -> None:
    model_id = await patient.add("alpha")
    await crashed(patient, model_id)
    patient.direct(model_id, Behaviour(exit_code=1, log=["unknown model architecture: 'x'"]))
    with pytest.raises(Exception, match="does not know the architecture x"):
        await patient.fleet.start(model_id)
    assert patient.server(model_id).state is State.FAILED


async def test_a_stop_in_backoff_makes_it_stopped(patient: Rig) -> None:
    model_id = await patient.add("alpha")
    await crashed(patient, model_id)
    await until(lambda: patient.server(model_id).state is State.BACKOFF)
    stopped = await patient.fleet.stop(model_id)
    assert not stopped.was_active
    assert patient.server(model_id).state is State.STOPPED


@pytest.mark.parametrize("policy", ["never", "on-failure"])
async def test_the_policy_of_the_model_is_kept_to(quick: Rig, policy: str) -> None:
    model_id = await quick.add("alpha")
    await quick.choose(model_id, settings={"restart": policy})
    await quick.fleet.start(model_id)
    (await quick.enter(model_id)).die(0 if policy == "on-failure" else 1)
    await until(lambda: quick.server(model_id).state is State.FAILED)
    assert quick.spawns(model_id) == 1


async def test_one_that_hangs_is_ended_and_comes_back(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    limits = replace(LIMITS, probe_seconds=0.05)
    async with open_rig(tmp_path, engine, stage, ports, limits=limits, restart_limits=QUICK) as rig:
        model_id = await rig.add("alpha")
        await rig.fleet.start(model_id)
        actor = await rig.enter(model_id)
        # Stopped, it accepts connections and never answers, and uses no processor time.
        os.kill(actor.pid, signal.SIGSTOP)
        again = await rig.enter(model_id)
        await until(lambda: rig.server(model_id).state is State.READY)
        assert again.pid != actor.pid


async def test_a_start_of_one_that_was_found_hung_waits_for_its_return(
    tmp_path: Path, engine: Path, stage: Stage, ports: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_tail, reads, goes_on = LocalLauncher.log_tail, asyncio.Event(), asyncio.Event()

    async def read_when_told(launcher: LocalLauncher, model_id: str, lines: int) -> list[str]:
        if lines == SHOWN_LINES:
            reads.set()
            await goes_on.wait()
        return await log_tail(launcher, model_id, lines)

    limits = replace(LIMITS, probe_seconds=0.05)
    async with open_rig(tmp_path, engine, stage, ports, limits=limits, restart_limits=QUICK) as rig:
        model_id = await rig.add("alpha")
        await rig.fleet.start(model_id)
        os.kill((await rig.enter(model_id)).pid, signal.SIGSTOP)
        monkeypatch.setattr(LocalLauncher, "log_tail", read_when_told)
        await reads.wait()
        starting = asyncio.create_task(rig.fleet.start(model_id))
        await asyncio.sleep(0)
        goes_on.set()
        assert not (await starting).was_running
        assert rig.spawns(model_id) == 2


async def test_a_server_that_waits_for_its_restart_is_gone_after_the_close(patient: Rig) -> None:
    model_id = await patient.add("alpha")
    await crashed(patient, model_id)
    async with asyncio.timeout(5):
        await patient.fleet.close()
    assert patient.server(model_id).state is State.STOPPED


async def test_one_that_is_lost_is_not_leased_at_any_moment(rig: Rig) -> None:
    """Not while its process is being cleared away either, before it is told what becomes of it."""
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    os.kill((await rig.enter(model_id)).pid, signal.SIGKILL)
    refusals = 0
    while rig.server(model_id).state is State.READY:
        try:
            rig.fleet.lease(model_id)
        except NotRunning:
            refusals += 1
        await asyncio.sleep(0)
    assert refusals
