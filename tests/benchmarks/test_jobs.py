"""Benchmarks as jobs: one at a time, each kept, and how each ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext

import pytest
from tests.benchmarks.bed import Bed, isolated, judged_by
from tests.benchmarks.records import wanted
from tests.fakes.asker import Act, says
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour

from synapse_engine.benchmarks.errors import BenchmarkIsActive, BenchmarkNotFound, TooManyBenchmarks
from synapse_engine.benchmarks.jobs import QUEUE_MAX
from synapse_engine.errors import CouldNotSave
from synapse_engine.modes.asking import Order


@pytest.mark.parametrize("at", ["preparing", "loading", "warming_up", "measuring", "judging"])
async def test_cancelled_in_each_of_its_stages(bed: Bed, at: str) -> None:
    await bed.rig.fleet.start("c")
    well = says("Well", asyncio.Event())
    parts = {
        "warming_up": [well],
        "measuring": [says("One."), well],
        "judging": [says("One."), says("Two."), well],
    }
    for model in "ab":
        bed.part(model, *parts.get(at, [says("Yes.")]))
    if at == "loading":
        bed.rig.direct("a", Behaviour(loads_when_told=True))
    with bed.rig.fleet.lease("c") if at == "preparing" else nullcontext():
        # While c is being asked it does not stop.
        benchmark = await bed.jobs.create(judged_by("b", "a b", is_isolated=True))
        await bed.until_stage(at)
        if at == "preparing":
            await until(lambda: bed.rig.server("c").is_leaving)
        await bed.jobs.cancel(benchmark.id)
    ended = await bed.ended(benchmark)
    assert ended.status == "cancelled" and ended.problem is None
    assert len(ended.samples) == (2 if at == "judging" else 0)
    assert all(asked.ended is not None for asked in bed.asker.asked)
    assert bed.up() == {"c": True}
    assert bed.rig.fleet.reserved.holder is None


async def test_a_cancel_while_the_fleet_is_put_back_changes_nothing(bed: Bed) -> None:
    await bed.rig.fleet.start("c")
    await bed.rig.enter("c")
    bed.rig.direct("c", Behaviour(loads_when_told=True))
    benchmark = await bed.jobs.create(isolated("a"))
    actor = await bed.rig.enter("c")
    assert bed.heard[-1][1] == "restoring"
    await bed.jobs.cancel(benchmark.id)
    actor.tell("ready")
    assert (await bed.ended(benchmark)).status == "done"
    assert bed.up() == {"c": True}


async def test_one_at_a_time_and_one_that_waits_can_be_cancelled(bed: Bed) -> None:
    go_on = asyncio.Event()
    bed.part("a", says("Well", go_on))
    first = await bed.jobs.create(wanted("a", "one", warm_ups=0))
    second = await bed.jobs.create(wanted("b", "one", warm_ups=0))
    third = await bed.jobs.create(wanted("c", "one", warm_ups=0))
    await bed.until_stage("measuring")
    assert [b.status.value for b in bed.jobs.active] == ["running", "queued", "queued"]
    with pytest.raises(BenchmarkIsActive):
        await bed.jobs.delete(second.id)
    await bed.jobs.cancel(second.id)
    go_on.set()
    await bed.ended(first)
    await bed.ended(third)
    statuses = [(b.id, b.status.value) for b in await bed.jobs.newest(None, 10)]
    assert statuses == [(3, "done"), (2, "cancelled"), (1, "done")]
    assert bed.asker.of("b") == []
    await bed.jobs.delete(second.id)
    with pytest.raises(BenchmarkNotFound):
        await bed.jobs.find(second.id)
    assert [b.id for b in await bed.jobs.newest(3, 10)] == [1]


async def test_there_is_an_end_to_the_line(bed: Bed) -> None:
    bed.part("a", says("Well", asyncio.Event()))
    for _ in range(QUEUE_MAX):
        await bed.jobs.create(wanted("a", "one"))
    with pytest.raises(TooManyBenchmarks):
        await bed.jobs.create(wanted("a", "one"))


async def test_the_newest_are_kept(bed: Bed) -> None:
    bed.jobs.archive.kept = 2
    for _ in range(3):
        await bed.run(wanted("a", "one", warm_ups=0))
    assert [(b.id, b.done) for b in await bed.jobs.newest(None, 10)] == [(3, 3), (2, 3)]
    with pytest.raises(BenchmarkNotFound):
        await bed.jobs.find(1)
    # An id is never given again.
    await bed.jobs.delete(3)
    assert (await bed.run(wanted("a", "one"))).id == 4


async def test_a_defect_ends_one_benchmark_and_no_more(bed: Bed) -> None:
    def broken(order: Order) -> Sequence[Act]:
        raise ZeroDivisionError("by nothing")

    await bed.rig.fleet.start("c")
    bed.part("a", broken)
    ended = await bed.run(isolated("a"))
    assert ended.status == "failed"
    assert ended.problem is not None and "ZeroDivisionError" in ended.problem.detail
    assert bed.up() == {"c": True}
    assert (await bed.run(isolated("b"))).status == "done"


async def test_a_full_disk_lets_none_begin(bed: Bed) -> None:
    bed.disk.is_full = True
    with pytest.raises(CouldNotSave):
        await bed.jobs.create(isolated("a"))
    assert bed.jobs.active == []


async def test_a_full_disk_stops_none_that_nobody_could_put_back(bed: Bed) -> None:
    await bed.rig.fleet.start("c")
    blocked = asyncio.Event()
    bed.part("b", says("Well", blocked))
    first = await bed.jobs.create(wanted("b", "one", warm_ups=0, repetitions=1))
    second = await bed.jobs.create(isolated("a"))
    await bed.until_stage("measuring")
    bed.disk.is_full = True
    blocked.set()
    await bed.until(lambda: not second.is_active)
    assert (first.status, second.status) == ("done", "failed")
    assert second.problem is not None and second.problem.error == "Could not save"
    assert bed.asker.of("a") == [] and bed.rig.spawns("c") == 1
    # What could not be saved is known all the same, and saved with the next.
    assert (await bed.jobs.find(first.id)).samples
    bed.disk.is_full = False
    await bed.run(wanted("c", "one"))
    await bed.jobs.close()
    bed.plug_in()
    kept = await bed.jobs.find(first.id)
    assert (kept.status, len(kept.samples)) == ("done", 1)
    assert any("could be saved" in note for note in kept.notes)


async def test_one_may_be_cancelled_while_all_are_closed(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.part("a", says("Well", asyncio.Event()))
    _, second, third = [await bed.jobs.create(wanted("a", "one", warm_ups=0)) for _ in range(3)]
    await bed.until_stage("measuring")
    cancelling: list[asyncio.Task[object]] = []

    def cancel_the_third() -> None:
        if second.status == "interrupted" and not cancelling:
            cancelling.append(asyncio.create_task(bed.jobs.cancel(third.id)))

    monkeypatch.setattr(bed.disk, "on_run", cancel_the_third)
    await bed.jobs.close()
    await asyncio.gather(*cancelling)
    assert (second.status, third.status) == ("interrupted", "cancelled")
