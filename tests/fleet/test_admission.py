"""Starts under a memory limit: who is let in, who makes room, who comes back. With the fake engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.rig import Clock, Rig, open_rig, until
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.catalog.model import Geometry, Kind, Weights
from synapse_engine.errors import (
    ModelNotFound,
    NotEnoughMemory,
    OutOfMemory,
    StartCancelled,
    StartFailed,
    SynapseError,
)
from synapse_engine.fleet.life import Started
from synapse_engine.fleet.state import State

MB = 1_000_000
LIMIT = 800 * MB
# With what the process itself takes, two do not fit and one does.
LARGE: dict[str, Any] = {"size_bytes": 500 * MB}
LOADS_WHEN_TOLD = Behaviour(loads_when_told=True)


@pytest.fixture
async def small(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path, engine, stage, ports, memory_limit_bytes=LIMIT) as rig:
        yield rig


@pytest.fixture
async def strict(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path, engine, stage, ports, memory_limit_bytes=LIMIT, may_evict=False) as rig:
        yield rig


async def by_request(rig: Rig, model_id: str, **behaviour: Any) -> None:
    """Ready, and unwanted for a moment."""
    await rig.add(model_id, Behaviour(**behaviour), **LARGE)
    await rig.fleet.start(model_id, by_request=True)
    grow_old(rig, model_id, 1)


def state(rig: Rig, model_id: str) -> State:
    return rig.server(model_id).state


def grow_old(rig: Rig, model_id: str, seconds: float) -> None:
    rig.server(model_id).leases.idle_since -= seconds


async def test_two_at_once_with_memory_for_one(small: Rig) -> None:
    await small.add("alpha", **LARGE)
    await small.add("beta", **LARGE)
    results = await asyncio.gather(
        small.fleet.start("alpha"), small.fleet.start("beta"), return_exceptions=True
    )
    (refused,) = [result for result in results if isinstance(result, NotEnoughMemory)]
    assert sum(isinstance(result, Started) for result in results) == 1
    assert (refused.status, refused.error) == (507, "Not enough memory")
    assert small.spawns("alpha") + small.spawns("beta") == 1


async def test_the_refused_one_says_what_would_have_to_stop(strict: Rig) -> None:
    await by_request(strict, "alpha")
    await strict.add("beta", **LARGE)
    with pytest.raises(NotEnoughMemory, match=r"It needs \d+ MB of RAM, and \d+ MB are free.*alpha would"):
        await strict.fleet.start("beta")
    assert state(strict, "beta") is State.FAILED


async def test_force_starts_it_anyway(strict: Rig) -> None:
    await by_request(strict, "alpha")
    await strict.add("beta", **LARGE)
    await strict.fleet.start("beta", force=True)
    assert state(strict, "alpha") is state(strict, "beta") is State.READY


async def test_what_a_stop_frees_can_be_taken(strict: Rig) -> None:
    await by_request(strict, "alpha")
    await strict.fleet.stop("alpha")
    await by_request(strict, "beta")
    assert state(strict, "beta") is State.READY


async def test_what_a_failed_start_held_can_be_taken(strict: Rig) -> None:
    await strict.add("alpha", Behaviour(exit_code=1), **LARGE)
    with pytest.raises(StartFailed):
        await strict.fleet.start("alpha")
    await by_request(strict, "beta")


async def test_an_idle_one_makes_room_and_is_not_held(small: Rig) -> None:
    await by_request(small, "alpha")
    await by_request(small, "beta")
    assert (state(small, "alpha"), state(small, "beta")) == (State.STOPPED, State.READY)
    assert not small.registry.get("alpha").choices.held


async def test_a_busy_one_stays(small: Rig) -> None:
    await by_request(small, "alpha")
    await small.add("beta", **LARGE)
    with small.fleet.lease("alpha"):
        with pytest.raises(NotEnoughMemory):
            await small.fleet.start("beta")
    await small.fleet.start("beta")
    assert state(small, "alpha") is State.STOPPED


async def test_a_pinned_one_stays(small: Rig) -> None:
    await by_request(small, "alpha")
    await small.choose("alpha", settings={"pinned": True})
    await small.add("beta", **LARGE)
    with pytest.raises(NotEnoughMemory):
        await small.fleet.start("beta")


async def test_a_loading_one_stays(small: Rig) -> None:
    await small.add("alpha", LOADS_WHEN_TOLD, **LARGE)
    starting = asyncio.create_task(small.fleet.start("alpha", by_request=True))
    actor = await small.enter("alpha")
    await small.add("beta", **LARGE)
    with pytest.raises(NotEnoughMemory):
        await small.fleet.start("beta")
    actor.tell("ready")
    await starting


async def test_a_hand_started_one_is_left_for_ten_minutes(small: Rig) -> None:
    await small.add("alpha", **LARGE)
    await small.fleet.start("alpha")
    await small.add("beta", **LARGE)
    with pytest.raises(NotEnoughMemory):
        await small.fleet.start("beta")
    grow_old(small, "alpha", 601)
    await small.fleet.start("beta")
    assert state(small, "alpha") is State.STOPPED


async def test_a_start_by_hand_of_a_running_one_makes_it_the_persons(small: Rig) -> None:
    await by_request(small, "alpha")
    await small.fleet.start("alpha")
    await small.add("beta", **LARGE)
    with pytest.raises(NotEnoughMemory):
        await small.fleet.start("beta")


async def test_one_that_is_being_stopped_is_waited_for_and_stays_stopped(strict: Rig) -> None:
    await by_request(strict, "alpha")
    await strict.add("beta", Behaviour(exit_code=1), **LARGE)
    with strict.fleet.lease("alpha"):
        stopping = asyncio.create_task(strict.fleet.stop("alpha"))
        await until(lambda: state(strict, "alpha") is State.STOPPING)
        starting = asyncio.create_task(strict.fleet.start("beta"))
        await until(lambda: "beta" in strict.fleet.servers)
        await strict.add("small")
        await strict.fleet.start("small")
        assert state(strict, "beta") is State.QUEUED
    await stopping
    with pytest.raises(StartFailed):
        await starting
    assert strict.spawns("beta") == 1
    assert state(strict, "alpha") is State.STOPPED


async def test_to_another_request_one_that_has_just_come_is_left(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    clock = Clock()
    async with open_rig(tmp_path, engine, stage, ports, memory_limit_bytes=LIMIT, clock=clock) as rig:
        for model_id in ("alpha", "beta"):
            await rig.add(model_id, **LARGE)
        await rig.fleet.start("alpha", by_request=True)
        with pytest.raises(NotEnoughMemory, match="alpha would have to stop"):
            await rig.fleet.start("beta", by_request=True)
        assert await rig.fleet.would_free("beta") == ("alpha",)
        clock.advance(1)
        assert await rig.fleet.would_free("beta") == ()
        await rig.fleet.start("beta", by_request=True)
        await rig.fleet.start("alpha")
        assert (state(rig, "alpha"), state(rig, "beta")) == (State.READY, State.STOPPED)


async def test_who_has_to_finish_first(small: Rig) -> None:
    await by_request(small, "alpha")
    await small.add("beta", **LARGE)
    with small.fleet.lease("alpha"):
        assert await small.fleet.would_free("beta") == ("alpha",)
        await small.choose("alpha", settings={"pinned": True})
        assert await small.fleet.would_free("beta") == ()
    with pytest.raises(ModelNotFound):
        await small.fleet.would_free("unheard of")


async def test_one_that_loads_has_to_finish_too(small: Rig) -> None:
    await small.add("alpha", LOADS_WHEN_TOLD, **LARGE)
    starting = asyncio.create_task(small.fleet.start("alpha", by_request=True))
    actor = await small.enter("alpha")
    await small.add("beta", **LARGE)
    assert await small.fleet.would_free("beta") == ("alpha",)
    actor.tell("ready")
    await starting


async def test_nobody_is_waited_for_where_nobody_makes_room(strict: Rig) -> None:
    await by_request(strict, "alpha")
    await strict.add("beta", **LARGE)
    assert await strict.fleet.would_free("beta") == ()


async def test_an_embedding_model_goes_last(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> None:
    async with open_rig(tmp_path, engine, stage, ports, memory_limit_bytes=1300 * MB) as rig:
        await rig.add("embed", kind=Kind.EMBEDDING, **LARGE)
        await rig.fleet.start("embed", by_request=True)
        grow_old(rig, "embed", 3600)
        await by_request(rig, "chat")
        await by_request(rig, "newcomer")
        assert (state(rig, "embed"), state(rig, "chat")) == (State.READY, State.STOPPED)


async def test_who_made_room_comes_back_when_the_newcomer_fails(small: Rig) -> None:
    await by_request(small, "alpha")
    await small.add("beta", Behaviour(exit_code=1), **LARGE)
    with pytest.raises(StartFailed):
        await small.fleet.start("beta")
    await until(lambda: state(small, "alpha") is State.READY)
    assert small.spawns("alpha") == 2


async def test_who_made_room_comes_back_when_the_newcomer_is_stopped_while_it_loads(small: Rig) -> None:
    await by_request(small, "alpha")
    await small.add("beta", LOADS_WHEN_TOLD, **LARGE)
    starting = asyncio.create_task(small.fleet.start("beta"))
    await small.enter("beta")
    await small.fleet.stop("beta")
    with pytest.raises(StartCancelled):
        await starting
    await until(lambda: state(small, "alpha") is State.READY)


async def test_who_made_room_stays_stopped_once_the_newcomer_was_ready(small: Rig) -> None:
    await by_request(small, "alpha")
    await by_request(small, "beta")
    await small.fleet.stop("beta")
    assert state(small, "alpha") is State.STOPPED
    assert small.spawns("alpha") == 1


async def test_those_of_one_start_all_never_stop_each_other(small: Rig) -> None:
    for model_id in ("alpha", "beta"):
        await small.add(model_id, **LARGE)
    await small.add("gamma", size_bytes=100 * MB)
    outcomes = await small.fleet.start_all(["alpha", "beta", "gamma"], None)
    failed = [o.entry.model_id for o in outcomes if isinstance(o.result, SynapseError)]
    assert failed == ["beta"]
    assert (state(small, "alpha"), state(small, "gamma")) == (State.READY, State.READY)


async def test_after_memory_ran_out_it_is_tried_once_more(small: Rig) -> None:
    log = ["ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 5"]
    await small.add("alpha", Behaviour(exit_code=1, log=log))
    with pytest.raises(OutOfMemory, match="Out of memory"):
        await small.fleet.start("alpha")
    assert small.spawns("alpha") == 2


async def test_the_second_try_has_somebody_idle_stopped(small: Rig) -> None:
    await small.add("idle")
    await small.fleet.start("idle", by_request=True)
    log = ["cudaMalloc failed: out of memory"]
    await small.add("alpha", Behaviour(exit_code=1, log=log))
    starting = asyncio.create_task(small.fleet.start("alpha"))
    await small.enter("alpha")
    small.direct("alpha", Behaviour())
    await starting
    assert (state(small, "idle"), state(small, "alpha")) == (State.STOPPED, State.READY)


async def test_the_prompt_cache_is_cut_from_a_tenth_of_the_limit(small: Rig) -> None:
    for model_id, expected in (("alpha", 38), ("beta", 19)):
        await small.add(model_id, size_bytes=1000)
        await small.fleet.start(model_id)
        argv = (await small.enter(model_id)).argv
        assert argv[argv.index("--cache-ram") + 1] == str(expected)


async def test_what_it_really_took_is_kept_and_counts_next_time(small: Rig) -> None:
    watching = asyncio.create_task(small.fleet.budget.memories.watch())
    await small.add("alpha")
    await small.fleet.start("alpha")
    await until(lambda: small.registry.get("alpha").choices.measured_memory_bytes is not None)
    watching.cancel()
    measured = small.registry.get("alpha").choices.measured_memory_bytes
    resident = small.fleet.budget.memories.latest["alpha"].resident_bytes
    assert measured == pytest.approx(resident, rel=0.1)
    plan = await small.fleet.budget.plan(small.registry.get("alpha"))
    assert plan.verdict.placement.total_bytes == measured
    assert small.fleet.budget.admission.reserved("alpha")["RAM"] >= measured


async def test_a_plan_changes_nothing(small: Rig) -> None:
    await by_request(small, "alpha")
    await small.add("beta", **LARGE)
    plan = await small.fleet.budget.plan(small.registry.get("beta"))
    assert (plan.verdict.fits, plan.verdict.evicts) == (True, ("alpha",))
    assert state(small, "alpha") is State.READY
    again = await small.fleet.budget.plan(small.registry.get("alpha"))
    assert (again.verdict.fits, again.verdict.evicts) == (True, ())


LAYERED: dict[str, Any] = {
    "geometry": Geometry(block_count=2),
    "weights": Weights(total_bytes=600 * MB, token_embedding_bytes=100 * MB, layer_bytes=[250 * MB] * 2),
}


@pytest.fixture
async def with_gpu(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> AsyncIterator[Rig]:
    """A GPU that has room for one of LAYERED."""
    Path(f"{engine}.devices").write_text("  CUDA0: Fake GPU (1800 MiB, 1800 MiB free)\n")
    async with open_rig(tmp_path, engine, stage, ports) as rig:
        yield rig


async def test_a_gpu_is_reserved_too(with_gpu: Rig) -> None:
    await with_gpu.add("alpha", **LAYERED)
    await with_gpu.add("beta", **LAYERED)
    await with_gpu.fleet.start("alpha", by_request=True)
    assert with_gpu.fleet.budget.admission.reserved("alpha")["CUDA0"] > 600 * MB
    await with_gpu.fleet.start("beta")
    assert (state(with_gpu, "alpha"), state(with_gpu, "beta")) == (State.STOPPED, State.READY)


async def test_nobody_begins_while_another_fits_itself_onto_a_gpu(with_gpu: Rig) -> None:
    await with_gpu.add("alpha", LOADS_WHEN_TOLD, **LAYERED)
    await with_gpu.add("beta", **LAYERED)
    await with_gpu.choose("beta", settings={"devices": "cpu"})
    first = asyncio.create_task(with_gpu.fleet.start("alpha"))
    actor = await with_gpu.enter("alpha")
    second = asyncio.create_task(with_gpu.fleet.start("beta"))
    await until(lambda: "beta" in with_gpu.fleet.servers and state(with_gpu, "beta") is State.QUEUED)
    assert with_gpu.spawns("beta") == 0
    actor.tell("ready")
    await asyncio.gather(first, second)
    assert with_gpu.fleet.budget.admission.reserved("beta").keys() == {"RAM"}


@pytest.mark.parametrize("force", [False, True])
async def test_force_counts_too_where_a_victim_has_freed_too_little(
    with_gpu: Rig, engine: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    monkeypatch.setattr("synapse_engine.fleet.admission.FREED_SECONDS", 0.1)
    monkeypatch.setattr("synapse_engine.launch.devices.FRESH_SECONDS", 0.0)
    await with_gpu.add("alpha", **LAYERED)
    await with_gpu.add("beta", **LAYERED)
    await with_gpu.fleet.start("alpha", by_request=True)
    # What alpha has taken stays taken, whoever has it.
    Path(f"{engine}.devices").write_text("  CUDA0: Fake GPU (1800 MiB, 1100 MiB free)\n")
    if force:
        await with_gpu.fleet.start("beta", force=True)
        assert (state(with_gpu, "alpha"), state(with_gpu, "beta")) == (State.STOPPED, State.READY)
    else:
        with pytest.raises(NotEnoughMemory, match="of CUDA0"):
            await with_gpu.fleet.start("beta")
        await until(lambda: state(with_gpu, "alpha") is State.READY)


async def test_a_smaller_placement_is_said_aloud(with_gpu: Rig, caplog: pytest.LogCaptureFixture) -> None:
    await with_gpu.add("alpha", **LAYERED)
    await with_gpu.fleet.start("alpha")
    await with_gpu.add("beta", **LAYERED)
    await with_gpu.fleet.start("beta")
    assert "beta: 2 of 2 layers are in RAM" in caplog.text
