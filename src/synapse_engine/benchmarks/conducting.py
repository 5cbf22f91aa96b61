"""One benchmark from the line to its end: noted, measured, the fleet put back, saved."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

import psutil

from synapse_engine.benchmarks.archive import Archive
from synapse_engine.benchmarks.asking import problem_of
from synapse_engine.benchmarks.before import Before
from synapse_engine.benchmarks.custody import Custody
from synapse_engine.benchmarks.meters import Meters
from synapse_engine.benchmarks.record import Benchmark, BenchmarkStage, BenchmarkStatus, Machine, Now, Problem
from synapse_engine.benchmarks.run import Run
from synapse_engine.catalog.registry import Registry
from synapse_engine.errors import EngineNotFound, SynapseError
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.launch.energy import Energy
from synapse_engine.launch.engine import Engines
from synapse_engine.modes.asking import Asker

Metering = Callable[[], AbstractAsyncContextManager[Energy]]

log = logging.getLogger(__name__)


class Conductor:
    """on_change: told of every step of one."""

    def __init__(
        self,
        archive: Archive,
        fleet: Fleet,
        registry: Registry,
        engines: Engines,
        asker: Asker,
        metering: Metering,
        on_change: Callable[[Benchmark], None],
    ) -> None:
        self._archive = archive
        self._fleet = fleet
        self._registry = registry
        self._engines = engines
        self._asker = asker
        self._metering = metering
        self._on_change = on_change
        self._custody = Custody(fleet, registry)
        self._measuring: asyncio.Task[BenchmarkStatus] | None = None
        self._is_cancelled = False
        self._starts_again = True

    async def conduct(self, benchmark: Benchmark) -> None:
        """Cancelled, it leaves the fleet as it is and the benchmark as interrupted: to be put back later."""
        holder = f"benchmark {benchmark.id}"
        self._is_cancelled, self._starts_again = False, True
        benchmark.status, benchmark.began_at, benchmark.now = BenchmarkStatus.RUNNING, time.time(), Now()
        with self._alone(benchmark, holder):
            before = self._custody.note()
            self._on_change(benchmark)
            try:
                if await self._archive.save(benchmark, before):
                    status = await self._until_measured(benchmark, before, holder)
                    await self._put_back(benchmark, before, holder)
                else:
                    # After a crash nobody would know what to put back.
                    status = BenchmarkStatus.FAILED
                    detail = "So no model was stopped or started for it. Make room on the disk."
                    benchmark.problem = Problem("Could not save", detail, time.time())
            except asyncio.CancelledError:
                interrupt(benchmark)
                await self._archive.save(benchmark, before)
                raise
        benchmark.end(status)

    def cancel(self) -> None:
        """End the one that is measured; the fleet is put back all the same."""
        self._is_cancelled = True
        if self._measuring is not None:
            self._measuring.cancel()

    def cancel_for_good(self) -> None:
        """The same as everything is to stop: what ran before is not started again."""
        self._starts_again = False
        self.cancel()

    async def restore(self, benchmark: Benchmark, before: Before, holder: str | None = None) -> None:
        """Put back what one has changed, now or in an earlier run; what does not work is noted."""
        wanted = benchmark.wanted
        asked = [each.model_id for each in (*wanted.contestants, wanted.judge) if each and each.model_id]
        try:
            problems = await self._custody.restore(before, asked, holder, starts_again=self._starts_again)
        except SynapseError as error:
            log.warning("After benchmark %d: %s", benchmark.id, error)
            problems = [f"The fleet could not be put back: {error}"]
        for problem in problems:
            benchmark.note(problem)

    async def _put_back(self, benchmark: Benchmark, before: Before, holder: str) -> None:
        benchmark.now = Now(BenchmarkStage.RESTORING)
        self._on_change(benchmark)
        await self.restore(benchmark, before, holder)

    @contextmanager
    def _alone(self, benchmark: Benchmark, holder: str) -> Iterator[None]:
        """In isolation nobody else may start a server."""
        if not benchmark.wanted.is_isolated:
            yield
            return
        with self._fleet.reserved.by(holder):
            yield

    async def _until_measured(self, benchmark: Benchmark, before: Before, holder: str) -> BenchmarkStatus:
        if self._is_cancelled:
            return BenchmarkStatus.CANCELLED
        self._measuring = asyncio.create_task(self._measure(benchmark, before, holder), name=holder)
        try:
            await asyncio.wait({self._measuring})
            return BenchmarkStatus.CANCELLED if self._measuring.cancelled() else self._measuring.result()
        finally:
            self._measuring.cancel()
            await asyncio.wait({self._measuring})
            self._measuring = None

    async def _measure(self, benchmark: Benchmark, before: Before, holder: str) -> BenchmarkStatus:
        """The root of its task."""
        try:
            async with self._metering() as energy:
                meters = Meters(self._fleet, energy)
                benchmark.machine = await self._machine(meters)
                if benchmark.wanted.is_isolated:
                    await self._custody.clear()
                await Run(
                    benchmark,
                    self._fleet,
                    self._registry,
                    self._asker,
                    meters,
                    holder,
                    keep=lambda: self._archive.save(benchmark, before),
                    on_change=self._on_change,
                ).go()
        except asyncio.CancelledError:
            return BenchmarkStatus.CANCELLED
        except SynapseError as error:
            benchmark.problem = problem_of(error)
            return BenchmarkStatus.FAILED
        except Exception as error:
            log.exception("Benchmark %d broke", benchmark.id)
            benchmark.problem = defect(error)
            return BenchmarkStatus.FAILED
        return _verdict(benchmark)

    async def _machine(self, meters: Meters) -> Machine:
        try:
            engine = (await self._engines.current()).version
        except EngineNotFound:
            engine = None
        return Machine(engine, os.cpu_count() or 0, psutil.virtual_memory().total, meters.energy_source)


def defect(error: Exception) -> Problem:
    detail = f"{type(error).__name__}: {error}. This is a defect; the control plane's log has the trace."
    return Problem("Internal error", detail, time.time())


def interrupt(benchmark: Benchmark) -> None:
    """The control plane ends, or had ended, in its midst."""
    detail = "The control plane ended before it did. What was measured until then is kept."
    benchmark.problem = Problem("Interrupted", detail, time.time())
    benchmark.end(BenchmarkStatus.INTERRUPTED)


def _verdict(benchmark: Benchmark) -> BenchmarkStatus:
    """Done where anything was measured."""
    if any(sample.problem is None for sample in benchmark.samples):
        return BenchmarkStatus.DONE
    found = [loaded.problem for loaded in benchmark.loaded.values()]
    found += [sample.problem for sample in benchmark.samples]
    problems = [problem for problem in found if problem is not None]
    why = f"{problems[0].error}. {problems[0].detail}" if problems else "Every prompt was left out."
    benchmark.problem = Problem("No model has answered", why, time.time())
    return BenchmarkStatus.FAILED
