"""Brings up models that requests wait for: one task for each model, whatever number waits."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from synapse_engine.errors import NotRunning, StartCancelled, SynapseError
from synapse_engine.fleet.fleet import Fleet

if TYPE_CHECKING:
    from synapse_engine.gateway.lines import Line


class Waking:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def wake(self, line: Line) -> None:
        """Bring the model up, unless that is under way."""
        if line.model_id not in self._tasks:
            line.wanted_since = time.monotonic()
            task = asyncio.create_task(self._bring_up(line), name=f"wake {line.model_id}")
            self._tasks[line.model_id] = task
            task.add_done_callback(lambda _: self._has_ended(line))

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _has_ended(self, line: Line) -> None:
        del self._tasks[line.model_id]
        line.wanted_since = None

    async def _bring_up(self, line: Line) -> None:
        try:
            await self._fleet.start(line.model_id, by_request=True)
            line.advance()
        except StartCancelled:
            line.fail(NotRunning(line.model_id, "stopped", ": it was stopped while this request waited"))
        except SynapseError as error:
            line.fail(error)
