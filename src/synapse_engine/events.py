"""What happens, told to whoever listens. Publishing never blocks and never waits for a slow reader.

Two parts. `Changes` collects what has changed until somebody tells it on, so that many changes of one thing
become one event. `Bus` hands events to subscriptions, each with a bounded queue: a reader that falls behind
loses its queue and is told to look at the whole again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "server",
    "model",
    "scan",
    "memory",
    "notice",
    "activity",
    "queue",
    "download",
    "benchmark",
    "upstreams",
    "settings",
    "folders",
]

QUEUE_EVENTS = 512
KEPT_EVENTS = 2048


@dataclass(frozen=True, slots=True)
class Event:
    """data: JSON, made once for all readers. id: None for one that nobody who comes back is told again."""

    id: int | None
    kind: Kind
    data: bytes


class Changes:
    """What has changed since it was last taken: servers and models by id, and the scan."""

    def __init__(self) -> None:
        self.servers: set[str] = set()
        self.models: set[str] = set()
        self.scan = False
        self._touched = asyncio.Event()

    def server(self, model_id: str) -> None:
        self.servers.add(model_id)
        self._touched.set()

    def some_models(self, model_ids: Iterable[str]) -> None:
        self.models.update(model_ids)
        self._touched.set()

    def the_scan(self) -> None:
        self.scan = True
        self._touched.set()

    async def arrival(self) -> None:
        """Return once there is something to take."""
        await self._touched.wait()

    def take(self) -> tuple[set[str], set[str], bool]:
        """Servers, models, and whether the scan: all since the last take."""
        taken = self.servers, self.models, self.scan
        self.servers, self.models, self.scan = set(), set(), False
        self._touched.clear()
        return taken


class Subscription:
    """One reader's queue.

    is_behind: it has lost events, or never had any, and must look at the whole; then `catch_up`.
    """

    def __init__(self, missed: list[Event] | None) -> None:
        self.is_behind = missed is None
        self._queue = deque(missed or ())
        self._arrived = asyncio.Event()
        if missed:
            self._arrived.set()

    async def arrival(self) -> None:
        """Return once there are events, or it is behind."""
        await self._arrived.wait()

    def take(self) -> list[Event]:
        """Every event that waits."""
        events = list(self._queue)
        self._queue.clear()
        self._arrived.clear()
        return events

    def catch_up(self) -> None:
        """From now on events follow what was just looked at."""
        self.take()
        self.is_behind = False

    def offer(self, event: Event) -> None:
        if self.is_behind:
            return
        if len(self._queue) >= QUEUE_EVENTS:
            self.fall_behind()
            return
        self._queue.append(event)
        self._arrived.set()

    def fall_behind(self) -> None:
        self._queue.clear()
        self.is_behind = True
        self._arrived.set()


class Bus:
    """Hands every event to every subscription. Of the loop's thread alone. closed: nothing more will come.

    Ids grow by one, and from one run of the control plane to the next too: they begin with the clock.
    """

    def __init__(self) -> None:
        self.last_id = int(time.time() * 1_000_000)
        self.closed = asyncio.Event()
        self._kept: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._subscriptions: set[Subscription] = set()
        self._somebody = asyncio.Event()

    @property
    def subscribers(self) -> int:
        return len(self._subscriptions)

    async def somebody(self) -> None:
        """Return once there is a subscription."""
        await self._somebody.wait()

    def publish(self, kind: Kind, data: bytes, *, is_kept: bool = True) -> None:
        """is_kept: for those who come back; not needed where the next of its kind tells all."""
        event = Event(self.last_id + 1 if is_kept else None, kind, data)
        if event.id is not None:
            self.last_id = event.id
            self._kept.append(event)
        for subscription in self._subscriptions:
            subscription.offer(event)

    def start_over(self) -> None:
        """So much has changed that every reader had better look at the whole."""
        self.last_id += 1
        self._kept.clear()
        for subscription in self._subscriptions:
            subscription.fall_behind()

    @contextmanager
    def subscribe(self, last_seen: int | None) -> Iterator[Subscription]:
        """A subscription for as long as it is entered; it goes on after `last_seen` where that is kept."""
        subscription = Subscription(self._missed(last_seen))
        self._subscriptions.add(subscription)
        self._somebody.set()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            if not self._subscriptions:
                self._somebody.clear()

    def close(self) -> None:
        """Nothing more will come: whoever listens may go."""
        self.closed.set()

    def _missed(self, last_seen: int | None) -> list[Event] | None:
        """What came after it; None where that cannot be told any more."""
        oldest = self.last_id - len(self._kept)
        if last_seen is None or not oldest <= last_seen <= self.last_id:
            return None
        return [event for event in self._kept if event.id is not None and event.id > last_seen]
