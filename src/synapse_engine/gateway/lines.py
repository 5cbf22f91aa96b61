"""Who waits for which model, and who is being served.

A seat is a lease with a place in the server's work. A server is given a few requests for each of its slots,
so that it never runs dry; the rest wait here, where turns are fair, and not there, where they are not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from synapse_engine.catalog.registry import Registry
from synapse_engine.errors import NotRunning, QueueFull, SynapseError, WaitedTooLong
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.leases import Lease
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.gateway.fairness import FairQueue, Ticket
from synapse_engine.gateway.names import Target
from synapse_engine.gateway.permission import why_not_started
from synapse_engine.gateway.upstream import Place, place_of

SEATS_PER_SLOT = 4
SLOTS = 4
SETTLED = (State.READY, State.STOPPED, State.BACKOFF, State.FAILED)
# For all models together, this many times what one may have.
QUEUES_IN_ALL = 4


@dataclass(frozen=True, slots=True)
class Asker:
    """client: whom fairness counts as one. priority: 0 high, 1 normal, 2 low. prefix: a hash of what the
    conversation begins with, so that it goes where the prompt cache is warm.
    """

    client: str
    priority: int = 1
    prefix: int | None = None


@dataclass(frozen=True)
class LineView:
    """A line as it is shown. oldest_seconds: how long the first of those that wait has waited."""

    model_id: str
    waiting: int
    in_flight: int
    limit: int
    oldest_seconds: float
    is_held_back: bool


class Seat:
    """Use of a ready server until `release`. load_seconds: how much of the wait was for its start."""

    __slots__ = ("lease", "line", "load_seconds", "model_id", "place", "server_id", "variant")

    def __init__(self, line: Line, lease: Lease, place: Place, variant: str | None) -> None:
        self.line = line
        self.lease = lease
        self.place = place
        self.model_id = line.model_id
        self.server_id = line.model_id
        self.variant = variant
        self.load_seconds = 0.0

    def release(self) -> None:
        self.lease.__exit__(None, None, None)
        self.line.rises()

    def __enter__(self) -> Seat:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(slots=True, eq=False)
class Wish:
    """What one that waits wants, and the future that it waits for."""

    target: Target
    asker: Asker
    seat: asyncio.Future[Seat]


class Line:
    """Those who wait for one model and those who are served by it.

    is_held_back: nobody new is seated, so that the model becomes idle and can make room for another.
    """

    def __init__(self, model_id: str, fleet: Fleet, on_change: Callable[[str], None]) -> None:
        self.model_id = model_id
        self.waiting: FairQueue[Wish] = FairQueue()
        self.in_flight = 0
        self.is_held_back = False
        self.came_up_at = 0.0
        self.wanted_since: float | None = None
        self._fleet = fleet
        self._on_change = on_change
        self._places: dict[str, Place] = {}
        self._deserted = asyncio.Event()

    @property
    def limit(self) -> int:
        return SEATS_PER_SLOT * SLOTS

    def view(self) -> LineView:
        oldest = self.waiting.oldest
        waited = time.monotonic() - oldest.since if oldest else 0.0
        return LineView(
            self.model_id, len(self.waiting), self.in_flight, self.limit, waited, self.is_held_back
        )

    def sit_down(self, target: Target, asker: Asker) -> Seat | None:
        """A seat, if there is one at once. Raises Booting."""
        if self.is_held_back or self.in_flight >= self.limit:
            return None
        try:
            lease = self._fleet.lease(self.model_id)
        except NotRunning:
            return None
        place = self._places.get(lease.api_key)
        if place is None:
            # Those of earlier starts are of no use any more.
            known = {key: place for key, place in self._places.items() if len(self._places) < 64}
            place = place_of(lease.url, lease.api_key)
            self._places = {**known, lease.api_key: place}
        lease.__enter__()
        self.in_flight += 1
        return Seat(self, lease, place, target.variant)

    def rises(self) -> None:
        """One has been served."""
        self.in_flight -= 1
        if self.waiting:
            self.advance()

    def join(self, ticket: Ticket[Wish]) -> None:
        self.waiting.add(ticket)
        self._on_change(self.model_id)

    def leave(self, ticket: Ticket[Wish]) -> None:
        self.waiting.remove(ticket)
        self._on_change(self.model_id)
        if not self.waiting:
            self._deserted.set()

    def advance(self) -> None:
        """Seat whom there is room for."""
        while (ticket := self.waiting.peek(time.monotonic())) is not None:
            wish = ticket.what
            if not wish.seat.done():
                seat = self.sit_down(wish.target, wish.asker)
                if seat is None:
                    return
                if self.wanted_since is not None:
                    seat.load_seconds = max(0.0, time.monotonic() - max(self.wanted_since, ticket.since))
                wish.seat.set_result(seat)
            self.waiting.take(ticket)

    def fail(self, error: SynapseError) -> None:
        """Turn away everybody who waits."""
        for ticket in self.waiting.tickets:
            if not ticket.what.seat.done():
                ticket.what.seat.set_exception(error)

    async def until_deserted(self) -> None:
        """Return once nobody waits."""
        while self.waiting:
            self._deserted.clear()
            await self._deserted.wait()


class Lines:
    """Every model's line. Attribute to read: by_model."""

    def __init__(
        self,
        registry: Registry,
        fleet: Fleet,
        wake: Callable[[Line], None],
        *,
        on_demand: bool,
        queue_max: int,
        queue_seconds: float,
        on_change: Callable[[str], None] = lambda model_id: None,
    ) -> None:
        self._registry = registry
        self._fleet = fleet
        self._wake = wake
        self._on_demand = on_demand
        self._queue_max = queue_max
        self._queue_seconds = queue_seconds
        self._on_change = on_change
        self._by_model: dict[str, Line] = {}

    @property
    def by_model(self) -> Mapping[str, Line]:
        return self._by_model

    def views(self) -> list[LineView]:
        return [line.view() for line in self._by_model.values()]

    def line(self, model_id: str) -> Line:
        line = self._by_model.get(model_id)
        if line is None:
            line = self._by_model[model_id] = Line(model_id, self._fleet, self._on_change)
        return line

    def follow(self, server: Server) -> None:
        """A server's new state: who waits for it is seated, or it comes back for them."""
        line = self.line(server.model_id)
        if server.state is State.READY:
            line.came_up_at = time.monotonic()
        if line.waiting and server.state in SETTLED:
            # Not from within the change itself, which others are still to hear of.
            asyncio.get_running_loop().call_soon(self.resume, line)

    def seat_now(self, target: Target, asker: Asker) -> Seat | None:
        """A seat where there is one at once and nobody waits for it. Raises Booting."""
        if len(target.model_ids) == 1:
            line = self._by_model.get(target.model_ids[0]) or self.line(target.model_ids[0])
        else:
            line = self.line(self._choose(target))
        return None if line.waiting else line.sit_down(target, asker)

    async def seat(self, target: Target, asker: Asker) -> Seat:
        """Wait for a seat, after starting the model where that may be done.

        Raises NotRunning, QueueFull, WaitedTooLong, and what made the start fail.
        """
        line = self.line(self._choose(target))
        self._check_may_wait(line)
        wish = Wish(target, asker, asyncio.get_running_loop().create_future())
        ticket = Ticket(asker.client, asker.priority, time.monotonic(), wish)
        line.join(ticket)
        try:
            line.advance()
            if not wish.seat.done():
                self._wake(line)
            await asyncio.wait({wish.seat}, timeout=self._queue_seconds)
            if not wish.seat.done():
                raise WaitedTooLong(line.model_id, self._queue_seconds, self._what_for(line))
            return wish.seat.result()
        except asyncio.CancelledError:
            if wish.seat.done() and wish.seat.exception() is None:
                wish.seat.result().release()
            raise
        finally:
            wish.seat.cancel()
            line.leave(ticket)

    def _choose(self, target: Target) -> str:
        """Of the models that will do: a ready one, the least busy; else one that is coming; else the first
        that may be started, or just the first.
        """
        if len(target.model_ids) == 1:
            return target.model_ids[0]
        servers = self._fleet.servers

        def rank(model_id: str) -> tuple[int, int]:
            state = servers[model_id].state if model_id in servers else State.STOPPED
            line = self._by_model.get(model_id)
            if state is State.READY:
                return 0, line.in_flight + len(line.waiting) if line else 0
            if state in (State.STARTING, State.QUEUED):
                return 1, 0
            return 2 + (why_not_started(self._registry.get(model_id), self._on_demand) is not None), 0

        return min(target.model_ids, key=rank)

    def resume(self, line: Line) -> None:
        """Go on with those who wait: seat them, and bring the model up for who is left."""
        line.advance()
        if line.waiting and not line.is_held_back:
            self._wake(line)

    def check_may_start(self, line: Line) -> None:
        """Raises NotRunning where it neither runs nor comes, and no request may start it."""
        server = self._fleet.servers.get(line.model_id)
        state = server.state if server else State.STOPPED
        if state not in (State.READY, State.STARTING, State.QUEUED):
            why_not = why_not_started(self._registry.get(line.model_id), self._on_demand)
            if why_not is not None:
                raise NotRunning(line.model_id, state, f", and {why_not}")

    def _check_may_wait(self, line: Line) -> None:
        self.check_may_start(line)
        if len(line.waiting) >= self._queue_max:
            raise QueueFull(
                f"{self._queue_max} wait for {line.model_id} already; SYNAPSE_QUEUE_MAX sets how many may."
            )
        in_all = sum(len(line.waiting) for line in self._by_model.values())
        if in_all >= QUEUES_IN_ALL * self._queue_max:
            raise QueueFull(f"{in_all} wait in all, for several models.")

    def _what_for(self, line: Line) -> str:
        server = self._fleet.servers.get(line.model_id)
        if server is not None and server.state is State.READY:
            return f"It works on {line.in_flight} other requests"
        return f"It is {server.state if server else State.STOPPED}"
