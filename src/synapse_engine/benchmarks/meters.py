"""What is looked at while models are asked: memory, energy, and who else asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from synapse_engine.fleet.fleet import Fleet
from synapse_engine.launch.base import Memory
from synapse_engine.launch.energy import Energy

LOOK_SECONDS = 0.05


class Watch:
    """What one span of time showed; complete once it has ended.

    memory: by model id, the highest of all its servers together. energy_joules: of the whole machine. others:
    how many requests of others were under way meanwhile.
    """

    def __init__(self) -> None:
        self.memory: dict[str, Memory] = {}
        self.energy_joules: float | None = None
        self.others = 0

    def see(self, model_id: str, memory: Memory) -> None:
        before = self.memory.get(model_id, Memory(0, 0))
        self.memory[model_id] = Memory(
            max(before.resident_bytes, memory.resident_bytes), max(before.private_bytes, memory.private_bytes)
        )


class Meters:
    """Looks at the fleet and the machine."""

    def __init__(self, fleet: Fleet, energy: Energy) -> None:
        self._fleet = fleet
        self._energy = energy
        self.energy_source = energy.source

    @asynccontextmanager
    async def watching(self, model_ids: Iterable[str], own_requests: int) -> AsyncIterator[Watch]:
        """Look at these models' servers again and again, for as long as it is entered.

        own_requests: how many of the requests that servers get meanwhile are the benchmark's.
        """
        wanted = tuple(model_ids)
        watch = Watch()
        active_before, begun_before, joules_before = *self._requests(), self._energy.joules()
        self._look(watch, wanted)
        looking = asyncio.create_task(self._keep_looking(watch, wanted))
        try:
            yield watch
        finally:
            looking.cancel()
            await asyncio.wait({looking})
            self._look(watch, wanted)
            _, begun = self._requests()
            watch.others = max(0, active_before + begun - begun_before - own_requests)
            joules = self._energy.joules()
            if joules is not None and joules_before is not None:
                watch.energy_joules = joules - joules_before

    async def _keep_looking(self, watch: Watch, model_ids: tuple[str, ...]) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._look(watch, model_ids)

    def _look(self, watch: Watch, model_ids: tuple[str, ...]) -> None:
        for model_id in model_ids:
            processes = [server.process for server in self._fleet.servers_of(model_id) if server.process]
            known = [memory for process in processes if (memory := process.memory()) is not None]
            if known:
                watch.see(
                    model_id,
                    Memory(
                        sum(memory.resident_bytes for memory in known),
                        sum(memory.private_bytes for memory in known),
                    ),
                )

    def _requests(self) -> tuple[int, int]:
        """Under way, and begun so far, of all servers."""
        servers = self._fleet.servers.values()
        return sum(server.active_requests for server in servers), sum(s.leases.begun for s in servers)
