"""Several servers of one model: they come up, share requests, and go, together and one by one."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.ports import free_ports
from tests.fakes.rig import Clock, Rig, open_rig, until
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.errors import NotRunning, StartCancelled, StartFailed
from synapse_engine.fleet.degraded import explain_missing
from synapse_engine.fleet.journal import Journal
from synapse_engine.fleet.life import Started
from synapse_engine.fleet.replicas import Busy, choose_replica, choose_speaker
from synapse_engine.fleet.restarts import RestartLimits
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State

MB = 1_000_000

READY = {
    "the least busy": ([Busy(1, 2, 4), Busy(2, 1, 4), Busy(3, 3, 4)], 2),
    "the first of equals": ([Busy(3, 1, 4), Busy(2, 1, 4)], 2),
    "the only one": ([Busy(2, 99, 1)], 2),
}


@pytest.mark.parametrize("case", READY)
def test_without_a_prefix_the_least_busy_answers(case: str) -> None:
    ready, expected = READY[case]
    assert choose_replica(ready, None) == expected


def test_a_prefix_goes_where_it_went_before() -> None:
    idle = [Busy(replica, 0, 4) for replica in (1, 2, 3)]
    homes = {prefix: choose_replica(idle, prefix) for prefix in range(3000)}
    assert all(800 < count < 1200 for count in Counter(homes.values()).values())
    assert homes == {prefix: choose_replica(idle[::-1], prefix) for prefix in homes}
    without_two = {prefix: choose_replica([idle[0], idle[2]], prefix) for prefix in homes}
    assert all(without_two[prefix] == home for prefix, home in homes.items() if home != 2)


@pytest.mark.parametrize(("ahead", "stays"), [(0, True), (4, True), (5, False)])
def test_unless_that_one_has_more_than_its_slots_beyond_the_least_busy(ahead: int, stays: bool) -> None:
    home = choose_replica([Busy(1, 0, 4), Busy(2, 0, 4)], 77)
    loads = [Busy(replica, 3 + (ahead if replica == home else 0), 4) for replica in (1, 2)]
    assert (choose_replica(loads, 77) == home) == stays


SPEAKERS = {
    "a ready one": ([State.FAILED, State.READY, State.STARTING], 1),
    "one that is coming": ([State.BACKOFF, State.QUEUED, State.STARTING], 2),
    "the first of equals": ([State.READY, State.READY], 0),
    "one that is going": ([State.STOPPED, State.STOPPING], 1),
    "one that has failed": ([State.STOPPED, State.FAILED], 1),
}


@pytest.mark.parametrize("case", SPEAKERS)
def test_who_speaks_for_the_model(case: str) -> None:
    states, expected = SPEAKERS[case]
    assert choose_speaker(states) == expected


async def add(rig: Rig, replicas: int, behaviour: Behaviour | None = None, **facts: Any) -> str:
    await rig.add("alpha", behaviour, **facts)
    await rig.choose("alpha", settings={"replicas": replicas})
    return "alpha"


async def start(rig: Rig, replicas: int, behaviour: Behaviour | None = None, **facts: Any) -> list[Server]:
    """All of them ready."""
    model_id = await add(rig, replicas, behaviour, **facts)
    await rig.fleet.start(model_id)
    await until(partial(are_ready, rig, replicas))
    return list(rig.fleet.servers_of(model_id))


def states(rig: Rig) -> list[State]:
    return [server.state for server in rig.fleet.servers_of("alpha")]


def are_ready(rig: Rig, count: int) -> bool:
    return states(rig).count(State.READY) == count


def pids(rig: Rig) -> list[int]:
    return [server.process.pid for server in rig.fleet.servers_of("alpha") if server.process]


async def test_each_has_a_port_a_log_and_a_record_of_its_own(rig: Rig) -> None:
    servers = await start(rig, 3)
    assert [server.server_id for server in servers] == ["alpha", "alpha#2", "alpha#3"]
    assert sorted(actor.port for actor in rig.stage.actors) == list(rig.ports)[:3]
    assert rig.port("alpha") == rig.ports.start
    for server in servers:
        assert rig.fleet.servers[server.server_id] is server
        assert (rig.folder / "journal" / f"{server.server_id}.json").exists()
        assert await rig.fleet.log_tail("alpha", 1, server.replica)
        assert rig.fleet.budget.admission.reserved(server.server_id)
    await rig.fleet.stop("alpha")
    assert Journal(rig.folder / "journal").read() == []


async def test_a_start_answers_when_the_first_is_ready(rig: Rig) -> None:
    await add(rig, 2, Behaviour(loads_when_told=True))
    starting = asyncio.create_task(rig.fleet.start("alpha"))
    first = await rig.enter("alpha")
    assert states(rig) == [State.STARTING, State.STOPPED]
    first.tell("ready")
    assert (await starting).port == first.port
    assert rig.fleet.state_of("alpha") is State.READY
    second = await rig.enter("alpha")
    assert (await rig.fleet.start("alpha")).was_running
    second.tell("ready")
    await until(partial(are_ready, rig, 2))
    assert rig.spawns("alpha") == 2


async def test_they_come_up_though_the_caller_leaves(rig: Rig) -> None:
    await add(rig, 2, Behaviour(loads_when_told=True))
    starting = asyncio.create_task(rig.fleet.start("alpha"))
    first = await rig.enter("alpha")
    starting.cancel()
    first.tell("ready")
    (await rig.enter("alpha")).tell("ready")
    await until(partial(are_ready, rig, 2))


async def test_where_the_first_fails_the_start_has_failed(rig: Rig) -> None:
    await add(rig, 3, Behaviour(exit_code=1))
    with pytest.raises(StartFailed):
        await rig.fleet.start("alpha")
    assert rig.fleet.state_of("alpha") is State.FAILED
    await asyncio.sleep(0)
    assert rig.spawns("alpha") == 1


async def test_a_stop_ends_them_all(rig: Rig) -> None:
    await start(rig, 3)
    assert (await rig.fleet.stop("alpha")).was_active
    assert states(rig) == [State.STOPPED] * 3
    assert not (await rig.fleet.stop("alpha")).was_active


async def test_a_stop_ends_those_that_were_still_to_come(rig: Rig) -> None:
    await add(rig, 3, Behaviour(loads_when_told=True))
    starting = asyncio.create_task(rig.fleet.start("alpha"))
    (await rig.enter("alpha")).tell("ready")
    await starting
    await rig.enter("alpha")
    await rig.fleet.stop("alpha")
    assert states(rig) == [State.STOPPED] * 3


async def test_a_stop_while_the_first_loads_leaves_nothing(rig: Rig) -> None:
    await add(rig, 2, Behaviour(loads_when_told=True))
    starting = asyncio.create_task(rig.fleet.start("alpha"))
    await rig.enter("alpha")
    await rig.fleet.stop("alpha")
    with pytest.raises(StartCancelled):
        await starting
    assert rig.spawns("alpha") == 1


async def test_an_unloading_ends_them_all_and_a_request_brings_them_back(rig: Rig) -> None:
    await start(rig, 2)
    await rig.fleet.unload("alpha")
    assert states(rig) == [State.STOPPED] * 2
    await rig.fleet.start("alpha", by_request=True)
    await until(partial(are_ready, rig, 2))
    assert not any(server.by_hand for server in rig.fleet.servers_of("alpha"))
    await rig.fleet.start("alpha")
    await until(lambda: all(server.by_hand for server in rig.fleet.servers_of("alpha")))


async def test_one_dies_the_others_go_on_and_it_comes_back(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    limits = RestartLimits(first_delay_seconds=0.01)
    async with open_rig(tmp_path, engine, stage, ports, restart_limits=limits) as rig:
        await start(rig, 2)
        first, second = await rig.enter("alpha"), await rig.enter("alpha")
        with rig.fleet.lease("alpha") as lease:
            assert lease.replica == 1
        first.die(1)
        await until(lambda: not rig.server("alpha").is_available)
        assert rig.fleet.state_of("alpha") is State.READY
        with rig.fleet.lease("alpha") as lease:
            assert lease.server_id == "alpha#2"
            assert (lease.replica, lease.url) == (2, f"http://127.0.0.1:{second.port}")
        await rig.enter("alpha")
        await until(partial(are_ready, rig, 2))


async def test_one_that_is_given_up_leaves_the_model_running_until_a_start_brings_it_back(rig: Rig) -> None:
    await start(rig, 2)
    first, second = await rig.enter("alpha"), await rig.enter("alpha")
    first.die(7)
    await until(lambda: states(rig) == [State.FAILED, State.READY])
    missing = explain_missing([server.failure for server in rig.fleet.servers_of("alpha")])
    assert missing is not None and missing.startswith(
        "1 of 2 replicas run. Replica 1: Server ended by itself."
    )
    started = await rig.fleet.start("alpha")
    assert (started.was_running, started.port) == (True, second.port)
    await until(partial(are_ready, rig, 2))
    assert explain_missing([server.failure for server in rig.fleet.servers_of("alpha")]) is None


async def test_memory_for_some_runs_some_and_nobody_stops_for_them(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    async with open_rig(tmp_path, engine, stage, ports, memory_limit_bytes=1300 * MB) as rig:
        await rig.add("idle", size_bytes=200 * MB)
        await rig.fleet.start("idle", by_request=True)
        await add(rig, 3, size_bytes=400 * MB)
        await rig.fleet.start("alpha")
        await until(lambda: states(rig) == [State.READY, State.READY, State.FAILED])
        failure = rig.fleet.servers["alpha#3"].failure
        assert failure is not None and failure.error == "Not enough memory"
        assert rig.server("idle").state is State.READY


async def test_one_of_several_may_make_room_for_another(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    clock = Clock()
    async with open_rig(tmp_path, engine, stage, ports, memory_limit_bytes=1000 * MB, clock=clock) as rig:
        await add(rig, 2, size_bytes=400 * MB)
        await rig.fleet.start("alpha", by_request=True)
        await until(partial(are_ready, rig, 2))
        await rig.add("beta", size_bytes=400 * MB)
        with rig.fleet.lease("alpha"), rig.fleet.lease("alpha"):
            assert await rig.fleet.would_free("beta") == ("alpha",)
        clock.advance(1)
        await rig.fleet.start("beta", by_request=True)
        assert sorted(states(rig)) == [State.READY, State.STOPPED]
        assert rig.server("beta").state is State.READY


async def test_none_ready_is_not_running(rig: Rig) -> None:
    await start(rig, 2)
    for server in rig.fleet.servers_of("alpha"):
        assert server.process is not None
        (await rig.enter("alpha")).die(1)
    await until(lambda: states(rig) == [State.FAILED] * 2)
    with pytest.raises(NotRunning, match="It is failed"):
        rig.fleet.lease("alpha")


async def test_leases_go_to_the_least_busy_and_prefixes_to_their_own(rig: Rig) -> None:
    await start(rig, 3)
    with rig.fleet.lease("alpha") as one, rig.fleet.lease("alpha") as two, rig.fleet.lease("alpha") as three:
        assert [one.replica, two.replica, three.replica] == [1, 2, 3]
    homes = {prefix: rig.fleet.lease("alpha", prefix).replica for prefix in range(20)}
    assert len(set(homes.values())) > 1
    with rig.fleet.lease("alpha", 7) as lease:
        assert rig.fleet.lease("alpha", 7).replica == lease.replica == homes[7]


async def test_how_many_slots_each_has(rig: Rig) -> None:
    await add(rig, 2)
    await rig.choose("alpha", settings={"replicas": 2, "parallel": 3})
    await rig.fleet.start("alpha")
    await until(partial(are_ready, rig, 2))
    assert [server.slots for server in rig.fleet.servers_of("alpha")] == [3, 3]
    await rig.fleet.stop("alpha")
    assert rig.server("alpha").slots == 0


async def test_all_of_them_outlast_the_control_plane(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    async with open_rig(tmp_path, engine, stage, ports) as first:
        await start(first, 3)
        before = pids(first)
        await first.fleet.let_go(0.0)
        async with open_rig(tmp_path, engine, stage, ports) as second:
            await second.fleet.adopt()
            assert pids(second) == before
            assert [server.slots for server in second.fleet.servers_of("alpha")] == [4, 4, 4]
            await second.add("beta")
            assert (await second.fleet.start("beta")).port == ports[3]
            await second.fleet.stop("alpha")
            assert states(second) == [State.STOPPED] * 3
            assert [record.command.model_id for record in Journal(tmp_path / "journal").read()] == ["beta"]


async def test_one_that_ended_meanwhile_is_started_again_beside_the_others(
    tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    async with open_rig(tmp_path, engine, stage, ports) as first:
        await start(first, 2)
        lost = await first.enter("alpha")
        await first.fleet.let_go(0.0)
        lost.die(1)
        await lost.saw("gone")
        async with open_rig(tmp_path, engine, stage, ports) as second:
            await second.fleet.adopt()
            assert states(second) == [State.FAILED, State.READY]
            assert (await second.fleet.start("alpha")).was_running
            await until(partial(are_ready, second, 2))


async def test_start_all_and_stop_all_count_models_and_give_every_model_one_first(
    tmp_path: Path, engine: Path, stage: Stage
) -> None:
    async with open_rig(tmp_path, engine, stage, free_ports(6), start_concurrency=1) as rig:
        await add(rig, 3)
        await rig.add("beta", size_bytes=2000)
        outcomes = await rig.fleet.start_all(["alpha", "beta"], None)
        assert [isinstance(outcome.result, Started) for outcome in outcomes] == [True, True]
        await until(partial(are_ready, rig, 3))
        assert [actor.model.stem for actor in stage.actors] == ["alpha", "beta", "alpha", "alpha"]
        stopped = await rig.fleet.stop_all()
        assert [outcome.entry.model_id for outcome in stopped] == ["alpha", "beta"]
        assert states(rig) == [State.STOPPED] * 3


async def test_they_are_idle_together(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> None:
    clock = Clock()
    async with open_rig(tmp_path, engine, stage, ports, idle_stop_seconds=60.0, clock=clock) as rig:
        await add(rig, 2)
        await rig.fleet.start("alpha", by_request=True)
        await until(partial(are_ready, rig, 2))
        clock.advance(60)
        with rig.fleet.lease("alpha"):
            assert rig.fleet.idle_stops.look() == []
        clock.advance(59)
        assert rig.fleet.idle_stops.look() == []
        clock.advance(1)
        await asyncio.gather(*rig.fleet.idle_stops.look())
        assert states(rig) == [State.STOPPED] * 2


async def test_another_number_wants_a_start(rig: Rig) -> None:
    await start(rig, 1)
    await rig.choose("alpha", settings={"replicas": 3})
    assert rig.fleet.restart_required(rig.registry.get("alpha"))
    assert (await rig.fleet.start("alpha")).was_running
    await until(partial(are_ready, rig, 3))
    assert not rig.fleet.restart_required(rig.registry.get("alpha"))
    await rig.choose("alpha", settings={"replicas": 1})
    assert rig.fleet.restart_required(rig.registry.get("alpha"))
    await rig.fleet.stop("alpha")
    assert not rig.fleet.restart_required(rig.registry.get("alpha"))


async def test_only_the_first_has_the_pinned_port(rig: Rig) -> None:
    await add(rig, 2)
    pinned = free_ports(1).start
    await rig.choose("alpha", settings={"replicas": 2}, port=pinned, port_is_pinned=True)
    await rig.fleet.start("alpha")
    await until(partial(are_ready, rig, 2))
    commands = [server.command for server in rig.fleet.servers_of("alpha")]
    assert [(c.port, c.port_is_pinned) for c in commands if c] == [(pinned, True), (rig.ports.start, False)]


async def test_a_pin_of_a_replicas_port_names_it(rig: Rig) -> None:
    await start(rig, 2)
    await rig.add("beta")
    await rig.choose("beta", port=rig.ports[1], port_is_pinned=True)
    with pytest.raises(StartFailed, match=f"Port {rig.ports[1]} already in use by alpha#2"):
        await rig.fleet.start("beta")


async def test_without_a_port_for_all_some_run(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_rig(tmp_path, engine, stage, free_ports(2)) as rig:
        await add(rig, 3)
        await rig.fleet.start("alpha")
        await until(lambda: states(rig) == [State.READY, State.READY, State.FAILED])


async def test_a_replica_keeps_its_port_and_gives_it_up_where_no_other_is_free(
    tmp_path: Path, engine: Path, stage: Stage
) -> None:
    async with open_rig(tmp_path, engine, stage, free_ports(2)) as rig:
        await start(rig, 2)
        await rig.fleet.stop("alpha")
        await rig.add("beta")
        assert (await rig.fleet.start("beta")).port == rig.ports[1]
        await rig.fleet.start("alpha")
        await until(lambda: states(rig) == [State.READY, State.FAILED])
        await rig.fleet.stop("beta")
        await rig.fleet.start("alpha")
        await until(partial(are_ready, rig, 2))
