"""What an earlier run left behind: its servers are looked for until it is known what has become of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Set

from synapse_engine.catalog.registry import Registry
from synapse_engine.errors import StillLooking
from synapse_engine.fleet.journal import Journal, Record
from synapse_engine.fleet.server import ADOPTION_SECONDS
from synapse_engine.launch.base import Launcher, Process

LOOK_AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)


class Adoptions:
    """take_over: told of each server that is found, or of the news that it has ended meanwhile (None).

    Attribute to read: under_way, ids of the models whose servers are still looked for.
    """

    def __init__(
        self,
        registry: Registry,
        launcher: Launcher,
        journal: Journal,
        take_over: Callable[[Record, Process | None], None],
    ) -> None:
        self._registry = registry
        self._launcher = launcher
        self._journal = journal
        self._take_over = take_over
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._models: dict[str, str] = {}

    @property
    def under_way(self) -> Set[str]:
        return {self._models[server_id] for server_id in self._tasks}

    async def begin(self) -> Mapping[str, Record]:
        """Look for all of them, each beside the others, for a while; the records by server id.

        What could not be looked for in time is looked for until it is known.
        """
        records = {record.command.server_id: record for record in self._journal.read()}
        self._models = {server_id: record.command.model_id for server_id, record in records.items()}
        for server_id, record in records.items():
            self._tasks[server_id] = asyncio.create_task(self._adopt(record), name=f"adopt {server_id}")
        if records:
            done, _ = await asyncio.wait(self._tasks.values(), timeout=ADOPTION_SECONDS)
            for adoption in done:
                adoption.result()
        return records

    async def until_known(self, model_id: str) -> None:
        """Return once it is known what an earlier run left of it. Raises StillLooking."""
        adoptions = {task for server_id, task in self._tasks.items() if self._models[server_id] == model_id}
        if adoptions:
            _, unknown = await asyncio.wait(adoptions, timeout=ADOPTION_SECONDS)
            if unknown:
                raise StillLooking(model_id)

    async def end(self) -> None:
        """What has not been found by now stays in the journal, for the next run to look for."""
        tasks = list(self._tasks.values())
        for server_id, task in self._tasks.items():
            log.error("%s: if its server is still there, it goes on unwatched", server_id)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _adopt(self, record: Record) -> None:
        server_id = record.command.server_id
        process = await self._look_for(record)
        if record.command.model_id not in self._registry.entries:
            log.warning("%s is in no registry any more: its server is ended", server_id)
            if process is not None:
                process.kill()
                await process.wait()
            self._journal.forget(server_id)
        elif process is None and not record.was_ready:
            self._journal.forget(server_id)
        else:
            self._take_over(record, process)
        del self._tasks[server_id]

    async def _look_for(self, record: Record) -> Process | None:
        """Its process, if it still runs. Not given up: what nobody knows of would go on for ever."""
        while True:
            try:
                async with asyncio.timeout(ADOPTION_SECONDS):
                    return await self._launcher.adopt(record.command, record.process)
            except Exception as error:
                reason = str(error) or f"no answer in {ADOPTION_SECONDS:g} s"
                log.error("%s: is its server still there? %s", record.command.server_id, reason)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
