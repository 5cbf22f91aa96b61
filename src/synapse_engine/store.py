"""One SQLite file for what is recorded, used from one thread of its own.

Here is only what every room's tables share: the file, its versions, its thread, and what becomes of it when
the disk is full or the file is damaged. The statements are with the rooms whose tables they are.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from synapse_engine.errors import StoreFailed, SynapseError

T = TypeVar("T")

# Each brings a file of the version before to the next one. Released ones are never changed.
MIGRATIONS = (
    """
    CREATE TABLE activity (
        id INTEGER PRIMARY KEY,
        began_at REAL NOT NULL,
        model_id TEXT,
        asked TEXT NOT NULL,
        variant TEXT,
        server_id TEXT,
        dialect TEXT NOT NULL,
        path TEXT NOT NULL,
        client TEXT NOT NULL,
        is_stream INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        status INTEGER,
        error TEXT,
        queue_seconds REAL NOT NULL,
        load_seconds REAL NOT NULL,
        first_byte_seconds REAL,
        total_seconds REAL NOT NULL,
        prompt_tokens INTEGER,
        cached_tokens INTEGER,
        output_tokens INTEGER,
        prompt_per_second REAL,
        output_per_second REAL,
        bytes_in INTEGER NOT NULL,
        bytes_out INTEGER NOT NULL
    );
    CREATE INDEX activity_by_time ON activity (began_at);
    """,
    """
    CREATE TABLE upstreams (
        name TEXT PRIMARY KEY,
        url TEXT NOT NULL,
        api_key TEXT,
        key_header TEXT NOT NULL,
        model TEXT
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE queries (
        id INTEGER PRIMARY KEY,
        began_at REAL NOT NULL,
        mode TEXT NOT NULL,
        query TEXT NOT NULL,
        status TEXT NOT NULL,
        total_seconds REAL,
        answer TEXT
    );
    CREATE TABLE query_steps (
        query_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        step BLOB NOT NULL,
        PRIMARY KEY (query_id, number)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE benchmarks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_at REAL NOT NULL,
        began_at REAL,
        ended_at REAL,
        status TEXT NOT NULL,
        total INTEGER NOT NULL,
        kept TEXT NOT NULL,
        fleet TEXT
    );
    CREATE TABLE benchmark_samples (
        benchmark_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        sample TEXT NOT NULL,
        PRIMARY KEY (benchmark_id, number)
    ) WITHOUT ROWID;
    """,
)

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

log = logging.getLogger(__name__)


class StoreRefused(SynapseError):
    """The file is there and must not be touched, so the program cannot go on."""

    code = "store_refused"


class Store:
    """Opened by the first work, and again after one that failed. notices: what the person should know."""

    def __init__(self, path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
        self.notices: list[str] = []
        self._path = path
        self._migrations = migrations
        self._thread = ThreadPoolExecutor(1, "store")
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it in one transaction, and answer what it answers; begun, it is done even if nobody waits.

        A damaged file is set aside, and the work done on a new one. Raises StoreRefused and StoreFailed.
        """
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, self._do, work))

    async def close(self) -> None:
        """Once every work begun is done. No more may come."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            try:
                return self._transact(work)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGE:
                    raise
                self._set_aside(str(error))
                return self._transact(work)
        except (sqlite3.Error, OSError) as error:
            raise StoreFailed(str(self._path), str(error)) from error

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._opened()
            connection.execute("BEGIN")
            answer = work(connection)
            connection.execute("COMMIT")
            return answer
        except BaseException:
            self._close()  # what was not committed is undone
            raise

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # It holds keys. SQLite gives its log the same rights.
            os.close(os.open(self._path, os.O_RDONLY | os.O_CREAT, 0o600))
            os.chmod(self._path, 0o600)
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > len(self._migrations):
                raise self._newer(version)
            # What was committed outlives the process; a power cut may take the last second.
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            for number, script in enumerate(self._migrations[version:], version + 1):
                self._connection.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def _newer(self, version: int) -> StoreRefused:
        return StoreRefused(
            "The records were written by a newer version",
            f"{self._path} has version {version}, and this program knows {len(self._migrations)}. Upgrade "
            "it, or move that file away to begin anew. Nothing was changed.",
        )

    def _set_aside(self, reason: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self._path.with_name(f"{self._path.name}.corrupt-{stamp}")
        # The log of its latest changes goes along, and never stands beside a new file.
        for suffix in ("-wal", "-shm", ""):
            if os.path.exists(f"{self._path}{suffix}"):
                os.replace(f"{self._path}{suffix}", f"{aside}{suffix}")
        notice = (
            f"The records were damaged ({reason}) and have been set aside as {aside}. New ones are begun."
        )
        self.notices.append(notice)
        log.warning("%s", notice)
