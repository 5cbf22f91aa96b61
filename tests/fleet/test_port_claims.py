"""Ports in use by others, pinned, exhausted and taken over, with real sockets."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest
from tests.fakes.rig import Rig, open_rig
from tests.fakes.stage import Stage
from tests.fakes.strangers import stranger

from synapse_engine.errors import NoFreePort, StartFailed
from synapse_engine.fleet.state import State


async def test_an_automatic_port_moves_on_from_a_stranger(rig: Rig) -> None:
    """One that answers 200 on /health too must not be taken for ours."""
    model_id = await rig.add("alpha")
    async with stranger(rig.ports[0]), stranger(rig.ports[1]):
        started = await rig.fleet.start(model_id)
    assert started.port == rig.ports[2] == rig.port(model_id)
    assert rig.spawns(model_id) == 3
    process = rig.server(model_id).process
    assert process is not None and process.pid == rig.stage.actors[-1].pid


async def test_a_pinned_port_fails_and_names_the_holder(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    await rig.choose(model_id, port=rig.ports[1], port_is_pinned=True)
    async with stranger(rig.ports[1]):
        with pytest.raises(StartFailed) as raised:
            await rig.fleet.start(model_id)
    me = psutil.Process(os.getpid()).name()
    assert (raised.value.error, raised.value.status) == ("Failed to start server", 500)
    assert raised.value.detail == f"Port {rig.ports[1]} already in use by {me} (pid {os.getpid()})"
    assert rig.server(model_id).state is State.FAILED
    assert rig.port(model_id) == rig.ports[1]
    assert (await rig.fleet.start(model_id)).port == rig.ports[1]


async def test_no_port_is_left(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    async with stranger(rig.ports[0]), stranger(rig.ports[1]), stranger(rig.ports[2]), stranger(rig.ports[3]):
        with pytest.raises(NoFreePort) as raised:
            await rig.fleet.start(model_id)
    assert (raised.value.error, raised.value.status) == ("Failed to start server", 500)
    assert raised.value.detail == f"No free port in {rig.ports[0]}-{rig.ports[-1]}"
    assert rig.server(model_id).state is State.FAILED


async def test_every_port_running(rig: Rig) -> None:
    for number in range(5):
        await rig.add(f"m{number}")
    await asyncio.gather(*(rig.fleet.start(f"m{number}") for number in range(4)))
    with pytest.raises(NoFreePort):
        await rig.fleet.start("m4")


async def test_the_port_unused_longest_is_taken_over(rig: Rig) -> None:
    for number in range(5):
        await rig.add(f"m{number}")
    for number in (2, 0, 3, 1):
        await rig.fleet.start(f"m{number}")
    await rig.choose("m2", port_is_pinned=True)
    await rig.fleet.stop_all()
    taken = rig.port("m0")
    assert (await rig.fleet.start("m4")).port == taken
    assert rig.port("m0") is None
    assert rig.port("m2") == rig.ports[0]
    # Who lost its port takes over another's in turn.
    assert (await rig.fleet.start("m0")).port == rig.ports[2]
    assert rig.port("m3") is None


async def test_a_pin_on_a_port_that_another_keeps(rig: Rig) -> None:
    await rig.add("alpha")
    await rig.add("beta")
    await rig.fleet.start("alpha")
    await rig.fleet.stop("alpha")
    await rig.choose("beta", port=rig.ports[0], port_is_pinned=True)
    assert (await rig.fleet.start("beta")).port == rig.ports[0]
    assert (await rig.fleet.start("alpha")).port == rig.ports[1]
    assert rig.registry.get("beta").choices.port_is_pinned


async def test_a_pin_on_a_port_that_another_runs_on(rig: Rig) -> None:
    await rig.add("alpha")
    await rig.add("beta")
    await rig.fleet.start("alpha")
    await rig.choose("beta", port=rig.ports[0], port_is_pinned=True)
    with pytest.raises(StartFailed, match=f"Port {rig.ports[0]} already in use by alpha. Stop it"):
        await rig.fleet.start("beta")
    assert rig.spawns("beta") == 0
    assert (rig.server("alpha").state, rig.port("alpha")) == (State.READY, rig.ports[0])
    assert rig.registry.get("beta").choices.port_is_pinned
    await rig.fleet.stop("alpha")
    assert (await rig.fleet.start("beta")).port == rig.ports[0]
    assert (await rig.fleet.start("alpha")).port == rig.ports[1]


async def test_starts_at_the_same_time_get_different_ports(rig: Rig) -> None:
    names = [f"m{number}" for number in range(4)]
    for model_id in names:
        await rig.add(model_id)
    answers = await asyncio.gather(*(rig.fleet.start(model_id) for model_id in names))
    assert sorted(answer.port for answer in answers) == list(rig.ports)
    assert len(rig.stage.actors) == 4


async def test_a_range_that_has_changed(
    rig: Rig, tmp_path: Path, engine: Path, stage: Stage, ports: range
) -> None:
    """A kept port outside the new range is left; a pinned one is not."""
    for model_id in ("alpha", "beta"):
        await rig.add(model_id)
    await rig.choose("alpha", port=ports[0])
    await rig.choose("beta", port=ports[1], port_is_pinned=True)
    async with open_rig(tmp_path, engine, stage, ports[2:]) as narrower:
        assert (await narrower.fleet.start("alpha")).port == ports[2]
        assert (await narrower.fleet.start("beta")).port == ports[1]
