"""The fleet's memory: servers, registry and machine joined for admission; keeps what was measured."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from synapse_engine.catalog.registry import Choices, Entry, Registry
from synapse_engine.errors import CouldNotSave, ModelNotFound
from synapse_engine.fleet.admission import Admission, Surroundings
from synapse_engine.fleet.demand import Demand, plan_demand, start_digest
from synapse_engine.fleet.eviction import Occupant
from synapse_engine.fleet.memories import Memories
from synapse_engine.fleet.memory import without_excess
from synapse_engine.fleet.room import Space, Verdict
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.launch.base import RAM, Device, Launcher, Memory
from synapse_engine.launch.command import launch_settings
from synapse_engine.launch.engine import Engines

# A measurement that differs by less from the one that is kept is not worth a write.
NEWS_SHARE = 0.02

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a start would come to now. refusal: why it does not fit, in words."""

    demand: Demand
    verdict: Verdict
    spaces: list[Space]
    refusal: str | None


class Budget:
    """Attributes to use: admission, memories."""

    def __init__(
        self,
        registry: Registry,
        launcher: Launcher,
        engines: Engines,
        servers: Mapping[str, Server],
        limit_bytes: int | None,
        may_evict: bool,
        bring_back: Callable[[str], None],
    ) -> None:
        self._registry = registry
        self._launcher = launcher
        self._engines = engines
        self._servers = servers
        self.memories = Memories(servers, self._has_settled)
        surroundings = Surroundings(
            devices=self.devices,
            taken=self.memories.resident,
            occupants=self._occupants,
            unload=lambda server_id: servers[server_id].unload(),
            bring_back=bring_back,
        )
        self.admission = Admission(surroundings, limit_bytes, may_evict=may_evict)
        self._demands: dict[str, tuple[object, Demand]] = {}
        self._saving: set[asyncio.Task[None]] = set()

    async def devices(self) -> list[Device]:
        """The memory there is, RAM first."""
        engine = self._engines.known
        return await self._launcher.devices(engine.path if engine else None)

    def demand(self, entry: Entry) -> Demand:
        """What it would need now; worked out once for each state of its header, its parts and its choices."""
        capacity, model = self.admission.capacity_bytes or sys.maxsize, entry.model
        parts = (model.mmproj, model.draft)
        state = (capacity, model.header_digest, model.file_size_bytes, parts, entry.choices)
        known = self._demands.get(entry.model_id)
        if known is None or known[0] != state:
            demand = plan_demand(entry, self._engines.known, capacity)
            known = self._demands[entry.model_id] = (state, demand)
        return known[1]

    async def plan(self, entry: Entry) -> Plan:
        """A start that is not made; the entry may have choices that nobody has saved."""
        demand = plan_demand(entry, self._engines.known, await self.admission.capacity())
        verdict, spaces, refusal = await self.admission.plan(entry.model_id, demand)
        return Plan(demand, verdict, spaces, refusal)

    async def would_free(self, entry: Entry) -> tuple[str, ...]:
        """The models that would have to finish so that a start by request fits; see `Fleet.would_free`."""
        await self.admission.capacity()
        busy = await self.admission.would_free(entry.model_id, self.demand(entry))
        return tuple(dict.fromkeys(self._servers[server_id].model_id for server_id in busy))

    def follow(self, server: Server) -> None:
        """What a new state of a server means for its memory."""
        if server.state in (State.STOPPED, State.FAILED, State.BACKOFF):
            self.admission.release(server.server_id)
        elif server.state is State.READY:
            self.admission.came_up(server.server_id)
            self.memories.became_ready(server.server_id)

    def _occupants(self) -> Iterator[Occupant]:
        for server_id, server in self._servers.items():
            need = dict(self.admission.reserved(server_id))
            entry = self._registry.entries.get(server.model_id)
            if not need or entry is None:
                continue
            taken = self.memories.latest.get(server_id)
            need[RAM] = max(need.get(RAM, 0), taken.resident_bytes if taken else 0)
            yield Occupant(
                server_id=server_id,
                model_id=server.model_id,
                taken=need,
                is_idle=server.state is State.READY and not server.active_requests,
                is_leaving=server.is_leaving,
                is_pinned=bool(entry.choices.settings.get("pinned")),
                by_hand=server.by_hand,
                idle_seconds=server.leases.idle_seconds,
                up_seconds=server.up_seconds,
                kind=entry.model.kind,
                reload_bytes=entry.model.file_size_bytes,
            )

    def _has_settled(self, server_id: str, memory: Memory) -> None:
        server = self._servers[server_id]
        entry = self._registry.entries.get(server.model_id)
        if entry is None or server.command is None or server.command.need.keys() - {RAM}:
            # Of what is on a GPU the process does not tell.
            return
        if server.command.settings != launch_settings(entry.choices.settings):
            return
        mapped_bytes = memory.resident_bytes - memory.private_bytes
        estimated_bytes = self.demand(entry).estimate.total_bytes
        needed_bytes = without_excess(memory.resident_bytes, mapped_bytes, estimated_bytes)
        self.admission.measured(server_id, needed_bytes)
        if is_news(entry, needed_bytes):
            task = asyncio.create_task(
                self._keep(server.model_id, needed_bytes), name=f"measured {server_id}"
            )
            self._saving.add(task)
            task.add_done_callback(self._saving.discard)

    async def _keep(self, model_id: str, needed_bytes: int) -> None:
        def change(entries: Mapping[str, Entry]) -> dict[str, Choices]:
            entry = entries[model_id]
            return {
                model_id: msgspec.structs.replace(
                    entry.choices, measured_memory_bytes=needed_bytes, measured_for=start_digest(entry)
                )
            }

        try:
            await self._registry.edit(change)
        except (CouldNotSave, ModelNotFound) as error:
            log.warning("%s", error)


def is_news(entry: Entry, needed_bytes: int) -> bool:
    """Whether a measurement is worth a write: none was kept for these settings, or another one."""
    kept = entry.choices.measured_memory_bytes
    if kept is None or entry.choices.measured_for != start_digest(entry):
        return True
    return abs(kept - needed_bytes) > NEWS_SHARE * kept
