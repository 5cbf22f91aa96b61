"""Starting one server: what is answered, and what a second start in each state becomes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.fakes.rig import Rig, open_rig
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.errors import Booting, ModelNotFound, StartCancelled
from synapse_engine.fleet.state import State

LOADS_WHEN_TOLD = Behaviour(loads_when_told=True)


async def test_a_stopped_one_starts(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    started = await rig.fleet.start(model_id)
    assert (started.port, started.was_running) == (rig.ports.start, False)
    assert 0 < started.seconds < 10
    actor = await rig.enter(model_id)
    server = rig.server(model_id)
    assert server.state is State.READY
    assert server.process is not None
    assert server.process.pid == actor.pid
    assert server.process.url == f"http://127.0.0.1:{started.port}"
    assert actor.argv[actor.argv.index("--alias") + 1] == model_id
    assert rig.port(model_id) == started.port


async def test_it_is_not_ready_before_it_says_so(rig: Rig) -> None:
    model_id = await rig.add("alpha", LOADS_WHEN_TOLD)
    start = asyncio.create_task(rig.fleet.start(model_id))
    actor = await rig.enter(model_id)
    await actor.saw("listening")
    async with rig.session.get(f"http://127.0.0.1:{actor.port}/health") as response:
        assert response.status == 503
    assert rig.server(model_id).state is State.STARTING
    assert not start.done()
    actor.tell("ready")
    assert (await start).port == actor.port


async def test_a_running_one_runs_already(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    first = await rig.fleet.start(model_id)
    second = await rig.fleet.start(model_id)
    assert (second.port, second.was_running, second.seconds) == (first.port, True, 0.0)
    assert rig.spawns(model_id) == 1


async def test_starts_while_starting_join(rig: Rig) -> None:
    model_id = await rig.add("alpha", LOADS_WHEN_TOLD)
    starts = [asyncio.create_task(rig.fleet.start(model_id)) for _ in range(3)]
    actor = await rig.enter(model_id)
    starts.append(asyncio.create_task(rig.fleet.start(model_id)))
    actor.tell("ready")
    answers = await asyncio.gather(*starts)
    assert {answer.port for answer in answers} == {actor.port}
    assert not any(answer.was_running for answer in answers)
    assert rig.spawns(model_id) == 1


async def test_a_joined_start_fails_with_the_first(rig: Rig) -> None:
    model_id = await rig.add("alpha", LOADS_WHEN_TOLD)
    starts = [asyncio.create_task(rig.fleet.start(model_id)) for _ in range(2)]
    actor = await rig.enter(model_id)
    await actor.saw("listening")
    actor.die(1, "failed to load model")
    errors = await asyncio.gather(*starts, return_exceptions=True)
    assert errors[0] is errors[1]
    assert "The model cannot be loaded (exit code 1)" in str(errors[0])


async def test_the_start_goes_on_when_its_caller_leaves(rig: Rig) -> None:
    model_id = await rig.add("alpha", LOADS_WHEN_TOLD)
    start = asyncio.create_task(rig.fleet.start(model_id))
    actor = await rig.enter(model_id)
    start.cancel()
    await asyncio.wait({start})
    joined = asyncio.create_task(rig.fleet.start(model_id))
    actor.tell("ready")
    assert not (await joined).was_running
    assert rig.spawns(model_id) == 1


async def test_a_start_while_stopping_waits_for_the_end_and_starts(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(ignores_sigterm=True))
    await rig.fleet.start(model_id)
    first = await rig.enter(model_id)
    stop = asyncio.create_task(rig.fleet.stop(model_id))
    await first.saw("sigterm")
    starts = [asyncio.create_task(rig.fleet.start(model_id)) for _ in range(2)]
    await asyncio.sleep(0)
    assert rig.server(model_id).state is State.STOPPING
    first.die(0)
    assert (await stop).was_active
    answers = await asyncio.gather(*starts)
    assert {answer.port for answer in answers} == {first.port}
    assert rig.spawns(model_id) == 2
    assert (await rig.enter(model_id)).pid != first.pid


async def test_a_start_that_waits_for_a_stop_is_cancelled_by_another_stop(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(ignores_sigterm=True))
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    stop = asyncio.create_task(rig.fleet.stop(model_id))
    await actor.saw("sigterm")
    start = asyncio.create_task(rig.fleet.start(model_id))
    await asyncio.sleep(0)
    again = asyncio.create_task(rig.fleet.stop(model_id))
    await asyncio.sleep(0)
    actor.die(0)
    with pytest.raises(StartCancelled):
        await start
    assert (await stop).was_active and (await again).was_active
    assert rig.server(model_id).state is State.STOPPED
    assert rig.spawns(model_id) == 1


async def test_a_failed_one_starts_afresh(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(exit_code=1, log=["error loading model: bad"]))
    with pytest.raises(Exception, match="The model cannot be loaded: bad"):
        await rig.fleet.start(model_id)
    assert rig.server(model_id).state is State.FAILED
    assert rig.server(model_id).failure is not None
    rig.direct(model_id, Behaviour())
    await rig.fleet.start(model_id)
    assert rig.server(model_id).state is State.READY
    assert rig.server(model_id).failure is None


async def test_a_disabled_one_starts(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    assert not rig.registry.get(model_id).choices.enabled
    await rig.fleet.start(model_id)


async def test_every_start_has_a_key_of_its_own(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    keys = set()
    for _ in range(2):
        await rig.fleet.start(model_id)
        keys.add(rig.fleet.lease(model_id).api_key)
        await rig.fleet.stop(model_id)
    assert len(keys) == 2


async def test_the_port_is_kept(rig: Rig) -> None:
    first, second = await rig.add("alpha"), await rig.add("beta")
    assert (await rig.fleet.start(first)).port == rig.ports[0]
    assert (await rig.fleet.start(second)).port == rig.ports[1]
    await rig.fleet.stop(first)
    await rig.fleet.stop(second)
    assert (await rig.fleet.start(second)).port == rig.ports[1]
    assert (await rig.fleet.start(first)).port == rig.ports[0]


async def test_unknown_models_are_refused(rig: Rig) -> None:
    with pytest.raises(ModelNotFound):
        await rig.fleet.start("nobody")
    with pytest.raises(ModelNotFound):
        await rig.fleet.stop("nobody")


async def test_nothing_begins_before_it_is_open_or_after_it_closed(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.close()
    for work in (rig.fleet.start(model_id), rig.fleet.stop(model_id), rig.fleet.stop_all()):
        with pytest.raises(Booting):
            await work
    with pytest.raises(Booting):
        await rig.fleet.start_all(None, None)
    with pytest.raises(Booting):
        rig.fleet.lease(model_id)


async def test_a_start_all_caught_by_the_close_spawns_nothing(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    starting = asyncio.create_task(rig.fleet.start_all([model_id], None))
    await asyncio.sleep(0)  # it has been let in; its starts have not begun
    await rig.fleet.close()
    (outcome,) = await starting
    assert isinstance(outcome.result, Booting | StartCancelled)
    assert rig.spawns(model_id) == 0


async def test_settings_of_a_running_one_apply_at_its_next_start(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    await rig.choose(model_id, settings={"threads": 3})
    assert rig.fleet.restart_required(rig.registry.get(model_id))
    await rig.fleet.stop(model_id)
    assert not rig.fleet.restart_required(rig.registry.get(model_id))
    await rig.enter(model_id)
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    assert actor.argv[actor.argv.index("--threads") + 1] == "3"
    assert not rig.fleet.restart_required(rig.registry.get(model_id))


async def test_settings_edited_while_it_loads_need_a_restart(rig: Rig) -> None:
    model_id = await rig.add("alpha", LOADS_WHEN_TOLD)
    start = asyncio.create_task(rig.fleet.start(model_id))
    actor = await rig.enter(model_id)
    await rig.choose(model_id, settings={"threads": 3})
    assert rig.fleet.restart_required(rig.registry.get(model_id))
    actor.tell("ready")
    await start


async def test_settings_edited_while_it_is_queued_need_a_restart(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    async with open_rig(tmp_path, engine, stage, ports, start_concurrency=1) as rig:
        await rig.add("alpha", LOADS_WHEN_TOLD)
        await rig.add("beta", size_bytes=2000)
        await rig.choose("beta", settings={"threads": 2})
        starts = asyncio.create_task(rig.fleet.start_all(["alpha", "beta"], None))
        actor = await rig.enter("alpha")
        assert rig.server("beta").state is State.QUEUED
        assert not rig.fleet.restart_required(rig.registry.get("beta"))
        await rig.choose("beta", settings={"threads": 3})
        assert rig.fleet.restart_required(rig.registry.get("beta"))
        actor.tell("ready")
        await starts
        argv = (await rig.enter("beta")).argv
        assert argv[argv.index("--threads") + 1] == "2"
        assert rig.fleet.restart_required(rig.registry.get("beta"))
        await rig.choose("beta", settings={"threads": 2})
        assert not rig.fleet.restart_required(rig.registry.get("beta"))


async def test_settings_of_an_earlier_run_count_no_more_in_the_queue(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    async with open_rig(tmp_path, engine, stage, ports, start_concurrency=1) as rig:
        await rig.add("alpha", LOADS_WHEN_TOLD)
        await rig.add("beta", size_bytes=2000)
        await rig.fleet.start("beta")
        await rig.fleet.stop("beta")
        await rig.choose("beta", settings={"threads": 3})
        starts = asyncio.create_task(rig.fleet.start_all(["alpha", "beta"], None))
        actor = await rig.enter("alpha")
        assert rig.server("beta").state is State.QUEUED
        assert not rig.fleet.restart_required(rig.registry.get("beta"))
        actor.tell("ready")
        await starts


async def test_a_pin_moved_while_it_runs_needs_a_restart(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    await rig.choose(model_id, port=rig.ports[2], port_is_pinned=True)
    assert rig.fleet.restart_required(rig.registry.get(model_id))
    await rig.fleet.stop(model_id)
    assert (await rig.fleet.start(model_id)).port == rig.ports[2]


async def test_what_shapes_no_command_needs_no_restart(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    await rig.choose(model_id, settings={"autostart": True}, enabled=True)
    assert not rig.fleet.restart_required(rig.registry.get(model_id))
