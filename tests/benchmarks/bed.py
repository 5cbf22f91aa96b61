"""Jobs over a fleet with fake engines and models that say what a test has them say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from tests.benchmarks.records import contestant, wanted
from tests.fakes.asker import Act, FakeAsker, Part, says
from tests.fakes.rig import Rig

from synapse_engine.benchmarks.jobs import Jobs
from synapse_engine.benchmarks.record import Benchmark, Wanted
from synapse_engine.errors import StoreFailed
from synapse_engine.fleet.state import State
from synapse_engine.launch.energy import Energy, Rapl
from synapse_engine.launch.engine import Engines
from synapse_engine.modes.asking import Order
from synapse_engine.store import Store

T = TypeVar("T")


class Disk(Store):
    """is_full: nothing can be saved. on_run: told of each piece of work before it is done."""

    is_full = False

    def on_run(self) -> None:
        """Nobody wants to know."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        self.on_run()
        if self.is_full:
            raise StoreFailed("synapse.db", "No space left on device")
        return await super().run(work)


@dataclass
class Bed:
    """Attributes to use: rig, asker, jobs, disk. heard: what was told of every step: status and stage."""

    rig: Rig
    asker: FakeAsker
    disk: Disk
    engine: Path
    jobs: Jobs = field(init=False)
    heard: list[tuple[str, str | None]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def plug_in(self) -> Jobs:
        """Jobs of a new run of the control plane, not begun."""
        self.jobs = Jobs(
            self.disk,
            self.rig.fleet,
            self.rig.registry,
            Engines(self.engine),
            self.asker,
            kept=200,
            on_change=self._hear,
            meters=no_meters,
        )
        return self.jobs

    def _hear(self, benchmark: Benchmark) -> None:
        self.heard.append((benchmark.status.value, benchmark.now.stage.value if benchmark.now else None))
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once it holds; it is looked at whenever something was told."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    async def until_stage(self, stage: str) -> None:
        await self.until(lambda: bool(self.heard) and self.heard[-1][1] == stage)

    async def ended(self, benchmark: Benchmark) -> Benchmark:
        """As it is kept, once it has ended."""
        await self.until(lambda: not benchmark.is_active)
        return await self.jobs.find(benchmark.id)

    async def run(self, of: Wanted) -> Benchmark:
        return await self.ended(await self.jobs.create(of))

    def part(self, model: str, *parts: Part) -> None:
        self.asker.parts[model] = list(parts)

    def up(self) -> dict[str, bool]:
        """The models that run, and whether a person wanted them to."""
        servers = self.rig.fleet.servers.values()
        return {server.model_id: server.by_hand for server in servers if server.state is State.READY}

    def processes(self) -> set[str]:
        """The models that have a process, whatever it does."""
        return {server.model_id for server in self.rig.fleet.servers.values() if server.process is not None}

    def held(self) -> set[str]:
        return {model_id for model_id, entry in self.rig.registry.entries.items() if entry.choices.held}


@asynccontextmanager
async def no_meters() -> AsyncIterator[Energy]:
    yield Energy(Rapl(Path("/nowhere")), None)


@asynccontextmanager
async def open_bed(rig: Rig, engine: Path, folder: Path) -> AsyncIterator[Bed]:
    """With models `a`, `b` and `c`, which say something and do not run."""
    disk = Disk(folder / "synapse.db")
    bed = Bed(rig, FakeAsker({}), disk, engine)
    for model_id in "abc":
        await rig.add(model_id)
        bed.part(model_id, says(f"I am {model_id}."))
    bed.plug_in().begin()
    try:
        yield bed
    finally:
        await bed.jobs.close()
        disk.is_full = False
        await disk.close()


def isolated(models: str = "a b", prompts: str = "one", **how: object) -> Wanted:
    return wanted(models, prompts, **{"is_isolated": True, "repetitions": 2, **how})


def judged_by(judge: str, models: str = "a b", **how: object) -> Wanted:
    return wanted(models, "one", **{"judge": contestant(judge), "repetitions": 1, **how})


def watching(bed: Bed, model: str, seen: list[tuple[str, set[str]]]) -> None:
    """Each time that the model is asked, which models have a process."""

    def part(order: Order) -> Sequence[Act]:
        seen.append((model, bed.processes()))
        return ["Yes."]

    bed.part(model, part)
