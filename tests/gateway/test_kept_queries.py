"""Queries in the store: saved as they happen, bounded, and marked where they were broken off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fakes.asker import figures

from synapse_engine.catalog.model import Tier
from synapse_engine.gateway.kept_queries import Keeper, delete, interrupt, load, newest, steps_of
from synapse_engine.gateway.queries import first_query_id
from synapse_engine.modes.asking import Message
from synapse_engine.modes.record import record_of
from synapse_engine.modes.steps import (
    Agreement,
    Answer,
    Begun,
    Casting,
    Done,
    Note,
    Pair,
    Player,
    Said,
    Step,
    Text,
    Turn,
    Usage,
)
from synapse_engine.store import Store

AT = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)


def steps(query_id: int, query: str = "Why?") -> list[Step]:
    said = Said(1, "It is.", "Hm.", figures("a_fast", 2, 1.0, 0.5), None, 2.0)
    return [
        Begun(query_id, "simple", query, AT, ["a_fast"], {"seed": 1}, [Message("system", "Be brief.")]),
        Casting([Player("A", "answer", "a_fast", "a_fast", Tier.FAST, None, {"seed": 2})]),
        Turn(1, "A", "answer", 1, "a_fast", [], [Message("user", query)], True, 0.5),
        Text(1, "It is.", "Hm."),
        said,
        Note("n", 1, "A"),
        Agreement(1, 0.5, None, [Pair(["A", "B"], 0.5)]),
        Answer("It is. " * 100, 1, "a_fast"),
        Done("done", None, Usage(10, 0, 2), 2.5, 1.5),
    ]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "synapse.db")
    yield store
    await store.close()


async def keep(keeper: Keeper, query_id: int, told: list[Step]) -> None:
    for number, step in enumerate(told):
        keeper.keep(query_id, number, step)
    await keeper.flush()


async def test_what_is_told_is_there_again(store: Store) -> None:
    """All but the pieces of texts, in their order, with every type as it was."""
    keeper = Keeper(store, 10)
    await keep(keeper, 7, steps(7))
    kept = [step for step in steps(7) if not isinstance(step, Text)]
    assert await store.run(lambda connection: steps_of(connection, 7)) == kept
    assert await store.run(lambda connection: load(connection, 7)) == record_of(kept)
    (row,) = await store.run(lambda connection: newest(connection, None, None, None, 10))
    assert (row.id, row.mode, row.status, row.total_seconds) == (7, "simple", "done", 2.5)
    assert row.began_at == AT.timestamp() and row.query == "Why?"
    assert row.answer is not None and len(row.answer) == 300
    assert await store.run(lambda connection: load(connection, 8)) is None


async def test_step_by_step(store: Store) -> None:
    keeper = Keeper(store, 10)
    await keep(keeper, 7, steps(7)[:5])
    record = await store.run(lambda connection: load(connection, 7))
    assert record is not None
    assert (record.status, record.turns[0].text, record.answer) == ("running", "It is.", None)


@pytest.mark.parametrize("kept", [0, 1, 2])
async def test_the_oldest_go_first(store: Store, kept: int) -> None:
    keeper = Keeper(store, kept)
    for query_id in (1, 2, 3):
        await keep(keeper, query_id, steps(query_id))
    rows = await store.run(lambda connection: newest(connection, None, None, None, 10))
    assert [row.id for row in rows] == [3, 2, 1][:kept]
    left = await store.run(lambda c: c.execute("SELECT DISTINCT query_id FROM query_steps").fetchall())
    assert sorted(query_id for (query_id,) in left) == [1, 2, 3][3 - kept :]


async def test_of_a_deleted_one_nothing_comes_back(store: Store) -> None:
    keeper = Keeper(store, 10)
    told = steps(7)
    await keep(keeper, 7, told[:5])
    assert await store.run(lambda connection: delete(connection, 7))
    for number, step in enumerate(told[5:], 5):
        keeper.keep(7, number, step)
    await keeper.flush()
    assert await store.run(lambda connection: steps_of(connection, 7)) == []
    assert not await store.run(lambda connection: delete(connection, 7))


async def test_pages_and_sorts(store: Store) -> None:
    keeper = Keeper(store, 10)
    for query_id in range(1, 6):
        await keep(keeper, query_id, steps(query_id)[: 9 if query_id % 2 else 5])

    async def ids(before: int | None, mode: str | None, status: str | None, limit: int = 10) -> list[int]:
        rows = await store.run(lambda connection: newest(connection, before, mode, status, limit))
        return [row.id for row in rows]

    assert await ids(None, None, None, 2) == [5, 4]
    assert await ids(4, None, None) == [3, 2, 1]
    assert await ids(None, None, "running") == [4, 2]
    assert await ids(None, "council", None) == []


async def test_what_was_under_way_is_interrupted_at_the_next_start(store: Store) -> None:
    await keep(Keeper(store, 10), 3, steps(3)[:5])
    await keep(Keeper(store, 10), 4, steps(4))
    assert await first_query_id(store) == 5
    record = await store.run(lambda connection: load(connection, 3))
    assert record is not None and record.status == "interrupted"
    other = await store.run(lambda connection: load(connection, 4))
    assert other is not None and other.status == "done"
    assert await store.run(interrupt) == 4


async def test_a_store_that_fails_holds_up_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once; and later queries are kept again."""
    folder = tmp_path / "file"
    folder.write_text("no folder")
    store = Store(folder / "synapse.db")
    keeper = Keeper(store, 10)
    await keep(keeper, 1, steps(1))
    await keep(keeper, 2, steps(2))
    assert caplog.text.count("queries are not kept until that is over") == 1
    assert await first_query_id(store) > 1_000_000
    folder.unlink()
    await keep(keeper, 3, steps(3))
    assert await store.run(lambda connection: load(connection, 3)) is not None
    await store.close()


async def test_a_flush_waits_for_what_was_told_before_it(store: Store) -> None:
    keeper = Keeper(store, 10)
    await keeper.flush()
    flushes = []
    for query_id in (1, 2, 3):
        keeper.keep(query_id, 0, steps(query_id)[0])
        flushes.append(asyncio.create_task(keeper.flush()))
    await flushes[-1]
    rows = await store.run(lambda connection: newest(connection, None, None, None, 10))
    assert len(rows) == 3
    await asyncio.gather(*flushes)
