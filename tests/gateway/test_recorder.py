"""From ended calls to the store: how many, in which order, and who hears of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.fakes.rig import until

from synapse_engine.gateway.activity import ENDED_MAX, Activity, Outcome
from synapse_engine.gateway.recorder import UNTOLD_MAX, Recorder, first_id
from synapse_engine.gateway.records import Record, Wanted, newest
from synapse_engine.metrics import RequestMeasures
from synapse_engine.store import Store


@asynccontextmanager
async def recording(folder: Path, *, is_watched: bool = False, kept: int = 10_000) -> AsyncIterator[Recorder]:
    store = Store(folder / "synapse.db")
    yield Recorder(Activity(await first_id(store)), store, RequestMeasures(), kept, lambda: is_watched)
    await store.close()


def end_some(recorder: Recorder, number: int) -> None:
    activity = recorder.activity
    for _ in range(number):
        call = activity.begin("/v1/embeddings", "openai", "127.0.0.1", lambda: None)
        activity.end(call, Outcome.OK)


async def saved(recorder: Recorder) -> list[Record]:
    return await recorder.store.run(lambda connection: newest(connection, Wanted(), 100_000))


async def run_for_a_while(recorder: Recorder) -> None:
    """Until it has taken all there is."""
    running = asyncio.create_task(recorder.run())
    await until(lambda: not recorder.activity.ended)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await recorder.flush()


async def test_all_that_has_ended_is_saved_in_its_order(tmp_path: Path) -> None:
    async with recording(tmp_path) as recorder:
        end_some(recorder, 300)
        await recorder.flush()
        await recorder.flush()
        assert [record.id for record in await saved(recorder)] == list(range(300, 0, -1))
        end_some(recorder, 1)
        await recorder.flush()
        assert (await saved(recorder))[0].id == 301


async def test_of_too_many_the_newest_are_recorded_and_all_are_counted(tmp_path: Path) -> None:
    async with recording(tmp_path, is_watched=True) as recorder:
        end_some(recorder, 3 * ENDED_MAX)
        await run_for_a_while(recorder)
        ids = [record.id for record in await saved(recorder)]
        assert ids == list(range(3 * ENDED_MAX, 2 * ENDED_MAX, -1))
        assert recorder.recorded == ENDED_MAX
        assert sum(recorder.activity.counts.values()) == 3 * ENDED_MAX


async def test_a_cancelled_one_loses_nothing(tmp_path: Path) -> None:
    async with recording(tmp_path) as recorder:
        end_some(recorder, 200)
        flushing = asyncio.create_task(recorder.flush())
        await asyncio.sleep(0)
        flushing.cancel()
        with suppress(asyncio.CancelledError):
            await flushing
        assert 0 < recorder.recorded < 200
        await recorder.flush()
        assert [record.id for record in await saved(recorder)] == list(range(200, 0, -1))


async def test_others_have_their_turn_in_between(tmp_path: Path) -> None:
    async with recording(tmp_path) as recorder:
        end_some(recorder, ENDED_MAX)
        flushing = asyncio.create_task(recorder.flush())
        turns = 0
        while len(recorder.activity.ended) > 0:
            await asyncio.sleep(0)
            turns += 1
        await flushing
        assert turns >= 50


async def test_who_watches_is_told_the_newest_and_how_many(tmp_path: Path) -> None:
    async with recording(tmp_path, is_watched=True) as recorder:
        end_some(recorder, UNTOLD_MAX + 5)
        await recorder.flush()
        records, number = recorder.take_untold()
        assert [record.id for record in records] == list(range(6, UNTOLD_MAX + 6))
        assert number == UNTOLD_MAX + 5
        assert recorder.take_untold() == ([], 0)
    async with recording(tmp_path) as recorder:
        end_some(recorder, 5)
        await recorder.flush()
        assert recorder.take_untold() == ([], 0)


async def test_ids_go_on_after_those_that_were_kept(tmp_path: Path) -> None:
    async with recording(tmp_path, kept=3) as recorder:
        end_some(recorder, 5)
        await recorder.flush()
    async with recording(tmp_path) as recorder:
        end_some(recorder, 1)
        await recorder.flush()
        assert [record.id for record in await saved(recorder)] == [6, 5, 4, 3]
