"""Who may take memory. A start reserves its need before it is spawned and holds it until its process is gone.

One lock from the look at what is free to the reservation, and through an eviction: two starts can never both
be given the last gigabyte.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from synapse_engine.errors import NotEnoughMemory
from synapse_engine.fleet.demand import Demand
from synapse_engine.fleet.eviction import Occupant, has_just_come
from synapse_engine.fleet.placement import Gpu, Placement, plan_placements
from synapse_engine.fleet.room import (
    Holding,
    Space,
    Verdict,
    explain_refusal,
    grant_cache,
    plan_admission,
    plan_spaces,
    plan_wait,
)
from synapse_engine.launch.base import RAM, Device

FREED_SECONDS = 10.0
POLL_SECONDS = 0.02

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """Of one start. force: over a refusal. together: models that never make room for each other.

    spares_newcomers: by request, that it leaves alone what has just come; see `has_just_come`.
    holder: who asks, where the machine may be reserved for somebody.
    """

    force: bool = False
    by_request: bool = False
    spares_newcomers: bool = True
    may_evict: bool = True
    together: frozenset[str] = frozenset()
    holder: str | None = None


@dataclass(frozen=True)
class Grant:
    """need: reserved bytes by device, with those of the prompt cache, which are in RAM."""

    need: Mapping[str, int]
    prompt_cache_bytes: int
    context_tokens: int


@dataclass
class Reservation:
    need: dict[str, int]
    prompt_cache_bytes: int
    terms: Terms
    victims: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Surroundings:
    """What admission is told by the fleet, and asks of it.

    occupants: every server that takes memory. taken: resident bytes by server id, measured now. unload: asks
    for a stop at once and answers when it is done.
    """

    devices: Callable[[], Awaitable[list[Device]]]
    taken: Callable[[], Awaitable[Mapping[str, int]]]
    occupants: Callable[[], Iterable[Occupant]]
    unload: Callable[[str], Awaitable[object]]
    bring_back: Callable[[str], None]


class Admission:
    """The book of reservations, and the only one who writes in it.

    Attributes: capacity_bytes, to read, all the memory for servers when it was last looked at, 0 before;
    limit_bytes and may_evict, to set at any time.
    """

    def __init__(self, surroundings: Surroundings, limit_bytes: int | None, *, may_evict: bool) -> None:
        self._with = surroundings
        self.limit_bytes = limit_bytes
        self.may_evict = may_evict
        self._book: dict[str, Reservation] = {}
        self._lock = asyncio.Lock()
        self._fitting: dict[str, asyncio.Event] = {}
        self.capacity_bytes = 0

    def reserved(self, server_id: str) -> Mapping[str, int]:
        """Bytes by device; empty where nothing is."""
        held = self._book.get(server_id)
        return held.need if held else {}

    async def capacity(self) -> int:
        """All the memory for servers, on every device."""
        if not self.capacity_bytes:
            await self.spaces()
        return self.capacity_bytes

    async def spaces(self, *, without: str | None = None) -> list[Space]:
        """Every device as it is now. without: a server whose reservation is not counted."""
        devices = await self._with.devices()
        taken = await self._with.taken()
        holdings = [
            Holding(reservation.need, taken.get(server_id, 0))
            for server_id, reservation in self._book.items()
            if server_id != without
        ]
        spaces = plan_spaces(devices, self.limit_bytes, holdings)
        self.capacity_bytes = sum(space.limit_bytes for space in spaces)
        return spaces

    async def plan(self, server_id: str, demand: Demand) -> tuple[Verdict, list[Space], str | None]:
        """What a start would come to now, and why it does not fit, in words; changes nothing."""
        spaces = await self.spaces(without=server_id)
        verdict = self._verdict(server_id, demand, spaces, Terms())
        if verdict.fits:
            return verdict, spaces, None
        return verdict, spaces, explain_refusal(verdict, spaces, self._occupants(server_id, Terms()))

    async def would_free(self, server_id: str, demand: Demand) -> tuple[str, ...]:
        """Who would have to finish so that a start by request fits; see `plan_wait`."""
        spaces = await self.spaces(without=server_id)
        if not self.may_evict:
            return ()
        occupants = self._occupants(server_id, Terms(by_request=True))
        return plan_wait(placements(demand, spaces), spaces, occupants)

    async def admit(self, server_id: str, demand: Demand, terms: Terms, *, ran_out: bool = False) -> Grant:
        """Reserve what it needs, after stopping others where that is needed and allowed.

        Those that are being stopped are waited for, and nobody else waits meanwhile.
        ran_out: it has just ended for want of memory, so somebody idle goes even where it seems to fit.
        Raises NotEnoughMemory.
        """
        # An attempt of its own before is over; whoever waits for that holds the lock.
        self._fitted(server_id)
        while True:
            async with self._lock:
                await self._until_fitted(server_id)
                spaces = await self.spaces(without=server_id)
                verdict = self._verdict(server_id, demand, spaces, terms, ran_out=ran_out)
                if not verdict.fits and not terms.force:
                    raise NotEnoughMemory(explain_refusal(verdict, spaces, self._occupants(server_id, terms)))
                if not verdict.awaits:
                    return await self._grant(server_id, demand, terms, verdict, spaces)
            log.info("%s waits for the memory of %s", server_id, ", ".join(verdict.awaits))
            await asyncio.gather(*(self._with.unload(leaving) for leaving in verdict.awaits))
            if verdict.placement.need.keys() - {RAM} and not verdict.evicts:
                await self._until_free(server_id, verdict.placement)

    async def _grant(
        self, server_id: str, demand: Demand, terms: Terms, verdict: Verdict, spaces: Sequence[Space]
    ) -> Grant:
        held = self._reserve(server_id, verdict.placement, terms)
        if verdict.evicts:
            spaces = await self._make_room(server_id, held, verdict)
        if verdict.placement.notice:
            log.warning("%s: %s", server_id, verdict.placement.notice)
        cache_bytes = self._grant_cache(demand, verdict.placement, spaces)
        held.need[RAM] = held.need.get(RAM, 0) + cache_bytes
        held.prompt_cache_bytes = cache_bytes
        self._begins_fitting(server_id, held.need)
        return Grant(dict(held.need), cache_bytes, demand.context_tokens)

    def restore(self, server_id: str, need: Mapping[str, int], *, is_loading: bool) -> None:
        """Count one that an earlier run has started."""
        self._book[server_id] = Reservation(dict(need), 0, Terms())
        if is_loading:
            self._begins_fitting(server_id, need)

    def measured(self, server_id: str, ram_bytes: int) -> None:
        """What it really took: from now on that is reserved, and room for its prompt cache."""
        held = self._book.get(server_id)
        if held is not None:
            held.need[RAM] = ram_bytes + held.prompt_cache_bytes

    def came_up(self, server_id: str) -> None:
        """It is ready: those that it has replaced stay stopped."""
        held = self._book.get(server_id)
        if held is not None:
            held.victims.clear()
        self._fitted(server_id)

    def stays_stopped(self, server_ids: Iterable[str]) -> None:
        """A person stopped them: they do not come back for one that does not come up."""
        for held in self._book.values():
            held.victims.difference_update(server_ids)

    def release(self, server_id: str) -> None:
        """Its process is gone. If it never was ready, those that it has replaced come back."""
        held = self._book.pop(server_id, None)
        self._fitted(server_id)
        for victim in sorted(held.victims) if held else ():
            log.warning("%s comes back, as %s did not come up", victim, server_id)
            self._with.bring_back(victim)

    async def _until_fitted(self, server_id: str) -> None:
        """While one loads onto GPUs, the engine's own fit looks at what is free there: nobody else begins."""
        for other, fitted in list(self._fitting.items()):
            if other != server_id:
                await fitted.wait()

    def _begins_fitting(self, server_id: str, need: Mapping[str, int]) -> None:
        if need.keys() - {RAM}:
            self._fitting[server_id] = asyncio.Event()

    def _fitted(self, server_id: str) -> None:
        if fitted := self._fitting.pop(server_id, None):
            fitted.set()

    def _reserve(self, server_id: str, placement: Placement, terms: Terms) -> Reservation:
        before = self._book.get(server_id)
        held = Reservation(dict(placement.need), 0, terms, before.victims if before else set())
        self._book[server_id] = held
        return held

    def _verdict(
        self,
        server_id: str,
        demand: Demand,
        spaces: Sequence[Space],
        terms: Terms,
        *,
        ran_out: bool = False,
    ) -> Verdict:
        return plan_admission(
            placements(demand, spaces),
            spaces,
            self._occupants(server_id, terms),
            may_evict=self.may_evict and terms.may_evict,
            must_evict=ran_out,
        )

    def _occupants(self, server_id: str, terms: Terms) -> list[Occupant]:
        return [
            replace(occupant, is_protected=_is_protected(occupant, terms))
            for occupant in self._with.occupants()
            if occupant.server_id != server_id
        ]

    async def _make_room(self, server_id: str, held: Reservation, verdict: Verdict) -> list[Space]:
        """Stop the victims and wait until their memory is really free; GPUs give it back late.

        Answers what is free then.
        """
        for victim in verdict.evicts:
            held.victims.add(victim)
            log.warning("%s stops, to make room for %s", victim, server_id)
        await asyncio.gather(*(self._with.unload(victim) for victim in verdict.evicts))
        freed, spaces = await self._until_free(server_id, verdict.placement)
        if not freed.fits:
            if not held.terms.force:
                raise NotEnoughMemory(explain_refusal(freed, spaces, ()))
            log.warning("%s starts all the same: what was stopped for it freed too little", server_id)
        return spaces

    async def _until_free(self, server_id: str, placement: Placement) -> tuple[Verdict, list[Space]]:
        """What is free once it fits, or at the latest after a while: GPUs give memory back late."""
        deadline = time.monotonic() + FREED_SECONDS
        while True:
            spaces = await self.spaces(without=server_id)
            freed = plan_admission([placement], spaces, (), may_evict=False)
            if freed.fits or time.monotonic() > deadline:
                return freed, spaces
            await asyncio.sleep(POLL_SECONDS)

    def _grant_cache(self, demand: Demand, placement: Placement, spaces: Sequence[Space]) -> int:
        if not demand.takes_cache:
            return 0
        given = sum(reservation.prompt_cache_bytes for reservation in self._book.values())
        return grant_cache(spaces[0], placement.need.get(RAM, 0), given)


def placements(demand: Demand, spaces: Sequence[Space]) -> list[Placement]:
    """The best first. Where no GPU takes a part, what it took when it last ran goes before the estimate."""
    gpus = _usable(demand.options.get("device"), spaces)
    planned = plan_placements(demand.estimate, demand.model, demand.options, gpus)
    if demand.measured_bytes is not None and not gpus:
        return [Placement({RAM: demand.measured_bytes})]
    return planned


def _is_protected(occupant: Occupant, terms: Terms) -> bool:
    spares = terms.by_request and terms.spares_newcomers
    return occupant.model_id in terms.together or (spares and has_just_come(occupant))


def _usable(chosen: object, spaces: Sequence[Space]) -> list[Gpu]:
    names = chosen.split(",") if isinstance(chosen, str) else chosen
    return [
        Gpu(space.name, space.total_bytes)
        for space in spaces
        if space.kind == "gpu" and (names is None or isinstance(names, list) and space.name in names)
    ]
