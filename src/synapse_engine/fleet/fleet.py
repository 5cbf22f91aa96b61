"""All servers: start, stop, start all, stop all, and leases on the ready ones."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import msgspec

from synapse_engine.catalog.model import Tier
from synapse_engine.catalog.registry import Choices, Entry, Registry
from synapse_engine.errors import Booting, CouldNotSave, NotRunning, SynapseError
from synapse_engine.fleet.admission import Terms
from synapse_engine.fleet.adoption import Adoptions
from synapse_engine.fleet.budget import Budget
from synapse_engine.fleet.edits import is_restart_required, replicas_of
from synapse_engine.fleet.idle import IdleStops
from synapse_engine.fleet.journal import Journal, Record
from synapse_engine.fleet.kept import KeptCaches
from synapse_engine.fleet.leases import Lease
from synapse_engine.fleet.life import Ask, Attempt, Limits, Started, Stopped, first_of
from synapse_engine.fleet.loading import Paces
from synapse_engine.fleet.outcomes import Outcome, gather_outcomes, gather_stops
from synapse_engine.fleet.preparation import Preparation
from synapse_engine.fleet.replicas import Busy, choose_replica, choose_speaker
from synapse_engine.fleet.reserved import Reserved
from synapse_engine.fleet.restarts import RestartLimits, RestartPolicy
from synapse_engine.fleet.server import Server, Turn
from synapse_engine.fleet.state import State
from synapse_engine.fleet.surroundings import Surroundings
from synapse_engine.fleet.turns import Turns, start_order
from synapse_engine.launch.base import Command, Launcher, LogChunk, Process, server_id_of
from synapse_engine.launch.command import launch_settings
from synapse_engine.launch.engine import Engines

INACTIVE = (State.STOPPED, State.FAILED)
BY_HAND = Terms()

log = logging.getLogger(__name__)


class Fleet:
    """Every server of every model. It is open once what an earlier run left behind has been seen to.

    Attributes to use: budget, idle_stops, turns, reserved. idle_stop_seconds: for what requests start; 0 is
    never.
    """

    def __init__(
        self,
        registry: Registry,
        launcher: Launcher,
        engines: Engines,
        journal: Journal,
        limits: Limits,
        restart_limits: RestartLimits,
        paces: Paces,
        kept_caches: KeptCaches,
        *,
        port_range: range,
        start_concurrency: int,
        memory_limit_bytes: int | None = None,
        may_evict: bool = True,
        idle_stop_seconds: float = 0.0,
        on_change: Callable[[Server], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._launcher = launcher
        self._on_change = on_change
        self._surroundings = Surroundings(
            launcher, journal, limits, restart_limits, paces, kept_caches, self._has_changed, clock
        )
        self._servers: dict[str, Server] = {}
        self._models: dict[str, list[Server]] = {}
        self.budget = Budget(
            registry, launcher, engines, self._servers, memory_limit_bytes, may_evict, self._bring_back
        )
        self._preparation = Preparation(
            registry,
            engines,
            self.budget.admission,
            kept_caches,
            port_range=port_range,
            is_active=self._is_active,
            is_without_gpus=launcher.is_without_gpus,
        )
        self.idle_stops = IdleStops(registry, self._models.values, self._unload, idle_stop_seconds)
        self.turns = Turns(start_concurrency)
        self.reserved = Reserved()
        self._coming_up: dict[asyncio.Task[None], str] = {}
        self._being_held: Counter[str] = Counter()
        self._adoptions = Adoptions(registry, launcher, journal, self._take_over)
        self.is_open = False

    @property
    def servers(self) -> Mapping[str, Server]:
        """Every server that was ever asked for, by server id: a model's first one has the model's own."""
        return self._servers

    def servers_of(self, model_id: str) -> Sequence[Server]:
        """A model's servers in the order of its replicas; empty where it was never asked for."""
        return self._models.get(model_id, ())

    def server_of(self, model_id: str) -> Server | None:
        """The one that speaks for its model: a ready one, else one that is coming, else the first."""
        servers = self.servers_of(model_id)
        return servers[choose_speaker([server.state for server in servers])] if servers else None

    def state_of(self, model_id: str) -> State:
        """A model is ready while one of its servers is."""
        server = self.server_of(model_id)
        return server.state if server else State.STOPPED

    async def adopt(self) -> None:
        """Take over the servers that an earlier run left, each checked beside the others.

        Those that were ready answer again, or have failed with a reason, when this returns; those that
        were loading go on loading. What could not be looked for in time is looked for until it is known.
        """
        records = await self._adoptions.begin()
        servers = self._servers
        were_ready = [id_ for id_, record in records.items() if record.was_ready and id_ in servers]
        await asyncio.gather(*(servers[server_id].settled() for server_id in were_ready))

    def open(self) -> None:
        """Let starts, stops and leases begin."""
        self.is_open = True

    async def close(self, *, now: bool = False) -> None:
        """Refuse what is new, stop everything, and return once no process is left."""
        self.is_open = False
        await self._adoptions.end()
        await self._bring_up_no_more(self._coming_up)
        await asyncio.gather(*(server.stop(now=now) for server in self._servers.values()))

    async def let_go(self, drain_seconds: float, hurried: asyncio.Event | None = None) -> None:
        """Refuse what is new, let running requests finish, and leave the servers to a later run.

        hurried: once it is set, running requests are waited for no longer.
        """
        self.is_open = False
        await self._adoptions.end()
        await self._bring_up_no_more(self._coming_up)
        servers = self._servers.values()
        drained = asyncio.gather(*(server.leases.until_idle() for server in servers))
        hurry = (hurried or asyncio.Event()).wait()
        await first_of(drained, hurry, timeout_seconds=drain_seconds)
        await asyncio.gather(*(server.let_go() for server in servers))

    async def start(
        self,
        model_id: str,
        *,
        force: bool = False,
        by_request: bool = False,
        spares_newcomers: bool = True,
    ) -> Started:
        """Start one model, at once, and answer when one server of it is ready; further replicas follow.

        force: though memory seems too short. by_request: not a person's wish, so it makes room sooner;
        spares_newcomers: that it leaves alone what has just come. Raises what made it fail; see errors.
        """
        terms = Terms(force=force, by_request=by_request, spares_newcomers=spares_newcomers)
        return await self.start_as(model_id, terms)

    async def start_as(self, model_id: str, terms: Terms) -> Started:
        """The same on any terms."""
        self._check_open()
        return await self._start(self._registry.get(model_id), nullcontext(), terms)

    async def stop(self, model_id: str, *, now: bool = False) -> Stopped:
        """Stop one model for a person, and hold it; one that does not run is no error.

        Raises ModelNotFound.
        """
        self._check_open()
        self._registry.get(model_id)
        self.budget.admission.stays_stopped(self._server_ids(model_id))
        _, stopped = await asyncio.gather(self.hold([model_id], True), self._stop(model_id, now=now))
        return stopped

    async def unload(self, model_id: str) -> Stopped:
        """Stop one model that nobody needs just now, letting running requests finish; requests may start it.

        Raises ModelNotFound.
        """
        self._check_open()
        self._registry.get(model_id)
        self.budget.admission.stays_stopped(self._server_ids(model_id))
        await self._until_adopted(model_id)
        return await self._unload(model_id)

    async def would_free(self, model_id: str) -> tuple[str, ...]:
        """Which models a start by request that found too little memory has to wait for, by id.

        Once each of them has been without a request for a second, it will fit. Empty where no waiting helps,
        and where it fits. Raises ModelNotFound.
        """
        return await self.budget.would_free(self._registry.get(model_id))

    def keep_alive(self, model_id: str, seconds: float | None) -> None:
        """How long it may be idle before it stops, until its next start; a person's is not stopped for that.

        math.inf is for ever; None is as its setting, or else the control plane's, says. Without a server
        there is nothing to keep.
        """
        for server in self.servers_of(model_id):
            server.keep_alive_seconds = seconds

    async def start_all(
        self, model_ids: Sequence[str] | None, tier: Tier | None, terms: Terms = BY_HAND
    ) -> list[Outcome]:
        """Start the given models, or every enabled one, smallest first and a few at a time.

        A failure of one never blocks another. Raises ModelNotFound before anything starts.
        """
        self._check_open()
        if model_ids is None:
            entries = [entry for entry in self._registry.entries.values() if entry.choices.enabled]
        else:
            entries = [self._registry.get(model_id) for model_id in dict.fromkeys(model_ids)]
        chosen = sorted((e for e in entries if tier is None or e.tier is tier), key=start_order)
        terms = replace(terms, together=frozenset(entry.model_id for entry in chosen))
        return await gather_outcomes(
            (entry, self._start(entry, self.turns.turn(start_order(entry)), terms)) for entry in chosen
        )

    async def stop_all(self) -> list[Outcome]:
        """Stop every server for a person, all at once, and hold them and every enabled model."""
        self._check_open()
        entries = self._registry.entries
        held = [
            model_id
            for model_id in entries
            if entries[model_id].choices.enabled or self.state_of(model_id) not in INACTIVE
        ]
        self.budget.admission.stays_stopped(self._servers)
        # Those of this moment: a start that comes meanwhile is a later word.
        wanted = dict.fromkeys([*self._models, *(entries.keys() & self._adoptions.under_way)])
        stops = [(entries[model_id], self._stop(model_id)) for model_id in wanted]
        _, outcomes = await asyncio.gather(self.hold(held, True), gather_outcomes(stops))
        return outcomes

    async def hold(self, model_ids: Iterable[str], held: bool) -> None:
        """Keep requests from starting models, or let them again.

        A full disk is only logged: it must not keep a stop from stopping. `is_being_held` says so until it is
        saved.
        """
        wanted = list(model_ids)

        def change(entries: Mapping[str, Entry]) -> dict[str, Choices]:
            return {
                model_id: msgspec.structs.replace(entries[model_id].choices, held=held) for model_id in wanted
            }

        if held:
            self._being_held.update(wanted)
        try:
            await self._registry.edit(change)
        except CouldNotSave as error:
            log.error("%s", error)
        finally:
            if held:
                self._being_held.subtract(wanted)

    def is_being_held(self, model_id: str) -> bool:
        """Whether a person stops it just now, and the registry does not say so yet."""
        return self._being_held[model_id] > 0

    def lease(self, model_id: str, prefix: int | None = None) -> Lease:
        """Use of a ready server of the model, see `choose_replica`. Raises Booting, NotRunning."""
        if not self.is_open:
            raise Booting
        servers = self._models.get(model_id, ())
        if len(servers) == 1:
            return servers[0].lease()
        ready = [
            Busy(server.replica, server.active_requests, server.slots)
            for server in servers
            if server.is_available
        ]
        if not ready:
            raise NotRunning(model_id, self.state_of(model_id))
        return servers[choose_replica(ready, prefix) - 1].lease()

    async def log_tail(self, model_id: str, lines: int, replica: int = 1) -> list[str]:
        """The last lines of a server's newest log. Raises ModelNotFound."""
        self._registry.get(model_id)
        return await self._launcher.log_tail(server_id_of(model_id, replica), lines)

    def log_follow(self, model_id: str, lines: int, replica: int = 1) -> AsyncIterator[LogChunk]:
        """The last lines of a server's log, then each new one. Raises ModelNotFound."""
        self._registry.get(model_id)
        return self._launcher.log_follow(server_id_of(model_id, replica), lines)

    def restart_required(self, entry: Entry) -> bool:
        """Whether a server of it runs, or will soon, with choices that have changed since."""
        return is_restart_required(entry, self.servers_of(entry.model_id))

    def _check_open(self) -> None:
        if not self.is_open:
            raise Booting

    def _is_active(self, server_id: str) -> bool:
        server = self._servers.get(server_id)
        return server is not None and server.state not in INACTIVE

    def _take_over(self, record: Record, process: Process | None) -> None:
        command = record.command
        server = self._ensure_servers(command.model_id, command.replica)[command.replica - 1]
        self.budget.admission.restore(server.server_id, command.need, is_loading=not record.was_ready)
        if command.replica > 1:
            self._preparation.keep_port(server.server_id, command.port)
        server.adopt(record, process, self._ask(server, Terms(by_request=not record.by_hand)))

    async def _until_adopted(self, model_id: str) -> None:
        """Return once it is known what an earlier run left of it. Raises StillLooking, Booting."""
        if model_id in self._adoptions.under_way:
            await self._adoptions.until_known(model_id)
            self._check_open()

    async def _stop(self, model_id: str, *, now: bool = False) -> Stopped:
        await self._until_adopted(model_id)
        return await self._end(model_id, lambda server: server.stop(now=now))

    def _unload(self, model_id: str) -> Awaitable[Stopped]:
        return self._end(model_id, Server.unload)

    def _end(self, model_id: str, stop: Callable[[Server], Awaitable[Stopped]]) -> Awaitable[Stopped]:
        """Every server of a model; those that were still to come up stay away."""
        self._drop(task for task, of in self._coming_up.items() if of == model_id)
        return gather_stops([stop(server) for server in self.servers_of(model_id)])

    def _server_ids(self, model_id: str) -> list[str]:
        return [server.server_id for server in self.servers_of(model_id)]

    def _ensure_servers(self, model_id: str, count: int) -> list[Server]:
        servers = self._models.setdefault(model_id, [])
        while len(servers) < count:
            server = Server(model_id, self._surroundings, len(servers) + 1)
            servers.append(server)
            self._servers[server.server_id] = server
        return servers

    def _ask(self, server: Server, terms: Terms) -> Ask:
        """A start with the settings of this moment; one that comes back has those of that moment."""
        asked = self._registry.get(server.model_id).choices.settings

        async def prepare(attempt: Attempt) -> Command:
            settings = self._registry.get(server.model_id).choices.settings if attempt.comes_back else asked
            # Whose it is may have changed since the start.
            current = replace(
                terms, by_request=not server.by_hand, together=terms.together | {server.model_id}
            )
            return await self._preparation.prepare(
                server.model_id, server.replica, attempt, current, settings
            )

        policy = RestartPolicy(asked.get("restart") or RestartPolicy.ON_FAILURE)
        return Ask(prepare, policy, launch_settings(asked), by_hand=not terms.by_request)

    def _has_changed(self, server: Server) -> None:
        self.budget.follow(server)
        self._on_change(server)

    def _bring_back(self, server_id: str) -> None:
        """Start again what was stopped for one that did not come up; whether that works is only logged."""
        server = self._servers[server_id]
        terms = Terms(by_request=not server.by_hand, may_evict=False)
        if self.is_open and self.reserved.holder is None:
            self._bring_up(server.model_id, self._bring_one_up(server, nullcontext(), terms))

    def _bring_up(self, model_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Beside everything else, until it is done or the model is stopped."""
        task = asyncio.create_task(work, name=f"bring up {model_id}")
        self._coming_up[task] = model_id
        task.add_done_callback(self._coming_up.pop)

    async def _bring_up_no_more(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        await asyncio.gather(*self._drop(tasks), return_exceptions=True)

    def _drop(self, tasks: Iterable[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
        dropped = list(tasks)
        for task in dropped:
            task.cancel()
        return dropped

    async def _bring_one_up(self, server: Server, turn: Turn, terms: Terms) -> None:
        try:
            await server.ensure_ready(self._ask(server, terms), turn)
        except SynapseError as error:
            log.warning("%s does not come up: %s", server.server_id, error)

    async def _start(self, entry: Entry, turn: Turn, terms: Terms) -> Started:
        # Again: a start-all's starts come a moment after it was let in, and a close may lie between.
        self._check_open()
        await self._until_adopted(entry.model_id)
        self.reserved.check(terms.holder, by_request=terms.by_request)
        servers = self._ensure_servers(entry.model_id, replicas_of(entry))
        lead = next((server for server in servers if server.is_available), servers[0])
        if replicas_of(entry) > 1:
            self._bring_up(entry.model_id, self._bring_rest_up(entry, lead, terms))
        return await lead.ensure_ready(self._ask(lead, terms), turn)

    async def _bring_rest_up(self, entry: Entry, lead: Server, terms: Terms) -> None:
        """The further replicas, once one is ready: in what is free, as nobody has to stop for them."""
        with contextlib.suppress(SynapseError):
            await lead.ensure_ready(self._ask(lead, terms), nullcontext())
        if lead.state is not State.READY:
            return
        rest = replace(terms, force=False, may_evict=False)
        servers = self.servers_of(entry.model_id)[: replicas_of(entry)]
        await asyncio.gather(
            *(
                self._bring_one_up(server, self.turns.turn(start_order(entry, server.replica)), rest)
                for server in servers
                if server is not lead
            )
        )
