"""What goes wrong beside the servers leaves none stuck, unwatched, or back against a person's will."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.fakes.rig import Rig, is_alive, open_rig, until
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.catalog.model import Geometry, Weights
from synapse_engine.errors import SynapseError
from synapse_engine.fleet.journal import Journal
from synapse_engine.fleet.state import State

MB = 1_000_000


@pytest.fixture
def roomy_for_one() -> int:
    """Memory for one of two models of 500 MB, in bytes."""
    return 800 * MB


async def test_out_of_memory_on_a_gpu_while_another_waits_for_it(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    Path(f"{engine}.devices").write_text("  CUDA0: Fake (24000 MiB, 23000 MiB free)\n")
    async with open_rig(tmp_path, engine, stage, ports) as rig:
        weights = Weights(total_bytes=100 * MB, layer_bytes=[25 * MB] * 4)
        for model_id in ("alpha", "beta"):
            geometry = Geometry(block_count=4)
            await rig.add(model_id, geometry=geometry, weights=weights, size_bytes=100 * MB)
        rig.direct("alpha", Behaviour(loads_when_told=True))
        starts = [asyncio.create_task(rig.fleet.start("alpha"))]
        actor = await rig.enter("alpha")
        await actor.saw("listening")
        starts.append(asyncio.create_task(rig.fleet.start("beta")))
        await until(lambda: "beta" in rig.fleet.servers)
        rig.direct("alpha", Behaviour())
        actor.die(1, "ggml: cudaMalloc failed: out of memory")
        async with asyncio.timeout(10):
            await asyncio.gather(*starts)


@pytest.mark.parametrize("how", ["stop all", "stop the victim"])
async def test_a_person_who_stops_a_victim_does_not_get_it_back(
    tmp_path: Path, engine: Path, stage: Stage, ports: range, roomy_for_one: int, how: str
) -> None:
    async with open_rig(tmp_path, engine, stage, ports, memory_limit_bytes=roomy_for_one) as rig:
        await rig.add("beta", size_bytes=500 * MB)
        await rig.fleet.start("beta", by_request=True)
        await rig.add("alpha", Behaviour(loads_when_told=True), size_bytes=500 * MB)
        start = asyncio.create_task(rig.fleet.start("alpha"))
        actor = await rig.enter("alpha")
        if how == "stop all":
            await rig.fleet.stop_all()
        else:
            await rig.fleet.stop("beta")
            actor.die(1)
        with pytest.raises(SynapseError):
            await start
        assert rig.spawns("beta") == 1
        assert rig.server("beta").state is State.STOPPED
        assert rig.registry.get("beta").choices.held is (how == "stop the victim")


async def test_a_record_that_cannot_be_removed_leaves_no_server_stuck(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", read_only)
        await rig.fleet.stop(model_id)
    assert rig.server(model_id).state is State.STOPPED
    await rig.fleet.start(model_id)
    assert rig.server(model_id).state is State.READY


async def test_force_counts_in_backoff_too(
    tmp_path: Path, engine: Path, stage: Stage, ports: range, roomy_for_one: int
) -> None:
    async with open_rig(tmp_path, engine, stage, ports, memory_limit_bytes=roomy_for_one) as rig:
        await rig.add("alpha", size_bytes=500 * MB)
        await rig.choose("alpha", settings={"restart": "never"})
        await rig.fleet.start("alpha")
        (await rig.enter("alpha")).die(1)
        await until(lambda: rig.server("alpha").state is State.FAILED)
        await rig.add("beta", size_bytes=500 * MB)
        await rig.choose("beta", settings={"pinned": True})
        await rig.fleet.start("beta")
        with pytest.raises(SynapseError, match="Not enough memory"):
            await rig.fleet.start("alpha")
        assert not (await rig.fleet.start("alpha", force=True)).was_running


async def test_a_process_that_cannot_be_watched_is_not_left(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_id = await rig.add("alpha")

    def too_many(_: int) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pidfd_open", too_many)
        with pytest.raises(SynapseError, match="cannot be watched"):
            await rig.fleet.start(model_id)
    assert not [actor for actor in rig.stage.actors if is_alive(actor.pid)]


async def test_where_pidfds_are_forbidden_it_is_watched_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", forbidden)
    model_id = await rig.add("alpha")
    await rig.fleet.start(model_id)
    (await rig.enter(model_id)).die(4)
    await until(lambda: rig.server(model_id).state is State.FAILED)
    failure = rig.server(model_id).failure
    assert failure is not None and "exit code 4" in failure.detail


async def test_an_id_longer_than_a_file_name_may_be(rig: Rig) -> None:
    model_id = "a" * 300
    await rig.add("alpha", Behaviour(log=["loads"]), base_id=model_id)
    await rig.fleet.start(model_id)
    assert "loads" in await rig.fleet.log_tail(model_id, 50)
    (record,) = Journal(rig.folder / "journal").read()
    assert record.command.model_id == model_id
    await rig.fleet.stop(model_id)
    assert Journal(rig.folder / "journal").read() == []


async def test_one_that_waits_for_memory_is_queued(
    tmp_path: Path, engine: Path, stage: Stage, ports: range, roomy_for_one: int
) -> None:
    async with open_rig(tmp_path, engine, stage, ports, memory_limit_bytes=roomy_for_one) as rig:
        await rig.add("beta", Behaviour(ignores_sigterm=True), size_bytes=500 * MB)
        await rig.fleet.start("beta", by_request=True)
        await rig.add("alpha", size_bytes=500 * MB)
        start = asyncio.create_task(rig.fleet.start("alpha"))
        await until(lambda: rig.server("beta").state is State.STOPPING)
        assert rig.server("alpha").state is State.QUEUED
        await rig.fleet.stop("beta", now=True)
        await start
        assert rig.server("alpha").state is State.READY
