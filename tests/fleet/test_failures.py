"""Starts that fail and servers that die: what is said, and what is left."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.rig import LIMITS, Rig, is_alive, open_rig, until
from tests.fakes.stage import Behaviour, Stage, write_engine

from synapse_engine.errors import (
    EngineNotFound,
    ModelFileMissing,
    NotRunning,
    StartFailed,
    StartTimedOut,
    SynapseError,
)
from synapse_engine.fleet.state import State


async def failure(rig: Rig, model_id: str) -> SynapseError:
    """What a start that must fail is answered with; the server keeps the same words."""
    with pytest.raises(SynapseError) as raised:
        await rig.fleet.start(model_id)
    server = rig.server(model_id)
    assert server.state is State.FAILED
    assert server.process is None
    assert server.failure is not None
    assert (server.failure.error, server.failure.detail) == (raised.value.error, raised.value.detail)
    return raised.value


REASONS = {
    "unknown model architecture: 'newarch'": "This engine does not know the architecture newarch",
    "ggml_cuda: cudaMalloc failed: out of memory": "Out of memory",
    "error: invalid argument: --old": "The engine does not know the argument --old",
}


@pytest.mark.parametrize("line", REASONS)
async def test_one_that_exits_at_once_says_why(rig: Rig, line: str) -> None:
    model_id = await rig.add("alpha", Behaviour(exit_code=1, log=[line]))
    error = await failure(rig, model_id)
    assert (error.status, error.error) == (500, "Failed to start server")
    reason, *lines = error.detail.splitlines()
    assert reason == f"{REASONS[line]} (exit code 1). Last log lines:"
    assert lines == [f"I srv          main: loading model {rig.path(model_id)}", line]


async def test_it_is_known_long_before_the_time_limit(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(loads_when_told=True))
    start = asyncio.create_task(rig.fleet.start(model_id))
    actor = await rig.enter(model_id)
    await actor.saw("listening")
    actor.die(139, "segmentation fault")
    async with asyncio.timeout(2):
        with pytest.raises(StartFailed, match="exit code 139"):
            await start


async def test_one_that_never_gets_ready_is_ended(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    limits = replace(LIMITS, startup_seconds=1.0)
    async with open_rig(tmp_path, engine, stage, ports, limits=limits) as rig:
        model_id = await rig.add("alpha", Behaviour(loads_when_told=True, ignores_sigterm=True))
        error = await failure(rig, model_id)
        assert isinstance(error, StartTimedOut)
        assert (error.status, error.error) == (504, "Failed to start server")
        assert error.detail.splitlines() == [
            "Still loading after 1 s, and was ended. Last log lines:",
            f"I srv          main: loading model {rig.path(model_id)}",
        ]
        assert not is_alive((await rig.enter(model_id)).pid)


async def test_large_weights_are_given_more_time(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    limits = replace(LIMITS, startup_seconds=0.1)
    async with open_rig(tmp_path, engine, stage, ports, limits=limits) as rig:
        model_id = await rig.add("alpha", Behaviour(loads_when_told=True), size_bytes=1 << 30)
        start = asyncio.create_task(rig.fleet.start(model_id))
        actor = await rig.enter(model_id)
        await asyncio.wait({start}, timeout=0.3)
        actor.tell("ready")
        assert (await start).seconds > 0.1


async def test_a_stop_of_one_that_timed_out_and_is_being_ended(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    limits = replace(LIMITS, startup_seconds=1.0)
    async with open_rig(tmp_path, engine, stage, ports, limits=limits) as rig:
        model_id = await rig.add("alpha", Behaviour(loads_when_told=True))
        start = asyncio.create_task(rig.fleet.start(model_id))
        actor = await rig.enter(model_id)
        await until(lambda: not is_alive(actor.pid))
        await rig.fleet.stop(model_id)
        with pytest.raises(SynapseError):
            await start
        assert rig.server(model_id).state is State.STOPPED


async def test_a_vanished_file(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    rig.path(model_id).unlink()
    error = await failure(rig, model_id)
    assert isinstance(error, ModelFileMissing)
    assert (error.status, error.error) == (404, "Model file not found: alpha")
    assert str(rig.path(model_id)) in error.detail
    assert "rescan" in error.detail


async def test_a_file_that_vanishes_while_it_runs_changes_nothing(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    rig.path(model_id).unlink()
    assert (await rig.fleet.start(model_id)).was_running
    await rig.fleet.stop(model_id)
    await failure(rig, model_id)


async def test_a_broken_model_says_what_is_wrong_with_it(rig: Rig) -> None:
    model_id = await rig.add("alpha", problem="x-00002-of-00002.gguf is missing: 1 of 2 shards")
    error = await failure(rig, model_id)
    assert (error.status, error.error) == (500, "Failed to start server")
    assert error.detail == "x-00002-of-00002.gguf is missing: 1 of 2 shards"
    assert rig.spawns(model_id) == 0


async def test_no_engine(rig: Rig, engine: Path) -> None:
    model_id = await rig.add("alpha")
    engine.unlink()
    error = await failure(rig, model_id)
    assert isinstance(error, EngineNotFound)
    assert (error.status, error.error) == (503, "llama-server not found")
    assert str(engine) in error.detail


async def test_an_engine_that_may_not_be_run(rig: Rig, engine: Path) -> None:
    model_id = await rig.add("alpha")
    engine.chmod(0o644)
    assert isinstance(await failure(rig, model_id), EngineNotFound)


ENGINES = {
    "not a program": ("no program at all", "cannot be run: Exec format error"),
    "another program": ("#!/bin/sh\necho hello\n", "--help lists no options (exit code 0)"),
    "one without its interpreter": ("#!/no/such/shell\n", "cannot be run: No such file or directory"),
}


@pytest.mark.parametrize("case", ENGINES)
async def test_what_is_no_llama_server(rig: Rig, engine: Path, case: str) -> None:
    text, words = ENGINES[case]
    model_id = await rig.add("alpha")
    engine.write_text(text)
    error = await failure(rig, model_id)
    assert error.status == 500
    assert error.detail.startswith(str(engine))
    assert words in error.detail


async def test_an_engine_replaced_by_a_good_one_is_asked_again(
    rig: Rig, engine: Path, tmp_path: Path
) -> None:
    model_id = await rig.add("alpha")
    engine.write_text("no program at all")
    await failure(rig, model_id)
    write_engine(engine, os.path.realpath("/proc/self/exe"))
    await rig.fleet.start(model_id)


async def test_an_engine_behind_a_script(rig: Rig, engine: Path, tmp_path: Path) -> None:
    """A wrapper that does not exec: the one that listens is its child."""
    real = engine.rename(tmp_path / "real-llama-server")
    engine.write_text(f'#!/bin/sh\n"{real}" "$@"\nexit $?\n')
    engine.chmod(0o755)
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    await rig.fleet.stop(model_id)
    await until(lambda: not is_alive(actor.pid))


async def test_a_setting_that_the_engine_does_not_know_any_more(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.choose(model_id, settings={"gone": 1})
    error = await failure(rig, model_id)
    assert error.detail.startswith("Unknown setting: gone. ")


async def test_a_registry_that_cannot_be_written(rig: Rig, tmp_path: Path) -> None:
    model_id = await rig.add("alpha")
    (tmp_path / "model_registry.json.tmp").mkdir()
    error = await failure(rig, model_id)
    assert (error.status, error.error) == (507, "Could not save")
    assert rig.spawns(model_id) == 0


async def test_logs_that_cannot_be_written(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    model_id = await rig.add("alpha")
    error = await failure(rig, model_id)
    assert error.detail.startswith(str(tmp_path / "logs"))


async def test_one_that_dies_after_it_was_ready(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    actor.die(7, "GGML_ASSERT: something")
    await until(lambda: rig.server(model_id).state is State.FAILED)
    kept = rig.server(model_id).failure
    assert kept is not None
    assert kept.error == "Server ended by itself"
    assert kept.detail.splitlines()[0] == "llama-server ended by itself (exit code 7). Last log lines:"
    assert kept.detail.splitlines()[-1] == "GGML_ASSERT: something"
    with pytest.raises(NotRunning, match="It is failed"):
        rig.fleet.lease(model_id)


async def test_one_that_is_killed_after_it_was_ready(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    os.kill((await rig.enter(model_id)).pid, 9)
    await until(lambda: rig.server(model_id).state is State.FAILED)
    kept = rig.server(model_id).failure
    assert kept is not None and "perhaps because memory ran out (killed by SIGKILL)" in kept.detail


async def test_a_start_in_the_moment_of_a_crash_starts_anew(rig: Rig) -> None:
    """The dead one must not be answered as one that runs."""
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    process = rig.server(model_id).process
    assert process is not None
    actor.die(1, "crashed")
    await process.wait()
    restarted = await rig.fleet.start(model_id)
    assert not restarted.was_running
    assert is_alive((await rig.enter(model_id)).pid)


async def test_a_stop_in_the_moment_of_a_crash(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    process = rig.server(model_id).process
    assert process is not None
    (await rig.enter(model_id)).die(1)
    await process.wait()
    await rig.fleet.stop(model_id)
    assert rig.server(model_id).state is State.STOPPED
