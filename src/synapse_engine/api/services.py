"""What the routes work on, wired in `app`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from synapse_engine.benchmarks.jobs import Jobs
from synapse_engine.catalog.registry import Registry
from synapse_engine.catalog.scanner import Scanner
from synapse_engine.datafolder import DataFolder
from synapse_engine.downloads.downloads import Downloads
from synapse_engine.events import Bus, Changes
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.life import Limits
from synapse_engine.fleet.restarts import RestartLimits
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.queries import Queries
from synapse_engine.gateway.recorder import Recorder
from synapse_engine.launch.engine import Engines
from synapse_engine.launch.logs import Logs
from synapse_engine.metrics import ServerCounts
from synapse_engine.preferences import Preferences
from synapse_engine.settings import Settings


@dataclass(frozen=True)
class Whole:
    """A snapshot as JSON. last_id: the last event that is in it; at: time.monotonic."""

    last_id: int
    at: float
    data: bytes


@dataclass
class Live:
    """What is told to whoever listens."""

    bus: Bus
    changes: Changes
    whole: Whole | None = None
    # Of requests and lines, what was told last; None once somebody has come who was told something newer.
    told_requests: object = None
    told_lines: object = None


@dataclass(frozen=True)
class Services:
    preferences: Preferences
    limits: Limits
    restart_limits: RestartLimits
    folder: DataFolder
    registry: Registry
    scanner: Scanner
    engines: Engines
    fleet: Fleet
    began: float  # time.monotonic
    live: Live
    logs: Logs
    counts: ServerCounts
    gateway: Gateway
    recorder: Recorder
    downloads: Downloads
    queries: Queries
    benchmarks: Jobs
    # By model id: what a model's JSON was written from, and the JSON.
    rows: dict[str, tuple[object, bytes]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return self.preferences.now


def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


Wired = Annotated[Services, Depends(_services)]
