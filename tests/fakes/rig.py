"""A fleet on this machine with the fake engine, its registry and its stage."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil
from tests.fakes.stage import Actor, Behaviour, Stage

from synapse_engine.catalog.discovery import Scan
from synapse_engine.catalog.model import Model, Tier
from synapse_engine.catalog.registry import Registry
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.journal import Journal
from synapse_engine.fleet.kept import KeptCaches
from synapse_engine.fleet.life import Limits
from synapse_engine.fleet.loading import Paces
from synapse_engine.fleet.restarts import RestartLimits
from synapse_engine.fleet.server import Server
from synapse_engine.launch.engine import Engines
from synapse_engine.launch.local import LocalLauncher
from synapse_engine.launch.logs import Logs

LIMITS = Limits(startup_seconds=10.0, stop_seconds=10.0, drain_seconds=10.0, probe_seconds=15.0)

NO_RESTARTS = RestartLimits(most=0)


def fake_model(path: Path, *, size_bytes: int = 1000, tier: Tier = Tier.FAST, **facts: Any) -> Model:
    """A model of one file by the file's stem; the id is the stem too."""
    return Model(
        identity=str(path),
        files=(str(path),),
        file_size_bytes=size_bytes,
        stem=path.stem,
        display_name=path.stem.title(),
        family=path.stem,
        tier=tier,
        **{"base_id": path.stem, **facts},
    )


@dataclass
class Rig:
    """Attributes to use: fleet, registry, stage, ports."""

    fleet: Fleet
    registry: Registry
    session: aiohttp.ClientSession
    stage: Stage
    ports: range
    folder: Path
    _models: list[Model] = field(default_factory=list)

    async def add(self, model_id: str, behaviour: Behaviour | None = None, **facts: Any) -> str:
        """A model that the fake engine runs with the given behaviour. Answers its id."""
        path = self.path(model_id)
        path.touch()
        self.direct(model_id, behaviour or Behaviour())
        self._models.append(fake_model(path, **facts))
        await self.registry.record_scan(
            Scan(models=tuple(self._models), skipped=(), roots=(str(self.folder),), seconds=0.0)
        )
        return model_id

    def direct(self, model_id: str, behaviour: Behaviour) -> None:
        """How its next start behaves."""
        behaviour.write(self.path(model_id), self.stage.path)

    async def choose(self, model_id: str, **choices: Any) -> None:
        await self.registry.edit(
            lambda entries: {model_id: msgspec.structs.replace(entries[model_id].choices, **choices)}
        )

    async def enter(self, model_id: str) -> Actor:
        """The next fake engine that is spawned for the model."""
        return await self.stage.enter(self.path(model_id))

    def spawns(self, model_id: str) -> int:
        return self.stage.spawns(self.path(model_id))

    def server(self, model_id: str) -> Server:
        return self.fleet.servers[model_id]

    def port(self, model_id: str) -> int | None:
        return self.registry.get(model_id).choices.port

    def path(self, model_id: str) -> Path:
        return self.folder / f"{model_id}.gguf"


@asynccontextmanager
async def open_rig(
    folder: Path,
    engine: Path,
    stage: Stage,
    ports: range,
    *,
    limits: Limits = LIMITS,
    restart_limits: RestartLimits = NO_RESTARTS,
    start_concurrency: int = 4,
    memory_limit_bytes: int | None = None,
    may_evict: bool = True,
    idle_stop_seconds: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Rig]:
    async with aiohttp.ClientSession() as session:
        registry = Registry.open(folder / "model_registry.json")
        fleet = Fleet(
            registry,
            LocalLauncher(Logs(folder / "logs", 1 << 20)),
            Engines(engine),
            Journal(folder / "journal"),
            limits,
            restart_limits,
            Paces(folder / "loading.json"),
            KeptCaches(folder / "prompt_caches", session),
            port_range=ports,
            start_concurrency=start_concurrency,
            memory_limit_bytes=memory_limit_bytes,
            may_evict=may_evict,
            idle_stop_seconds=idle_stop_seconds,
            on_change=lambda server: None,
            clock=clock,
        )
        await fleet.budget.admission.capacity()
        fleet.open()
        try:
            yield Rig(fleet, registry, session, stage, ports, folder)
        finally:
            await fleet.close(now=True)
            assert_no_process_left(stage)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


async def until(holds: Callable[[], bool]) -> None:
    """Return once it holds; the test's own time limit is the deadline."""
    while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.001)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has reaped yet does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def assert_no_process_left(stage: Stage) -> None:
    """Neither what was spawned on the stage nor any other child of this process."""
    alive = [actor.pid for actor in stage.actors if is_alive(actor.pid)]
    children = psutil.Process(os.getpid()).children(recursive=True)
    assert not alive and not children
