"""Benchmarks saved and found again. A full disk ends no measuring: what could not be saved is saved later."""

from __future__ import annotations

import logging
import sqlite3

from synapse_engine.benchmarks import keeping
from synapse_engine.benchmarks.before import Before
from synapse_engine.benchmarks.record import Benchmark
from synapse_engine.errors import CouldNotSave, StoreFailed
from synapse_engine.store import Store

UNSAVED = "Not all of it could be saved: the log of the control plane says why."

log = logging.getLogger(__name__)


class Archive:
    """kept: how many that have ended are kept."""

    def __init__(self, store: Store, kept: int) -> None:
        self.kept = kept
        self._store = store
        # By id, of those that are being measured: how many of their samples are in the store.
        self._saved: dict[int, int] = {}

    async def add(self, benchmark: Benchmark) -> None:
        """A new one, which gets its id. Raises CouldNotSave."""
        try:
            benchmark.id = await self._store.run(lambda connection: keeping.insert(connection, benchmark))
        except StoreFailed as error:
            raise CouldNotSave(error.path, error.reason) from error
        self._saved[benchmark.id] = 0

    async def save(self, benchmark: Benchmark, before: Before | None) -> bool:
        """All of it that is new. before: what is still to be put back. Whether it is saved."""
        kept = self.kept
        first = self._saved.get(benchmark.id, len(benchmark.samples))
        samples = benchmark.samples[first:]

        def work(connection: sqlite3.Connection) -> None:
            keeping.add_samples(connection, benchmark.id, first, samples)
            keeping.update(connection, benchmark, before)
            if not benchmark.is_active:
                keeping.prune(connection, kept)

        try:
            await self._store.run(work)
        except StoreFailed as error:
            log.warning("Benchmark %d: %s", benchmark.id, error)
            benchmark.note(UNSAVED)
            return False
        self._saved[benchmark.id] = first + len(samples)
        return True

    async def find(self, benchmark_id: int) -> Benchmark | None:
        """Raises StoreFailed."""
        return await self._store.run(lambda connection: keeping.find(connection, benchmark_id))

    async def newest(self, before: int | None, limit: int) -> list[Benchmark]:
        """Raises StoreFailed."""
        return await self._store.run(lambda connection: keeping.newest(connection, before, limit))

    async def left_open(self) -> list[tuple[Benchmark, Before | None]]:
        """Raises StoreFailed."""
        return await self._store.run(keeping.left_open)

    async def delete(self, benchmark_id: int) -> None:
        """Raises CouldNotSave."""
        try:
            await self._store.run(lambda connection: keeping.delete(connection, [benchmark_id]))
        except StoreFailed as error:
            raise CouldNotSave(error.path, error.reason) from error
        self.forget(benchmark_id)

    def forget(self, benchmark_id: int) -> None:
        """Nothing of it will change any more."""
        self._saved.pop(benchmark_id, None)
