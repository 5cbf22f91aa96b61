"""One benchmark over the fleet: what is measured, what disturbs it, and what the judge is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.benchmarks.bed import Bed, isolated, judged_by, watching
from tests.benchmarks.records import wanted
from tests.fakes.asker import Act, says
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour

from synapse_engine.benchmarks.judging import Decision
from synapse_engine.errors import UpstreamFailed
from synapse_engine.fleet.state import State
from synapse_engine.modes.asking import Order


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
        # The process may be gone before the fleet knows.
        await until(lambda: bed.rig.server("a").state is State.FAILED)
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
