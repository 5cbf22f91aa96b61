"""Queries as they are kept: what was asked, and the steps of the answer as each has happened."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from synapse_engine.errors import StoreFailed
from synapse_engine.modes.record import Record, record_of
from synapse_engine.modes.steps import KINDS, Answer, Begun, Done, Status, Step, Text
from synapse_engine.store import Store

EXCERPT_CHARACTERS = 300
STEP_TYPES: Mapping[str, type[Step]] = {kind: step for step, kind in KINDS.items()}

Work = Callable[[sqlite3.Connection], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """A query in the history; query and answer: their first EXCERPT_CHARACTERS. began_at: unix seconds."""

    id: int
    began_at: float
    mode: str
    status: Status
    total_seconds: float | None
    query: str
    answer: str | None


class Keeper:
    """Saves what queries tell, in its order and beside their work; nobody waits for it but by `flush`."""

    def __init__(self, store: Store, kept: int) -> None:
        """kept: how many queries the store keeps; may be set at any time."""
        self.store = store
        self.kept = kept
        self._pending: list[Work] = []
        self._saving: asyncio.Task[None] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._is_failing = False

    def keep(self, query_id: int, number: int, step: Step) -> None:
        """The query's step of that number. Pieces of texts are not kept: the turn's end has them all."""
        if isinstance(step, Text):
            return
        data = msgspec.json.encode(step)
        self._pending.append(lambda connection: _insert(connection, query_id, number, step, data))
        if isinstance(step, Begun):
            self._pending.append(lambda connection: _trim(connection, self.kept))
        if self._saving is None:
            self._saving = asyncio.create_task(self._save(), name="saving queries")

    async def flush(self) -> None:
        """Until all that was told by now is saved, or could not be."""
        if self._saving is not None:
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]

    async def _save(self) -> None:
        waiting: list[asyncio.Future[None]] = []
        try:
            while self._pending or self._waiting:
                works, self._pending = self._pending, []
                waiting, self._waiting = self._waiting, []
                await self._do(works)
                _release(waiting)
        finally:
            self._saving = None
            _release([*waiting, *self._waiting])

    async def _do(self, works: list[Work]) -> None:
        def all_of_them(connection: sqlite3.Connection) -> None:
            for work in works:
                work(connection)

        try:
            await self.store.run(all_of_them)
        except StoreFailed as error:
            if not self._is_failing:
                log.warning("%s; queries are not kept until that is over", error)
            self._is_failing = True
        else:
            self._is_failing = False


def _release(waiting: Iterable[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)


def _insert(connection: sqlite3.Connection, query_id: int, number: int, step: Step, data: bytes) -> None:
    if isinstance(step, Begun):
        connection.execute(
            "INSERT INTO queries (id, began_at, mode, query, status) VALUES (?, ?, ?, ?, 'running')",
            (query_id, step.began_at.timestamp(), step.mode, step.query[:EXCERPT_CHARACTERS]),
        )
    elif isinstance(step, Answer):
        connection.execute(
            "UPDATE queries SET answer = ? WHERE id = ?", (step.text[:EXCERPT_CHARACTERS], query_id)
        )
    elif isinstance(step, Done):
        connection.execute(
            "UPDATE queries SET status = ?, total_seconds = ? WHERE id = ?",
            (step.status, step.total_seconds, query_id),
        )
    # Of one that was deleted meanwhile nothing is kept.
    connection.execute(
        "INSERT INTO query_steps SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM queries WHERE id = ?)",
        (query_id, number, KINDS[type(step)], data, query_id),
    )


def _trim(connection: sqlite3.Connection, kept: int) -> None:
    (total,) = connection.execute("SELECT count(*) FROM queries").fetchone()
    if total > kept:
        oldest = "SELECT id FROM queries ORDER BY id LIMIT ?"
        for (query_id,) in connection.execute(oldest, (total - kept,)).fetchall():
            delete(connection, query_id)


def interrupt(connection: sqlite3.Connection) -> int:
    """At a start: what an earlier run was at has been interrupted. Answers the highest id, 0 for none."""
    connection.execute("UPDATE queries SET status = 'interrupted' WHERE status = 'running'")
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM queries").fetchone()
    return int(last)


def newest(
    connection: sqlite3.Connection, before: int | None, mode: str | None, status: str | None, limit: int
) -> list[Row]:
    """The latest first: older than the id `before`, and of this mode and status; None: any."""
    conditions = {"id < ?": before, "mode = ?": mode, "status = ?": status}
    held = {condition: value for condition, value in conditions.items() if value is not None}
    where = f"WHERE {' AND '.join(held)}" if held else ""
    statement = (
        "SELECT id, began_at, mode, status, total_seconds, query, answer "
        f"FROM queries {where} ORDER BY id DESC LIMIT ?"
    )
    return [Row(*row) for row in connection.execute(statement, (*held.values(), limit))]


def load(connection: sqlite3.Connection, query_id: int) -> Record | None:
    row = connection.execute("SELECT status FROM queries WHERE id = ?", (query_id,)).fetchone()
    if row is None:
        return None
    record = record_of(steps_of(connection, query_id))
    (record.status,) = row
    return record


def steps_of(connection: sqlite3.Connection, query_id: int) -> list[Step]:
    """All that are kept, in their order; none where there is no such query."""
    rows = connection.execute(
        "SELECT kind, step FROM query_steps WHERE query_id = ? ORDER BY number", (query_id,)
    )
    return [msgspec.json.decode(data, type=STEP_TYPES[kind]) for kind, data in rows]


def delete(connection: sqlite3.Connection, query_id: int) -> bool:
    """Whether there was one."""
    connection.execute("DELETE FROM query_steps WHERE query_id = ?", (query_id,))
    return connection.execute("DELETE FROM queries WHERE id = ?", (query_id,)).rowcount > 0
