"""What every server of a fleet works with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synapse_engine.fleet.journal import Journal
from synapse_engine.fleet.kept import KeptCaches
from synapse_engine.fleet.life import Limits
from synapse_engine.fleet.loading import Paces
from synapse_engine.fleet.restarts import RestartLimits
from synapse_engine.launch.base import Launcher

if TYPE_CHECKING:
    from synapse_engine.fleet.server import Server


@dataclass(frozen=True)
class Surroundings:
    """on_change: told of every new state. clock: in seconds."""

    launcher: Launcher
    journal: Journal
    limits: Limits
    restart_limits: RestartLimits
    paces: Paces
    kept_caches: KeptCaches
    on_change: Callable[[Server], None]
    clock: Callable[[], float] = time.monotonic
