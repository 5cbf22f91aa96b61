"""Who of a start-all may load now: a few at a time, the smallest that waits comes next."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from synapse_engine.catalog.model import Tier
from synapse_engine.catalog.registry import Entry

TIER_ORDER = (Tier.FAST, Tier.BALANCED, Tier.POWERFUL)

Order = tuple[int, int, int, str]


def start_order(entry: Entry, replica: int = 1) -> Order:
    """First replicas before further ones; then by tier, the weights' size and the id, the smallest first."""
    return replica, TIER_ORDER.index(entry.tier), entry.model.file_size_bytes, entry.model_id


class Turns:
    """Places for servers that load at the same time, shared by all start-alls."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._free = at_once
        self._waiting: list[tuple[Order, int, asyncio.Future[None]]] = []
        self._tie = itertools.count()

    def resize(self, at_once: int) -> None:
        """So many places from now on; those that load go on."""
        self._free += at_once - self._at_once
        self._at_once = at_once
        self._admit()

    @asynccontextmanager
    async def turn(self, order: Order) -> AsyncIterator[None]:
        """Wait for a place, hold it, and give it back."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._waiting, (order, next(self._tie), waiter))
        # In the loop's next round, when every model of the same call has joined the line.
        loop.call_soon(self._admit)
        try:
            await waiter
            yield
        finally:
            if waiter.done() and not waiter.cancelled():
                self._free += 1
            waiter.cancel()
            self._admit()

    def _admit(self) -> None:
        while self._free > 0 and self._waiting:
            _, _, waiter = heapq.heappop(self._waiting)
            if not waiter.done():
                self._free -= 1
                waiter.set_result(None)


def places_to_load(cores: int) -> int:
    """How many servers may load at a time on so many cores.

    Each warms up with busy threads on all of them, in a session and so a scheduling group of its own: four at
    once on two cores took six times as long as one after the other.
    """
    return max(1, cores // 2)
