"""Who uses a ready server, and since when nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from synapse_engine.launch.base import Command


class Lease:
    """Permission to use a ready server, held until the last byte of the answer has left.

    There is one for each start of a server, entered and left once for each use. Attributes to read: url,
    api_key, server_id; replica, which of the model's servers it is, from 1.
    """

    __slots__ = ("_leases", "api_key", "replica", "server_id", "url")

    def __init__(self, leases: Leases, url: str, command: Command) -> None:
        self.url = url
        self.api_key = command.api_key
        self.server_id = command.server_id
        self.replica = command.replica
        self._leases = leases

    def __enter__(self) -> Lease:
        self._leases.held += 1
        self._leases.begun += 1
        return self

    def __exit__(self, *_: object) -> None:
        leases = self._leases
        leases.held -= 1
        if not leases.held:
            leases.rest()


class Leases:
    """Those of one server. Attributes to read: held, how many there are, of all its starts; begun, how many
    there have been; now, that of the last one.
    """

    now: Lease

    def __init__(self, clock: Callable[[], float]) -> None:
        self.held = 0
        self.begun = 0
        self.idle_since = clock()
        self._clock = clock
        self._idle = asyncio.Event()

    def begin(self, url: str, command: Command) -> None:
        """It has become ready."""
        self.now = Lease(self, url, command)
        self.rest()

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
