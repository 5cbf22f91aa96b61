"""Many at once: who comes first, how many load, and what the others' failures change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.rig import Rig, open_rig
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.catalog.model import Tier
from synapse_engine.errors import ModelFileMissing, ModelNotFound, StartCancelled, SynapseError
from synapse_engine.fleet.life import Started
from synapse_engine.fleet.outcomes import Outcome
from synapse_engine.fleet.state import State

LOADS_WHEN_TOLD = Behaviour(loads_when_told=True)


@pytest.fixture
async def one_by_one(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path, engine, stage, ports, start_concurrency=1) as rig:
        yield rig


def started(outcomes: list[Outcome]) -> list[str]:
    return [outcome.entry.model_id for outcome in outcomes if isinstance(outcome.result, Started)]


def states(rig: Rig) -> dict[str, str]:
    return {model_id: str(server.state) for model_id, server in rig.fleet.servers.items()}


async def test_every_enabled_one_and_no_other(rig: Rig) -> None:
    for model_id in ("alpha", "beta", "gamma"):
        await rig.add(model_id)
    await rig.choose("alpha", enabled=True)
    await rig.choose("gamma", enabled=True)
    assert started(await rig.fleet.start_all(None, None)) == ["alpha", "gamma"]
    assert "beta" not in rig.fleet.servers


async def test_none_enabled(rig: Rig) -> None:
    await rig.add("alpha")
    assert await rig.fleet.start_all(None, None) == []


async def test_the_given_ones_enabled_or_not_each_once(rig: Rig) -> None:
    await rig.add("alpha")
    await rig.add("beta")
    assert started(await rig.fleet.start_all(["beta", "beta"], None)) == ["beta"]
    assert rig.spawns("beta") == 1


async def test_those_of_a_tier(rig: Rig) -> None:
    await rig.add("small", tier=Tier.FAST)
    await rig.add("large", tier=Tier.POWERFUL)
    for model_id in ("small", "large"):
        await rig.choose(model_id, enabled=True)
    assert started(await rig.fleet.start_all(None, Tier.POWERFUL)) == ["large"]


async def test_an_unknown_one_and_nothing_starts(rig: Rig) -> None:
    await rig.add("alpha")
    with pytest.raises(ModelNotFound):
        await rig.fleet.start_all(["alpha", "nobody"], None)
    assert not rig.fleet.servers


async def test_running_ones_count_as_started(rig: Rig) -> None:
    await rig.add("alpha")
    await rig.add("beta")
    await rig.fleet.start("alpha")
    assert started(await rig.fleet.start_all(["alpha", "beta"], None)) == ["alpha", "beta"]
    assert rig.spawns("alpha") == 1


async def test_smallest_first(one_by_one: Rig) -> None:
    rig = one_by_one
    sizes = {"large": (Tier.POWERFUL, 1), "small": (Tier.FAST, 9), "tiny": (Tier.FAST, 5)}
    for model_id, (tier, size) in sizes.items():
        await rig.add(model_id, tier=tier, size_bytes=size)
    assert started(await rig.fleet.start_all(list(sizes), None)) == ["tiny", "small", "large"]
    assert [actor.model.stem for actor in rig.stage.actors] == ["tiny", "small", "large"]


async def test_no_more_than_so_many_load_at_a_time(one_by_one: Rig) -> None:
    rig = one_by_one
    for model_id in ("alpha", "beta"):
        await rig.add(model_id, LOADS_WHEN_TOLD)
    starting = asyncio.create_task(rig.fleet.start_all(["alpha", "beta"], None))
    alpha = await rig.enter("alpha")
    await alpha.saw("listening")
    assert states(rig) == {"alpha": "starting", "beta": "queued"}
    assert rig.spawns("beta") == 0
    alpha.tell("ready")
    (await rig.enter("beta")).tell("ready")
    assert started(await starting) == ["alpha", "beta"]


async def test_several_load_at_the_same_time(rig: Rig) -> None:
    names = ["alpha", "beta", "gamma", "delta"]
    for model_id in names:
        await rig.add(model_id, LOADS_WHEN_TOLD)
    starting = asyncio.create_task(rig.fleet.start_all(names, None))
    actors = [await rig.enter(model_id) for model_id in names]  # all are spawned before one is ready
    assert len({actor.port for actor in actors}) == 4
    for actor in actors:
        actor.tell("ready")
    assert sorted(started(await starting)) == sorted(names)


async def test_a_start_of_one_that_waits_its_turn_joins(one_by_one: Rig) -> None:
    rig = one_by_one
    for model_id in ("alpha", "beta"):
        await rig.add(model_id, LOADS_WHEN_TOLD)
    starting = asyncio.create_task(rig.fleet.start_all(["alpha", "beta"], None))
    alpha = await rig.enter("alpha")
    joined = asyncio.create_task(rig.fleet.start("beta"))
    alpha.tell("ready")
    (await rig.enter("beta")).tell("ready")
    assert not (await joined).was_running
    await starting
    assert rig.spawns("beta") == 1


async def test_a_stop_of_one_that_waits_its_turn(one_by_one: Rig) -> None:
    rig = one_by_one
    for model_id in ("alpha", "beta", "gamma"):
        await rig.add(model_id, LOADS_WHEN_TOLD)
    starting = asyncio.create_task(rig.fleet.start_all(["alpha", "beta", "gamma"], None))
    alpha = await rig.enter("alpha")
    assert (await rig.fleet.stop("beta")).was_active
    assert rig.server("beta").state is State.STOPPED
    alpha.tell("ready")
    (await rig.enter("gamma")).tell("ready")
    outcomes = await starting
    assert started(outcomes) == ["alpha", "gamma"]
    assert isinstance(outcomes[1].result, StartCancelled)
    assert rig.spawns("beta") == 0


async def test_a_single_start_does_not_wait_for_a_start_all(one_by_one: Rig) -> None:
    rig = one_by_one
    await rig.add("alpha", LOADS_WHEN_TOLD)
    await rig.add("beta")
    starting = asyncio.create_task(rig.fleet.start_all(["alpha"], None))
    alpha = await rig.enter("alpha")
    assert not (await rig.fleet.start("beta")).was_running
    alpha.tell("ready")
    await starting


async def test_one_that_fails_gives_its_turn_to_the_next_and_says_why(one_by_one: Rig) -> None:
    rig = one_by_one
    await rig.add("alpha", Behaviour(exit_code=1, log=["out of memory"]))
    await rig.add("beta")
    await rig.add("gone")
    await rig.add("hurt", problem="x is cut short")
    rig.path("gone").unlink()
    outcomes = await rig.fleet.start_all(["alpha", "beta", "gone", "hurt"], None)
    assert started(outcomes) == ["beta"]
    errors = {o.entry.model_id: o.result for o in outcomes if isinstance(o.result, SynapseError)}
    assert errors["alpha"].detail.startswith("Out of memory (exit code 1)")
    assert isinstance(errors["gone"], ModelFileMissing)
    assert errors["hurt"].detail == "x is cut short"


async def test_two_calls_share_the_turns_and_the_servers(one_by_one: Rig) -> None:
    rig = one_by_one
    for model_id in ("alpha", "beta"):
        await rig.add(model_id)
    first, second = await asyncio.gather(
        rig.fleet.start_all(["alpha", "beta"], None), rig.fleet.start_all(["beta", "alpha"], None)
    )
    assert started(first) == started(second) == ["alpha", "beta"]
    assert (rig.spawns("alpha"), rig.spawns("beta")) == (1, 1)


async def test_when_the_caller_leaves_the_starts_go_on(one_by_one: Rig) -> None:
    rig = one_by_one
    for model_id in ("alpha", "beta"):
        await rig.add(model_id, LOADS_WHEN_TOLD)
    starting = asyncio.create_task(rig.fleet.start_all(["alpha", "beta"], None))
    alpha = await rig.enter("alpha")
    starting.cancel()
    await asyncio.wait({starting})
    alpha.tell("ready")
    (await rig.enter("beta")).tell("ready")
    assert not (await rig.fleet.start("beta")).was_running
