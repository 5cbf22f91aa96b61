"""Which models stop because nobody has asked them anything for a while."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from synapse_engine.catalog.registry import Registry
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State

LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Resting:
    """A ready model.

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
    """unload: asks for a model's stop at once, and answers when it is done. default_seconds: 0 for never."""

    def __init__(
        self,
        registry: Registry,
        servers: Mapping[str, Server],
        unload: Callable[[str], Awaitable[object]],
        default_seconds: float,
    ) -> None:
        self._registry = registry
        self._servers = servers
        self._unload = unload
        self._default_seconds = default_seconds

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
            limit = idle_limit_seconds(resting, self._default_seconds)
            if resting.idle_seconds >= limit:
                log.info("%s stops: it was idle for %.0f s", resting.model_id, resting.idle_seconds)
                stops.append(self._unload(resting.model_id))
        return stops

    def _resting(self) -> Iterator[Resting]:
        for model_id, server in self._servers.items():
            entry = self._registry.entries.get(model_id)
            if entry is None or server.state is not State.READY or server.leases.held:
                continue
            yield Resting(
                model_id=model_id,
                idle_seconds=server.leases.idle_seconds,
                by_hand=server.by_hand,
                own_limit_seconds=entry.choices.settings.get("idle_stop_seconds"),
                keep_alive_seconds=server.keep_alive_seconds,
            )


async def _until_done(stop: Awaitable[object]) -> None:
    await stop
