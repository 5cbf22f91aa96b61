"""Which models stop because nobody has asked them anything for a while."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from synapse_engine.catalog.registry import Registry
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State

LOOK_SECONDS = 1.0
MOVING = (State.QUEUED, State.STARTING, State.STOPPING)

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Resting:
    """A ready model, all its servers together.

    idle_seconds: since its last lease ended. own_limit_seconds: its setting, 0 for never.
    keep_alive_seconds: what a request asked for since it started, math.inf for ever.
    """

    model_id: str
    idle_seconds: float
    by_hand: bool
    own_limit_seconds: float | None
    keep_alive_seconds: float | None


def idle_limit_seconds(resting: Resting, default_seconds: float) -> float:
    """How long it may be idle, math.inf for ever. Pure.

    What a person started stops only where its own setting says so; a request's word goes before both limits.
    """
    own = resting.own_limit_seconds
    if resting.by_hand and own is None:
        return math.inf
    if resting.keep_alive_seconds is not None:
        return resting.keep_alive_seconds
    return (default_seconds if own is None else own) or math.inf


class IdleStops:
    """models: the servers of each. unload: asks for a model's stop at once, and answers when it is done.

    default_seconds: 0 for never; may be set at any time.
    """

    def __init__(
        self,
        registry: Registry,
        models: Callable[[], Iterable[Sequence[Server]]],
        unload: Callable[[str], Awaitable[object]],
        default_seconds: float,
    ) -> None:
        self._registry = registry
        self._models = models
        self._unload = unload
        self.default_seconds = default_seconds

    async def watch(self) -> None:
        """Look every second, until it is cancelled; no look waits for a stop."""
        async with asyncio.TaskGroup() as group:
            while True:
                for stop in self.look():
                    group.create_task(_until_done(stop))
                await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> list[Awaitable[object]]:
        """Ask for the stop of every model that is due; what is given back is done when it has stopped."""
        stops = []
        for resting in list(self._resting()):
            limit = idle_limit_seconds(resting, self.default_seconds)
            if resting.idle_seconds >= limit:
                log.info("%s stops: it was idle for %.0f s", resting.model_id, resting.idle_seconds)
                stops.append(self._unload(resting.model_id))
        return stops

    def left_seconds(self, servers: Sequence[Server]) -> float:
        """How long until a model stops if nobody asks it anything; math.inf for ever, or not running."""
        resting = self._together(servers)
        if resting is None:
            return math.inf
        return max(0.0, idle_limit_seconds(resting, self.default_seconds) - resting.idle_seconds)

    def _resting(self) -> Iterator[Resting]:
        for servers in self._models():
            if any(server.state in MOVING or server.leases.held for server in servers):
                continue
            if (resting := self._together(servers)) is not None:
                yield resting

    def _together(self, servers: Sequence[Server]) -> Resting | None:
        ready = [server for server in servers if server.state is State.READY]
        entry = self._registry.entries.get(servers[0].model_id) if servers else None
        if entry is None or not ready:
            return None
        said = (server.keep_alive_seconds for server in ready)
        return Resting(
            model_id=entry.model_id,
            idle_seconds=min(server.leases.idle_seconds for server in ready),
            by_hand=any(server.by_hand for server in ready),
            own_limit_seconds=entry.choices.settings.get("idle_stop_seconds"),
            keep_alive_seconds=next((seconds for seconds in said if seconds is not None), None),
        )


async def _until_done(stop: Awaitable[object]) -> None:
    await stop
