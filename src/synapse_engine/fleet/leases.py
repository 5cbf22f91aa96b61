"""Who uses a ready server, and since when nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from synapse_engine.launch.base import Command


class Lease:
    """Permission to use a ready server, held until the last byte of the answer has left.

    Attributes to read: url, api_key, server_id; replica, which of the model's servers it is, from 1.
    """

    def __init__(self, leases: Leases, url: str, command: Command) -> None:
        self.url = url
        self.api_key = command.api_key
        self.server_id = command.server_id
        self.replica = command.replica
        self._leases = leases

    def __enter__(self) -> Lease:
        self._leases.held.add(self)
        self._leases.begun += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._leases.held.discard(self)
        if not self._leases.held:
            self._leases.rest()


class Leases:
    """Those of one server. Attributes to read: held; begun, how many there have been."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.held: set[Lease] = set()
        self.begun = 0
        self.idle_since = clock()
        self._clock = clock
        self._idle = asyncio.Event()

    def rest(self) -> None:
        """From now on it is idle."""
        self.idle_since = self._clock()
        self._idle.set()

    @property
    def idle_seconds(self) -> float:
        """How long none has been held; 0 while one is."""
        return 0.0 if self.held else self._clock() - self.idle_since

    async def until_idle(self) -> None:
        """Return once none is held."""
        while self.held:
            self._idle.clear()
            await self._idle.wait()
