"""What servers take: looked at in one place, every 2 s, so that nobody who asks makes it slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.launch.base import Memory

LOOK_SECONDS = 2.0
SETTLING_SECONDS = 0.5
FRESH_SECONDS = 0.1
# Two looks that differ by less are of a process that takes no more.
STEADY_SHARE = 0.01


class Memories:
    """Attribute to read: latest, by server id, of every server that had a process when last looked at."""

    def __init__(self, servers: Mapping[str, Server], on_settled: Callable[[str, Memory], None]) -> None:
        self.latest: Mapping[str, Memory] = {}
        self._servers = servers
        self._on_settled = on_settled
        self._unsettled: set[str] = set()
        self._looked_at = 0.0
        self._wanted = asyncio.Event()

    async def watch(self) -> None:
        """Look again and again, until cancelled; sooner where a server has just become ready."""
        while True:
            before = self.latest
            await self.look()
            for server_id in sorted(self._unsettled):
                self._settle(server_id, before.get(server_id))
            self._wanted.clear()
            seconds = SETTLING_SECONDS if self._unsettled else LOOK_SECONDS
            try:
                async with asyncio.timeout(seconds):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    def became_ready(self, server_id: str) -> None:
        """Tell, once it takes no more, what it has settled at."""
        self.latest = {other: memory for other, memory in self.latest.items() if other != server_id}
        self._unsettled.add(server_id)
        self._wanted.set()

    async def current(self) -> Mapping[str, Memory]:
        """Of every server with a process: the latest look, and a new one where one has come since."""
        running = [server_id for server_id, server in self._servers.items() if server.process is not None]
        if any(server_id not in self.latest for server_id in running):
            await self.look()
        return {server_id: self.latest[server_id] for server_id in running if server_id in self.latest}

    async def resident(self) -> Mapping[str, int]:
        """Resident bytes now."""
        if time.monotonic() - self._looked_at > FRESH_SECONDS:
            await self.look()
        return {server_id: memory.resident_bytes for server_id, memory in self.latest.items()}

    async def look(self) -> None:
        servers = self._servers.items()
        processes = {server_id: server.process for server_id, server in servers if server.process}
        self.latest = await asyncio.to_thread(
            lambda: {
                server_id: memory
                for server_id, process in processes.items()
                if (memory := process.memory()) is not None
            }
        )
        self._looked_at = time.monotonic()

    def _settle(self, server_id: str, before: Memory | None) -> None:
        now, server = self.latest.get(server_id), self._servers[server_id]
        if server.state is not State.READY or now is None:
            self._unsettled.discard(server_id)
        elif before is not None:
            grown = abs(now.resident_bytes - before.resident_bytes)
            if grown <= STEADY_SHARE * now.resident_bytes:
                self._unsettled.discard(server_id)
                self._on_settled(server_id, now)
