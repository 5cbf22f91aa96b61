"""One model's line: who waits for it, and who is being served.

A seat is a lease with a place in the server's work. A server is given a few requests for each of its slots,
so that it never runs dry; the rest wait here, where turns are fair, and not there, where they are not.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

from synapse_engine.errors import NotRunning, SynapseError
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.leases import Lease
from synapse_engine.fleet.state import State
from synapse_engine.gateway.fairness import FairQueue, Ticket
from synapse_engine.gateway.names import Target
from synapse_engine.gateway.upstream import Place, place_of

SEATS_PER_SLOT = 4
SEATS_KEPT = 64
# By then the fleet has seen that a process has ended.
NOTICED_SECONDS = 0.15


@dataclass(slots=True)
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
    """Use of a server until `release`; of an upstream by URL as many as there are requests.

    One is for all who use the same server; each releases it once. load_seconds: how much of the wait was for
    the server's start.
    """

    __slots__ = ("load_seconds", "model_id", "place", "server_id")

    def __init__(self, place: Place, model_id: str, server_id: str) -> None:
        self.place = place
        self.model_id = model_id
        self.server_id = server_id
        self.load_seconds = 0.0

    def after(self, load_seconds: float) -> Seat:
        """The same one, for somebody who has waited for its server's start."""
        seat = copy.copy(self)
        seat.load_seconds = load_seconds
        return seat

    def release(self, *, is_lost: bool = False) -> None:
        """is_lost: its server broke off. Nobody waits for one by URL."""

    def __enter__(self) -> Seat:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class LeasedSeat(Seat):
    """Of a server of ours."""

    __slots__ = ("lease", "line")

    def __init__(self, line: Line, lease: Lease) -> None:
        super().__init__(place_of(lease.url, lease.api_key), line.model_id, lease.server_id)
        self.line = line
        self.lease = lease

    def release(self, *, is_lost: bool = False) -> None:
        """What broke off may be ending, so that nobody follows until that would be known."""
        self.lease.__exit__(None, None, None)
        if is_lost:
            asyncio.get_running_loop().call_later(NOTICED_SECONDS, self.line.rises)
        else:
            self.line.rises()


@dataclass(slots=True, eq=False)
class Wish:
    """What one that waits wants; exactly one of the two is called, unless it leaves before."""

    target: Target
    asker: Asker
    on_seat: Callable[[Seat], None]
    on_error: Callable[[SynapseError], None]


class Line:
    """Those who wait for one model and those who are served by it.

    limit: how many are served at a time. replicas: how many of its servers are ready.
    is_held_back: nobody new is seated, so that the model becomes idle and can make room for another.
    came_up_at, wanted_since: of the monotonic clock; since when it is ready, and since when it is being
    brought up for those who wait.
    """

    def __init__(self, model_id: str, fleet: Fleet) -> None:
        self.model_id = model_id
        self.waiting: FairQueue[Wish] = FairQueue()
        self.in_flight = 0
        self.limit = 0
        self.replicas = 0
        self.is_held_back = False
        self.came_up_at = 0.0
        self.wanted_since: float | None = None
        self._fleet = fleet
        self._seats: dict[Lease, LeasedSeat] = {}
        self._deserted = asyncio.Event()

    def view(self) -> LineView:
        oldest = self.waiting.oldest
        waited = time.monotonic() - oldest.since if oldest else 0.0
        return LineView(
            self.model_id, len(self.waiting), self.in_flight, self.limit, waited, self.is_held_back
        )

    def measure(self) -> None:
        """A server of the model has changed: how many are ready, and how much they take."""
        ready = [server for server in self._fleet.servers_of(self.model_id) if server.state is State.READY]
        self.replicas = len(ready)
        self.limit = SEATS_PER_SLOT * sum(server.slots for server in ready)

    def hang_up(self, server_id: str) -> None:
        """That server ends: to see to a kept connection first would take a llama-server some 10 ms."""
        for seat in self._seats.values():
            if seat.server_id == server_id:
                seat.place.hang_up()

    def sit_down(self, prefix: int | None) -> Seat | None:
        """A seat, if there is one at once. Raises Booting."""
        if self.is_held_back or (self.in_flight and self.in_flight >= self.limit):
            return None
        try:
            lease = self._fleet.lease(self.model_id, prefix)
        except NotRunning:
            return None
        lease.__enter__()
        self.in_flight += 1
        return self.seat_of(lease)

    def seat_of(self, lease: Lease) -> LeasedSeat:
        """That of this start, whether or not anybody sits there. Those of earlier starts are of no use."""
        seat = self._seats.get(lease)
        if seat is None:
            if len(self._seats) >= SEATS_KEPT:
                self._seats.clear()
            seat = self._seats[lease] = LeasedSeat(self, lease)
        return seat

    def rises(self) -> None:
        """One has been served."""
        self.in_flight -= 1
        if self.waiting.count:
            self.advance()

    def join(self, wish: Wish) -> Ticket[Wish]:
        """To the end of the line; the ticket is for leaving it."""
        ticket = Ticket(wish.asker.client, wish.asker.priority, time.monotonic(), wish)
        self.waiting.add(ticket)
        return ticket

    def leave(self, ticket: Ticket[Wish]) -> None:
        """Not to be asked any more. Harmless for one that waits no more."""
        self.waiting.remove(ticket)
        self._has_shrunk()

    def advance(self) -> None:
        """Seat whom there is room for."""
        while (ticket := self.waiting.peek(time.monotonic())) is not None:
            wish = ticket.what
            try:
                seat = self.sit_down(wish.asker.prefix)
            except SynapseError as error:
                self.fail(error)
                return
            if seat is None:
                return
            self.waiting.take(ticket)
            self._has_shrunk()
            if self.wanted_since is not None:
                seat = seat.after(max(0.0, time.monotonic() - max(self.wanted_since, ticket.since)))
            wish.on_seat(seat)

    def fail(self, error: SynapseError) -> None:
        """Turn away everybody who waits."""
        for ticket in self.waiting.tickets:
            self.waiting.remove(ticket)
            ticket.what.on_error(error)
        self._has_shrunk()

    async def until_deserted(self) -> None:
        """Return once nobody waits."""
        while self.waiting:
            self._deserted.clear()
            await self._deserted.wait()

    def _has_shrunk(self) -> None:
        if not self.waiting:
            self._deserted.set()
