"""Benchmarks as jobs: one at a time, the others in line; each is kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from synapse_engine.benchmarks.archive import Archive
from synapse_engine.benchmarks.before import Before
from synapse_engine.benchmarks.conducting import Conductor, Metering, defect, interrupt
from synapse_engine.benchmarks.errors import BenchmarkIsActive, BenchmarkNotFound, TooManyBenchmarks
from synapse_engine.benchmarks.plan import count_requests, plan_notes
from synapse_engine.benchmarks.record import Benchmark, BenchmarkStatus, Wanted
from synapse_engine.catalog.registry import Registry
from synapse_engine.errors import Booting, StoreFailed
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.launch.energy import metering
from synapse_engine.launch.engine import Engines
from synapse_engine.modes.asking import Asker
from synapse_engine.store import Store

QUEUE_MAX = 50

log = logging.getLogger(__name__)


class Jobs:
    """Every benchmark. archive: where they are kept. on_change: told of every step of one."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        registry: Registry,
        engines: Engines,
        asker: Asker,
        *,
        kept: int,
        on_change: Callable[[Benchmark], None],
        meters: Metering = metering,
    ) -> None:
        self.archive = Archive(store, kept)
        self._on_change = on_change
        self._conductor = Conductor(self.archive, fleet, registry, engines, asker, meters, on_change)
        # Those that have not ended, in their order, and those whose end could not be saved yet.
        self._known: dict[int, Benchmark] = {}
        self._to_restore: list[tuple[Benchmark, Before]] = []
        self._runner: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()

    @property
    def active(self) -> Sequence[Benchmark]:
        """The one that runs, then those in line."""
        return [benchmark for benchmark in self._known.values() if benchmark.is_active]

    async def recover(self) -> None:
        """Before anybody is let in: what an earlier run left in its midst is marked as interrupted."""
        try:
            left = await self.archive.left_open()
        except StoreFailed as error:
            log.warning("%s", error)
            return
        for benchmark, before in left:
            if benchmark.is_active:
                log.warning("Benchmark %d was interrupted by the end of the control plane", benchmark.id)
                interrupt(benchmark)
                await self.archive.save(benchmark, before)
            if before is not None:
                self._to_restore.append((benchmark, before))

    def begin(self) -> None:
        """Once the fleet is open: put back what was left, then do what is in line."""
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name="benchmarks")

    async def close(self, *, forgets: bool = False) -> None:
        """What runs or waits is interrupted.

        forgets: the servers end as well, so that there is nothing for a later run to put back.
        """
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.cancel()
            await asyncio.wait({runner})
        # A copy, as one that is just being cancelled or created comes and goes meanwhile.
        for benchmark in list(self._known.values()):
            if benchmark.is_active:
                interrupt(benchmark)
            elif benchmark.status is BenchmarkStatus.INTERRUPTED and not forgets:
                # The one that ran: saved with what is still to be put back.
                continue
            await self.archive.save(benchmark, None)
        for benchmark, _ in self._to_restore if forgets else ():
            await self.archive.save(benchmark, None)
        self._known.clear()

    async def create(self, wanted: Wanted) -> Benchmark:
        """A new one, in line. Raises Booting, TooManyBenchmarks, CouldNotSave."""
        if self._runner is None:
            raise Booting
        if len(self.active) >= QUEUE_MAX:
            raise TooManyBenchmarks(QUEUE_MAX)
        benchmark = Benchmark(0, wanted, time.time(), count_requests(wanted))
        for note in plan_notes(wanted):
            benchmark.note(note)
        await self.archive.add(benchmark)
        self._known[benchmark.id] = benchmark
        self._on_change(benchmark)
        self._arrived.set()
        return benchmark

    async def find(self, benchmark_id: int) -> Benchmark:
        """The whole of it. Raises BenchmarkNotFound, StoreFailed."""
        found = self._known.get(benchmark_id) or await self.archive.find(benchmark_id)
        if found is None:
            raise BenchmarkNotFound(benchmark_id)
        return found

    async def newest(self, before: int | None, limit: int) -> list[Benchmark]:
        """Of lower ids than `before`, newest first; those that have ended come without samples."""
        saved = await self.archive.newest(before, limit)
        return [self._known.get(benchmark.id, benchmark) for benchmark in saved]

    async def cancel(self, benchmark_id: int) -> Benchmark:
        """End it and keep what it has measured; the fleet is still put back.

        One that has ended stays as it is. Raises BenchmarkNotFound.
        """
        benchmark = await self.find(benchmark_id)
        if benchmark.status is BenchmarkStatus.RUNNING:
            self._conductor.cancel()
        elif benchmark.status is BenchmarkStatus.QUEUED:
            benchmark.end(BenchmarkStatus.CANCELLED)
            await self._settle(benchmark)
        return benchmark

    async def cancel_all(self) -> None:
        """As everything is to stop: so what ran before the benchmark is not started again."""
        self._conductor.cancel_for_good()
        for benchmark in self.active:
            if benchmark.status is BenchmarkStatus.QUEUED:
                await self.cancel(benchmark.id)

    async def delete(self, benchmark_id: int) -> None:
        """Raises BenchmarkNotFound, BenchmarkIsActive, CouldNotSave."""
        if (await self.find(benchmark_id)).is_active:
            raise BenchmarkIsActive(benchmark_id)
        await self.archive.delete(benchmark_id)
        self._known.pop(benchmark_id, None)

    async def _run(self) -> None:
        """The root of the task that does all of them."""
        while True:
            try:
                await self._do_all()
            except Exception as error:
                log.exception("A benchmark broke; the next one is begun")
                for benchmark in self.active:
                    if benchmark.status is BenchmarkStatus.RUNNING:
                        benchmark.problem = defect(error)
                        benchmark.end(BenchmarkStatus.FAILED)

    async def _do_all(self) -> None:
        while self._to_restore:
            benchmark, before = self._to_restore.pop(0)
            await self._conductor.restore(benchmark, before)
            await self.archive.save(benchmark, None)
        while True:
            for benchmark in list(self._known.values()):
                if benchmark.status is BenchmarkStatus.QUEUED:
                    await self._conductor.conduct(benchmark)
                if not benchmark.is_active:
                    await self._settle(benchmark)
            if not any(benchmark.status is BenchmarkStatus.QUEUED for benchmark in self.active):
                self._arrived.clear()
                await self._arrived.wait()

    async def _settle(self, benchmark: Benchmark) -> None:
        """It has ended; from now on it is known to the archive alone, if that could be told."""
        if await self.archive.save(benchmark, None):
            self._known.pop(benchmark.id, None)
            self.archive.forget(benchmark.id)
        self._on_change(benchmark)
