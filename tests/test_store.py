"""The file of the records: its versions, and what it bears."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from synapse_engine.errors import StoreFailed
from synapse_engine.store import MIGRATIONS, Store, StoreRefused

FIRST = ("CREATE TABLE words (word TEXT); CREATE INDEX by_word ON words (word)",)
SECOND = (*FIRST, "ALTER TABLE words ADD COLUMN count INTEGER DEFAULT 1")


def put(*words: str) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        connection.executemany("INSERT INTO words (word) VALUES (?)", [(word,) for word in words])

    return work


def words(connection: sqlite3.Connection) -> list[str]:
    return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY rowid")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "synapse.db"


async def test_what_is_written_is_there_again(path: Path) -> None:
    store = Store(path, FIRST)
    await store.run(put("a", "b"))
    await store.close()
    store = Store(path, FIRST)
    assert await store.run(words) == ["a", "b"]
    await store.close()
    assert [file.name for file in path.parent.iterdir()] == ["synapse.db"]


async def test_all_work_is_done_in_one_thread_that_is_not_the_loops(path: Path) -> None:
    store = Store(path, FIRST)
    threads = await asyncio.gather(*(store.run(lambda _: threading.get_ident()) for _ in range(8)))
    assert len(set(threads)) == 1 and threads[0] != threading.get_ident()
    await store.close()


async def test_a_file_of_an_earlier_version_is_brought_up(path: Path) -> None:
    store = Store(path, FIRST)
    await store.run(put("old"))
    await store.close()
    store = Store(path, SECOND)
    await store.run(put("new"))
    rows = await store.run(lambda connection: connection.execute("SELECT word, count FROM words").fetchall())
    assert rows == [("old", 1), ("new", 1)]
    await store.close()


async def test_a_step_that_fails_leaves_the_version_before(path: Path) -> None:
    store = Store(path, FIRST)
    await store.run(put("old"))
    await store.close()
    broken = Store(path, (*FIRST, "CREATE TABLE more (x INTEGER); CREATE TABLE words (again TEXT)"))
    with pytest.raises(StoreFailed, match="already exists"):
        await broken.run(words)
    await broken.close()
    store = Store(path, SECOND)
    assert await store.run(words) == ["old"]
    await store.close()


async def test_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    newer = Store(path, SECOND)
    await newer.run(put("kept"))
    await newer.close()
    before = path.read_bytes()
    store = Store(path, FIRST)
    with pytest.raises(StoreRefused) as refused:
        await store.run(words)
    assert refused.value.error == "The records were written by a newer version"
    assert f"{path} has version 2, and this program knows 1" in refused.value.detail
    await store.close()
    assert path.read_bytes() == before


async def test_work_that_fails_is_undone_and_the_next_goes_on(path: Path) -> None:
    store = Store(path, FIRST)

    def fail(connection: sqlite3.Connection) -> None:
        put("lost")(connection)
        raise LookupError

    with pytest.raises(LookupError):
        await store.run(fail)
    with pytest.raises(StoreFailed, match="no such table: nowhere"):
        await store.run(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)"))
    await store.run(put("kept"))
    assert await store.run(words) == ["kept"]
    await store.close()


async def test_work_whose_caller_has_left_is_done(path: Path) -> None:
    store, going_on = Store(path, FIRST), threading.Event()

    def work(connection: sqlite3.Connection) -> None:
        going_on.wait(10)
        put("kept")(connection)

    running = asyncio.create_task(store.run(work))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    going_on.set()
    assert await store.run(words) == ["kept"]
    await store.close()


async def test_a_file_that_is_none_is_set_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(b"no database at all" * 100)
    store = Store(path, FIRST)
    await store.run(put("new"))
    (aside,) = path.parent.glob("synapse.db.corrupt-*")
    assert aside.read_bytes().startswith(b"no database at all")
    (notice,) = store.notices
    assert f"set aside as {aside}" in notice and "file is not a database" in notice
    assert notice in caplog.text
    await store.close()


async def test_damage_that_shows_late_is_set_aside_with_its_log(path: Path) -> None:
    store = Store(path, FIRST)
    await store.run(put(*(f"word {number}" for number in range(5000))))
    await store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    store = Store(path, FIRST)
    assert await store.run(lambda _: "opened") == "opened"
    assert await store.run(words) == []
    await store.run(put("new"))
    assert await store.run(words) == ["new"]
    assert len(store.notices) == 1
    await store.close()
    names = {file.name for file in path.parent.iterdir() if not file.name.endswith("-shm")}
    assert len(names) in (2, 3) and "synapse.db" in names and "synapse.db-wal" not in names


async def test_a_full_disk_fails_the_work_and_nothing_else(path: Path) -> None:
    store = Store(path, FIRST)
    await store.run(put("before"))
    with files_limited_to(path.stat().st_size + 100_000):
        with pytest.raises(StoreFailed) as failed:
            await store.run(put(*("x" * 1000 for _ in range(1000))))
        assert str(path) in failed.value.detail
        assert await store.run(words) == ["before"]
    await store.run(put("after"))
    assert await store.run(words) == ["before", "after"]
    assert store.notices == []
    await store.close()


async def test_its_folder_is_made(tmp_path: Path) -> None:
    store = Store(tmp_path / "none" / "synapse.db", FIRST)
    assert await store.run(words) == []
    await store.close()


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "synapse.db", tmp_path):
        store = Store(place, FIRST)
        with pytest.raises(StoreFailed, match="The records cannot be reached"):
            await store.run(words)
        await store.close()


@contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """Writing beyond fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler: Any = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_released_steps_are_never_changed() -> None:
    """Add one at the end instead, and its digest here."""
    assert [hashlib.sha256(step.encode()).hexdigest()[:16] for step in MIGRATIONS] == [
        "82828b3642db7ec0",
        "847011e79d1fda74",
        "144dbe73e3799292",
        "f0e172d86afeb462",
    ]
