"""Benchmarks as jobs: what they do to the fleet, what disturbs them, and how each ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path

import pytest
from tests.benchmarks.bed import Bed, isolated, judged_by, open_bed
from tests.benchmarks.records import wanted
from tests.fakes.asker import Act, says
from tests.fakes.rig import Rig, until
from tests.fakes.stage import Behaviour

from synapse_engine.benchmarks.before import Before, Ran
from synapse_engine.benchmarks.custody import Custody
from synapse_engine.benchmarks.errors import BenchmarkIsActive, BenchmarkNotFound, TooManyBenchmarks
from synapse_engine.benchmarks.jobs import QUEUE_MAX
from synapse_engine.benchmarks.judging import Decision
from synapse_engine.errors import Booting, CouldNotSave, MachineReserved, UpstreamFailed
from synapse_engine.fleet.state import State
from synapse_engine.modes.asking import Order


@pytest.fixture
async def bed(rig: Rig, engine: Path, tmp_path: Path) -> AsyncIterator[Bed]:
    async with open_bed(rig, engine, tmp_path) as bed:
        yield bed


def watching(bed: Bed, model: str, seen: list[tuple[str, set[str]]]) -> None:
    """Each time that the model is asked, which models have a process."""

    def part(order: Order) -> Sequence[Act]:
        seen.append((model, bed.processes()))
        return ["Yes."]

    bed.part(model, part)


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


async def test_together_all_are_up_at_once(bed: Bed) -> None:
    await bed.rig.fleet.start("a")
    seen: list[tuple[str, set[str]]] = []
    for model in "ab":
        watching(bed, model, seen)
    ended = await bed.run(wanted("a b", "one", repetitions=2, warm_ups=0))
    assert seen == [("a", {"a", "b"}), ("b", {"a", "b"}), ("b", {"a", "b"}), ("a", {"a", "b"})]
    assert ended.loaded["a"].was_running and ended.loaded["a"].seconds is None
    assert ended.loaded["b"].seconds
    assert bed.up() == {"a": True}


async def test_at_once_the_requests_overlap(bed: Bed) -> None:
    # Each goes on once the other has been asked too, or nobody gets on.
    a_is_asked, b_is_asked = asyncio.Event(), asyncio.Event()

    def ask_a(order: Order) -> Sequence[Act]:
        a_is_asked.set()
        return [b_is_asked, "A"]

    def ask_b(order: Order) -> Sequence[Act]:
        b_is_asked.set()
        return [a_is_asked, "B"]

    bed.part("a", ask_a)
    bed.part("b", ask_b)
    ended = await bed.run(wanted("a b", "one", repetitions=1, warm_ups=0, at_once=True))
    assert [sample.text for sample in ended.samples] == ["A", "B"]


async def test_a_model_that_does_not_start_is_left_out(bed: Bed) -> None:
    bed.rig.direct("a", Behaviour(exit_code=1, log=["error: unknown model architecture"]))
    ended = await bed.run(isolated("a b"))
    assert ended.status == "done"
    problem = ended.loaded["a"].problem
    assert problem is not None and problem.error == "Failed to start server"
    assert {sample.model for sample in ended.samples} == {"b"}
    assert (ended.done, ended.total, ended.failed) == (2, 2, 0)
    assert bed.up() == {}


async def test_where_nobody_answers_it_has_failed(bed: Bed) -> None:
    bed.part("a", says(UpstreamFailed("It broke off")))
    ended = await bed.run(wanted("a", "one", repetitions=2, warm_ups=0))
    assert ended.status == "failed" and ended.failed == 2
    assert ended.problem is not None and ended.problem.error == "No model has answered"
    assert "It broke off" in ended.problem.detail


async def test_one_that_dies_in_its_midst_is_brought_up_again(bed: Bed) -> None:
    died = asyncio.Event()
    bed.part("a", says("One."), says("Two.", died, UpstreamFailed("It broke off")), says("Three."))

    async def kill() -> None:
        actor = await bed.rig.enter("a")
        await until(lambda: len(bed.asker.of("a")) == 2)
        actor.die()
        await until(lambda: bed.rig.server("a").state is State.FAILED)
        died.set()

    killing = asyncio.create_task(kill())
    ended = await bed.run(isolated("a", repetitions=3, warm_ups=0))
    await killing
    assert ended.status == "done"
    assert [sample.problem is None for sample in ended.samples] == [True, False, True]
    failed = ended.samples[1]
    assert failed.text == "Two." and failed.total_seconds is None
    assert bed.rig.spawns("a") == 2
    assert "a had ended within the benchmark and was started again." in ended.notes
    assert bed.up() == {}


async def test_one_whose_file_goes_is_left_out(bed: Bed) -> None:
    gone = asyncio.Event()

    async def delete() -> None:
        actor = await bed.rig.enter("a")
        await until(lambda: len(bed.asker.of("a")) == 1)
        bed.rig.path("a").unlink()
        actor.die()
        await actor.saw("gone")
        await bed.rig.fleet.servers["a"].settled()
        gone.set()

    deleting = asyncio.create_task(delete())
    bed.part("a", lambda order: [gone, "One."])
    ended = await bed.run(isolated("a b", warm_ups=0))
    await deleting
    problem = ended.loaded["a"].problem
    assert problem is not None and problem.error == "Model file not found: a"
    assert [(sample.model, sample.problem is None) for sample in ended.samples] == [
        ("a", True),
        ("b", True),
        ("b", True),
    ]
    assert (ended.done, ended.total) == (3, 3)


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


async def test_a_person_stops_what_is_measured(bed: Bed) -> None:
    await bed.rig.fleet.start("a")
    reached = asyncio.Event()
    bed.part("a", says("One."), says(reached, UpstreamFailed("It was stopped")))
    benchmark = await bed.jobs.create(isolated("a b", repetitions=3, warm_ups=0))
    await bed.until(lambda: benchmark.done == 1)
    await bed.rig.fleet.stop("a")
    reached.set()
    ended = await bed.ended(benchmark)
    problem = ended.loaded["a"].problem
    assert problem is not None and "somebody stopped it" in problem.detail
    assert [s.model for s in ended.samples if s.problem is None] == ["a", "b", "b", "b"]
    # That is the later word.
    assert bed.up() == {} and bed.held() == {"a"}


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


async def test_requests_of_others_are_seen(bed: Bed) -> None:
    def disturbed(order: Order) -> Sequence[Act]:
        for _ in range(3):
            with bed.rig.fleet.lease("a"):
                pass
        return ["Two."]

    bed.part("a", lambda order: _own(bed, "One."), disturbed)
    ended = await bed.run(isolated("a", warm_ups=0))
    # The fake asker takes no lease of its own, so one of the three is taken for the benchmark's.
    assert [sample.other_requests for sample in ended.samples] == [0, 2]
    assert any("Others asked models here meanwhile" in note for note in ended.notes)


def _own(bed: Bed, text: str) -> Sequence[Act]:
    with bed.rig.fleet.lease("a"):
        return [text]


async def test_the_judge_sees_each_pair_in_both_orders_and_no_names(bed: Bed) -> None:
    bed.part("a", says("Paris."))
    bed.part("b", says("London."))
    bed.part("c", lambda order: f"VERDICT: {1 if _first_answer(order) == 'Paris.' else 2}")
    ended = await bed.run(judged_by("c", warm_ups=0))
    assert ended.judgement is not None
    (comparison,) = ended.judgement.comparisons
    assert (comparison.outcome, comparison.winner) == (Decision.ONE, "a")
    forward, backward = bed.asker.of("c")
    assert [_first_answer(asked.order) for asked in (forward, backward)] == ["Paris.", "London."]
    assert (ended.done, ended.total) == (4, 4)
    assert bed.up() == {}


async def test_a_judge_that_prefers_a_place_decides_nothing(bed: Bed) -> None:
    bed.part("c", says("VERDICT: 1"))
    ended = await bed.run(judged_by("c"))
    assert ended.judgement is not None
    assert ended.judgement.comparisons[0].outcome is Decision.BIASED


async def test_a_judge_that_does_not_start_spoils_nothing(bed: Bed) -> None:
    bed.rig.direct("c", Behaviour(exit_code=1))
    ended = await bed.run(judged_by("c", is_isolated=True))
    assert (ended.status, ended.done, ended.total) == ("done", 2, 2)
    assert any("c could not judge" in note for note in ended.notes)


def _first_answer(order: Order) -> str:
    return order.messages[-1].content.partition("--- Answer 1 ---")[2].split()[0]


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
