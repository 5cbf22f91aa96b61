"""The fleet during a benchmark and after it: who may start what, and what is put back."""

from __future__ import annotations

import asyncio
from itertools import groupby

import pytest
from tests.benchmarks.bed import Bed, isolated, watching
from tests.benchmarks.records import wanted
from tests.fakes.asker import says
from tests.fakes.stage import Behaviour

from synapse_engine.benchmarks.before import Before, Ran
from synapse_engine.benchmarks.custody import Custody
from synapse_engine.errors import Booting, MachineReserved


async def test_in_isolation_one_model_has_a_process_and_the_fleet_is_put_back(bed: Bed) -> None:
    await bed.rig.fleet.start("a")
    await bed.rig.fleet.start("c", by_request=True)
    await bed.rig.fleet.hold(["b"], True)
    seen: list[tuple[str, set[str]]] = []
    for model in "ab":
        watching(bed, model, seen)
    ended = await bed.run(isolated("a b", warm_ups=1))
    assert ended.status == "done"
    assert seen == [("a", {"a"})] * 3 + [("b", {"b"})] * 3
    assert bed.up() == {"a": True, "c": False}
    assert bed.held() == {"b"}
    assert [(s.model, s.repetition, s.problem) for s in ended.samples] == [
        ("a", 1, None),
        ("a", 2, None),
        ("b", 1, None),
        ("b", 2, None),
    ]
    a, b = ended.loaded["a"], ended.loaded["b"]
    assert a.seconds and b.seconds and not (a.was_running or b.was_running)
    assert all(sample.resident_bytes and sample.private_bytes for sample in ended.samples)
    assert bed.heard[-1] == ("done", None)
    stages = [stage for stage, _ in groupby(stage for _, stage in bed.heard)]
    part = ["loading", "warming_up", "measuring"]
    assert stages == [None, "preparing", *part, *part, "restoring", None]


async def test_in_isolation_nobody_else_starts_anything(bed: Bed) -> None:
    await bed.rig.fleet.start("c", by_request=True)
    go_on = asyncio.Event()
    bed.part("a", says("Well", go_on))
    benchmark = await bed.jobs.create(isolated("a", warm_ups=0))
    await bed.until_stage("measuring")
    with pytest.raises(MachineReserved, match=f"benchmark {benchmark.id}") as by_hand:
        await bed.rig.fleet.start("b")
    with pytest.raises(MachineReserved) as by_request:
        await bed.rig.fleet.start("c", by_request=True)
    assert (by_hand.value.status, by_request.value.status) == (409, 503)
    # Not even the one that is measured: the benchmark stops it in a moment.
    with pytest.raises(MachineReserved):
        await bed.rig.fleet.start("a")
    go_on.set()
    await bed.ended(benchmark)
    assert bed.up() == {"c": False}
    await bed.rig.fleet.start("b")


async def test_as_everything_is_to_stop_nothing_is_started_again(bed: Bed) -> None:
    await bed.rig.fleet.start("c")
    await bed.rig.fleet.hold(["b"], True)
    bed.part("a", says("Well", asyncio.Event()))
    running = await bed.jobs.create(isolated("a", warm_ups=0))
    waiting = await bed.jobs.create(isolated("b"))
    await bed.until_stage("measuring")
    await bed.jobs.cancel_all()
    await bed.rig.fleet.stop_all()
    assert (await bed.ended(running)).status == "cancelled"
    assert (await bed.ended(waiting)).status == "cancelled"
    assert bed.up() == {} and bed.processes() == set()
    assert "b" in bed.held()


async def test_what_was_started_meanwhile_goes_on(bed: Bed) -> None:
    """Together, others may start models; one that a person starts is not the benchmark's to stop."""
    go_on = asyncio.Event()
    bed.part("a", says("Well", go_on))
    benchmark = await bed.jobs.create(wanted("a b", "one", warm_ups=0))
    await bed.until_stage("measuring")
    await bed.rig.fleet.start("b")
    await bed.rig.fleet.start("c", by_request=True)
    go_on.set()
    await bed.ended(benchmark)
    assert bed.up() == {"b": True, "c": False}


async def test_a_control_plane_that_ends_puts_the_fleet_back_when_it_comes_again(bed: Bed) -> None:
    await bed.rig.fleet.start("c")
    await bed.rig.fleet.hold(["b"], True)
    bed.part("a", says("One."), says("Well", asyncio.Event()))
    running = await bed.jobs.create(isolated("a b", warm_ups=0))
    waiting = await bed.jobs.create(wanted("a", "one"))
    await bed.until(lambda: running.done == 1)
    await bed.jobs.close()
    # As it was in that moment: servers outlast the control plane.
    assert bed.up() == {"a": False}
    await bed.plug_in().recover()
    for benchmark in (running, waiting):
        kept = await bed.jobs.find(benchmark.id)
        assert kept.status == "interrupted"
        assert kept.problem is not None and kept.problem.error == "Interrupted"
    assert len((await bed.jobs.find(running.id)).samples) == 1
    with pytest.raises(Booting):
        await bed.jobs.create(wanted("a", "one"))
    bed.jobs.begin()
    assert (await bed.run(wanted("b", "one"))).status == "done"
    assert bed.up() == {"c": True}
    # Once, and not again.
    await bed.jobs.close()
    await bed.rig.fleet.stop("c")
    await bed.plug_in().recover()
    bed.jobs.begin()
    await bed.run(wanted("b", "one"))
    assert bed.up() == {}


async def test_after_a_restart_of_the_machine_nothing_is_put_back(bed: Bed) -> None:
    before = Before((Ran("c", True),), ("b",), "another run of the machine")
    custody = Custody(bed.rig.fleet, bed.rig.registry)
    problems = await custody.restore(before, ["a"], None, starts_again=True)
    (problem,) = problems
    assert problem.startswith("The machine was restarted since") and problem.endswith(": c")
    assert bed.up() == {} and bed.held() == set()


async def test_what_does_not_come_back_is_told(bed: Bed) -> None:
    await bed.rig.fleet.start("c")
    bed.rig.direct("c", Behaviour(exit_code=1, log=["error: it is broken by now"]))
    ended = await bed.run(isolated("a"))
    assert ended.status == "done"
    assert any(note.startswith("c ran before and did not come back: Failed to start") for note in ended.notes)


async def test_one_that_ends_with_its_servers_leaves_nothing_to_put_back(bed: Bed) -> None:
    await bed.rig.fleet.start("c")
    bed.part("a", says("Well", asyncio.Event()))
    running = await bed.jobs.create(isolated("a", warm_ups=0))
    await bed.until_stage("measuring")
    await bed.jobs.close(forgets=True)
    await bed.rig.fleet.stop_all()
    await bed.rig.fleet.hold("abc", False)
    await bed.plug_in().recover()
    bed.jobs.begin()
    assert (await bed.jobs.find(running.id)).status == "interrupted"
    await bed.run(wanted("b", "one"))
    assert bed.up() == {}
