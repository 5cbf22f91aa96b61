"""Brings up models that requests wait for.

One task for each model, whatever number waits. What is idle when a request comes makes room at once. Where
memory is short because others are busy, these are held back, one swap at a time and in the order of asking: a
steady stream to one model never starves another. They are first let work for a while, where they have just
come up, so that two for one memory do not thrash.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from synapse_engine.errors import NotEnoughMemory, NotRunning, StartCancelled, SynapseError
from synapse_engine.fleet.fleet import Fleet

if TYPE_CHECKING:
    from synapse_engine.gateway.lines import Line, Lines

RESIDENCY_SECONDS = 10.0
AGAIN_SECONDS = 0.1
# How often memory may be short with nobody to wait for, before that is believed.
TRIES = 5

log = logging.getLogger(__name__)


class Waking:
    """Attribute to set: lines, before the first wake."""

    lines: Lines

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._swapping = asyncio.Lock()

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
            self.lines.check_may_start(line)
            await self._start(line)
            line.advance()
        except StartCancelled:
            line.fail(NotRunning(line.model_id, "stopped", ": it was stopped while this request waited"))
        except SynapseError as error:
            line.fail(error)

    async def _start(self, line: Line) -> None:
        """Raises as a start does, NotEnoughMemory only where no waiting helps."""
        # Two that are wanted at the same time find each other at work; one after the other does not.
        is_wanted_by_others = self._swapping.locked()
        for number in range(TRIES):
            try:
                await self._fleet.start(
                    line.model_id, by_request=True, spares_newcomers=is_wanted_by_others or number > 0
                )
                return
            except NotEnoughMemory:
                if await self._fleet.would_free(line.model_id):
                    break
                # What was in the way may have gone in between, or others may be just coming or going.
                if number == TRIES - 1:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)
        await self._start_in_turn(line)

    async def _start_in_turn(self, line: Line) -> None:
        """Start it once those that hold its memory have worked off what they have."""
        async with self._swapping:
            deserted = asyncio.ensure_future(line.until_deserted())
            swap = asyncio.ensure_future(self._swap(line))
            try:
                await asyncio.wait({deserted, swap}, return_when=asyncio.FIRST_COMPLETED)
                if swap.done():
                    swap.result()
            finally:
                for task in (deserted, swap):
                    task.cancel()
                await asyncio.wait({deserted, swap})

    async def _swap(self, line: Line) -> None:
        in_vain = 0
        while True:
            model_ids = await self._let_work(await self._fleet.would_free(line.model_id), line.model_id)
            in_vain = 0 if model_ids else in_vain + 1
            with self._held_back(model_ids):
                log.info("%s waits until %s are idle", line.model_id, ", ".join(model_ids) or "none")
                servers = [server for i in model_ids for server in self._fleet.servers_of(i)]
                await asyncio.gather(*(server.leases.until_idle() for server in servers))
                try:
                    await self._fleet.start(line.model_id, by_request=True)
                    return
                except NotEnoughMemory:
                    if in_vain >= TRIES:
                        raise
            await asyncio.sleep(AGAIN_SECONDS)

    async def _let_work(self, model_ids: Collection[str], for_model_id: str) -> Collection[str]:
        """Give those in the way the time that a newcomer has; answers who still is, once it is over.

        It is over too once nobody wants them any more.
        """
        while model_ids and (left := self._residency_left(model_ids)):
            await asyncio.sleep(min(left, AGAIN_SECONDS))
            model_ids = await self._fleet.would_free(for_model_id)
        return model_ids

    def _residency_left(self, model_ids: Collection[str]) -> float:
        came_up_at = max((self.lines.line(model_id).came_up_at for model_id in model_ids), default=0.0)
        return max(0.0, came_up_at + RESIDENCY_SECONDS - time.monotonic())

    @contextlib.contextmanager
    def _held_back(self, model_ids: Collection[str]) -> Iterator[None]:
        lines = [self.lines.line(model_id) for model_id in model_ids]
        for line in lines:
            line.is_held_back = True
        try:
            yield
        finally:
            for line in lines:
                line.is_held_back = False
                self.lines.resume(line)
