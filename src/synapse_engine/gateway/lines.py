"""Every model's line: who is let into one, and how long anybody waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from synapse_engine.catalog.registry import Registry
from synapse_engine.errors import NotRunning
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.leases import Lease
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.gateway.errors import QueueFull, WaitedTooLong
from synapse_engine.gateway.line import Asker, Line, LineView, Seat, Wish
from synapse_engine.gateway.names import Target
from synapse_engine.gateway.permission import HELD, why_not_started
from synapse_engine.gateway.question import prefix_of
from synapse_engine.gateway.upstream import Place

__all__ = ["Asker", "Line", "LineView", "Lines", "Seat", "Wish"]

SETTLED = (State.READY, State.STOPPED, State.BACKOFF, State.FAILED)
# For all models together, this many times what one may have.
QUEUES_IN_ALL = 4


class Lines:
    """Every model's line. Attributes: by_model, to read; on_demand, queue_max and queue_seconds, to set
    at any time.
    """

    def __init__(
        self,
        registry: Registry,
        fleet: Fleet,
        wake: Callable[[Line], None],
        *,
        on_demand: bool,
        queue_max: int,
        queue_seconds: float,
    ) -> None:
        self._registry = registry
        self._fleet = fleet
        self._wake = wake
        self.on_demand = on_demand
        self.queue_max = queue_max
        self.queue_seconds = queue_seconds
        self._by_model: dict[str, Line] = {}
        self._watch: asyncio.TimerHandle | None = None

    @property
    def by_model(self) -> Mapping[str, Line]:
        return self._by_model

    def views(self) -> list[LineView]:
        return [line.view() for line in self._by_model.values()]

    def line(self, model_id: str) -> Line:
        line = self._by_model.get(model_id)
        if line is None:
            line = self._by_model[model_id] = Line(model_id, self._fleet)
        return line

    def follow(self, server: Server) -> None:
        """A server's new state: who waits for it is seated, or it comes back for them."""
        line = self.line(server.model_id)
        line.measure()
        if server.state is State.READY:
            line.came_up_at = time.monotonic()
        # Not from within the change itself, which others are still to hear of.
        call_soon = asyncio.get_running_loop().call_soon
        if server.state is State.STOPPING:
            line.hang_up(server.server_id)
            call_soon(self.look_again, [server.model_id])
        elif line.waiting and server.state in SETTLED:
            call_soon(self.resume, line)

    def look_again(self, model_ids: Iterable[str]) -> None:
        """The choices of these models have changed: whose model may not come up any more waits no longer."""
        for line in filter(None, map(self._by_model.get, model_ids)):
            if line.waiting:
                try:
                    self.check_may_start(line)
                except NotRunning as refusal:
                    line.fail(refusal)

    def has_replicas(self, target: Target) -> bool:
        """Whether it matters which of several servers a conversation goes to."""
        if target.remote is not None:
            return False
        return any(self.line(model_id).replicas > 1 for model_id in target.model_ids)

    def seat_now(self, target: Target, body: bytes | None) -> Seat | None:
        """A seat where there is one at once and nobody waits for it. Raises Booting.

        body: the request's; of several servers it goes to the one that knows the conversation, without it
        to any.
        """
        if target.remote is not None:
            return Seat(target.remote.place, target.model_ids[0], target.remote.remote.name)
        model_ids = target.model_ids
        model_id = model_ids[0] if len(model_ids) == 1 else self._choose(target)
        line = self._by_model.get(model_id) or self.line(model_id)
        if line.waiting.count:
            return None
        return line.sit_down(prefix_of(body) if line.replicas > 1 and body is not None else None)

    def place_of(self, model_id: str, lease: Lease) -> Place:
        """Where requests to that server go, for a question of our own that takes nobody's turn."""
        return self.line(model_id).seat_of(lease).place

    def wait(self, wish: Wish) -> Callable[[], None]:
        """Stand in line, and have the model started where that may be done; answers how to leave the line.

        Raises NotRunning and QueueFull. on_error is told WaitedTooLong, and what made the start fail.
        """
        line = self.line(self._choose(wish.target))
        self._check_may_wait(line)
        ticket = line.join(wish)
        self._watch_deadlines()
        self.resume(line)
        return lambda: line.leave(ticket)

    async def seat(self, target: Target, asker: Asker) -> Seat:
        """Wait for a seat. Raises what `wait` raises and on_error is told."""
        future: asyncio.Future[Seat] = asyncio.get_running_loop().create_future()
        leave = self.wait(Wish(target, asker, future.set_result, future.set_exception))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            leave()
            if future.done() and future.exception() is None:
                future.result().release()
            raise

    def _watch_deadlines(self) -> None:
        if self._watch is None:
            delay = min(1.0, self.queue_seconds / 4)
            self._watch = asyncio.get_running_loop().call_later(delay, self._look_at_deadlines)

    def _look_at_deadlines(self) -> None:
        self._watch = None
        too_early = time.monotonic() - self.queue_seconds
        # A copy: who is told may ask for a model that had no line at once.
        for line in list(self._by_model.values()):
            while (oldest := line.waiting.oldest) is not None and oldest.since < too_early:
                line.leave(oldest)
                what_for = self._what_for(line)
                oldest.what.on_error(WaitedTooLong(line.model_id, self.queue_seconds, what_for))
        if any(line.waiting for line in self._by_model.values()):
            self._watch_deadlines()

    def _choose(self, target: Target) -> str:
        """Of the models that will do: a ready one, the least busy; else one that is coming; else the first
        that may be started, one that failed only after all others; or just the first.
        """
        if len(target.model_ids) == 1:
            return target.model_ids[0]

        def rank(model_id: str) -> tuple[int, int]:
            state = self._fleet.state_of(model_id)
            line = self._by_model.get(model_id)
            if state is State.READY:
                return 0, line.in_flight + len(line.waiting) if line else 0
            if state in (State.STARTING, State.QUEUED):
                return 1, 0
            entry = self._registry.get(model_id)
            if why_not_started(entry, self.on_demand) is not None:
                return 3, 0
            return 2, entry.model.problem is not None or state in (State.FAILED, State.BACKOFF)

        return min(target.model_ids, key=rank)

    def resume(self, line: Line) -> None:
        """Go on with those who wait: seat them, and bring the model up for who is left."""
        line.advance()
        if line.waiting and not line.is_held_back:
            self._wake(line)

    def check_may_start(self, line: Line) -> None:
        """Raises NotRunning where it neither runs nor comes, and no request may start it."""
        state = self._fleet.state_of(line.model_id)
        if state not in (State.READY, State.STARTING, State.QUEUED):
            is_being_held = self._fleet.is_being_held(line.model_id)
            entry = self._registry.get(line.model_id)
            why_not = HELD if is_being_held else why_not_started(entry, self.on_demand)
            if why_not is not None:
                raise NotRunning(line.model_id, state, f", and {why_not}")

    def _check_may_wait(self, line: Line) -> None:
        self.check_may_start(line)
        if len(line.waiting) >= self.queue_max:
            raise QueueFull(
                f"{self.queue_max} wait for {line.model_id} already; SYNAPSE_QUEUE_MAX sets how many may."
            )
        in_all = sum(len(line.waiting) for line in self._by_model.values())
        if in_all >= QUEUES_IN_ALL * self.queue_max:
            raise QueueFull(f"{in_all} wait in all, for several models.")

    def _what_for(self, line: Line) -> str:
        state = self._fleet.state_of(line.model_id)
        if state is State.READY:
            return f"It works on {line.in_flight} other requests"
        return f"It is {state}"
