"""A machine that one holder has for itself: who may start servers, and what goes on."""

from __future__ import annotations

import pytest
from tests.fakes.rig import Rig

from synapse_engine.errors import MachineReserved
from synapse_engine.fleet.admission import Terms
from synapse_engine.fleet.reserved import Reserved
from synapse_engine.fleet.state import State

HOLDER = "benchmark 7"


def test_by_whom() -> None:
    reserved = Reserved()
    reserved.check(None)
    with reserved.by(HOLDER):
        reserved.check(HOLDER)
        with pytest.raises(MachineReserved, match="reserved for benchmark 7") as person:
            reserved.check(None)
        with pytest.raises(MachineReserved) as request:
            reserved.check(None, by_request=True)
        with pytest.raises(MachineReserved), reserved.by("another"):
            pass
        assert reserved.holder == HOLDER
    assert (person.value.status, request.value.status) == (409, 503)
    assert reserved.holder is None


async def test_only_the_holder_starts_servers_and_what_runs_is_used(rig: Rig) -> None:
    await rig.add("running")
    await rig.add("other")
    await rig.fleet.start("running")
    with rig.fleet.reserved.by(HOLDER):
        with pytest.raises(MachineReserved):
            await rig.fleet.start("other")
        (outcome,) = await rig.fleet.start_all(["other"], None)
        assert isinstance(outcome.result, MachineReserved)
        with rig.fleet.lease("running"):
            pass
        await rig.fleet.stop("running")
        await rig.fleet.start_as("other", Terms(holder=HOLDER))
        assert rig.fleet.state_of("other") is State.READY
    await rig.fleet.start("running")


async def test_one_that_crashes_comes_back_by_itself(rig: Rig) -> None:
    await rig.add("running")
    await rig.choose("running", settings={"restart": "always"})
    rig.fleet._surroundings.restart_limits.most = 5
    await rig.fleet.start("running")
    actor = await rig.enter("running")
    with rig.fleet.reserved.by(HOLDER):
        actor.die()
        await rig.enter("running")
        await rig.server("running").settled()
    assert rig.spawns("running") == 2
