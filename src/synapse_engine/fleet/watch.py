"""One process of a server from the outside: until it is ready, or why it is not; until it ends, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from synapse_engine.errors import OutOfMemory, ServerEnded, StartFailed, StartTimedOut
from synapse_engine.fleet.health import MISSES_UNTIL_HUNG, until_healthy, until_hung
from synapse_engine.launch.base import Command, Launcher, Process
from synapse_engine.launch.failure import SHOWN_LINES, explain_exit, is_out_of_memory, is_port_taken, with_log

Beside = Callable[[], Coroutine[Any, Any, None]]
"""Work for as long as it is watched, and cancelled with that."""


@dataclass(frozen=True)
class Watch:
    launcher: Launcher
    command: Command
    process: Process

    async def until_ready(self, limit_seconds: float, beside: Beside) -> int | None:
        """None once it is ready, its port where that was taken. Raises StartFailed, StartTimedOut."""
        healthy = asyncio.ensure_future(until_healthy(self.process))
        exited = asyncio.ensure_future(self.process.wait())
        working = asyncio.ensure_future(beside())
        try:
            await asyncio.wait({healthy, exited}, timeout=limit_seconds, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                return await self._explain_early_exit(exited.result())
            if not healthy.done():
                text = f"Still loading after {limit_seconds:.0f} s, and was ended"
                raise StartTimedOut(with_log(text, await self._log_lines()))
            healthy.result()
            return None
        finally:
            await _end(healthy, exited, working)

    async def until_ended(
        self, probe_seconds: float, beside: Beside, on_hung: Callable[[], None]
    ) -> ServerEnded:
        """Wait while it serves, until the process is gone or hangs; why, in words.

        on_hung: told in the moment in which that is found out, before the words are there.
        """
        exited = asyncio.ensure_future(self.process.wait())
        hung = asyncio.ensure_future(self._until_hung(probe_seconds, on_hung))
        working = asyncio.ensure_future(beside())
        try:
            await asyncio.wait({exited, hung}, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                return ServerEnded(explain_exit(exited.result(), await self._log_lines()), exited.result())
            hung.result()
            seconds = MISSES_UNTIL_HUNG * probe_seconds
            text = f"It did not answer for {seconds:.0f} s and used no processor time, so it was ended"
            return ServerEnded(with_log(text, await self._log_lines()))
        finally:
            await _end(exited, hung, working)

    async def _until_hung(self, probe_seconds: float, on_hung: Callable[[], None]) -> None:
        await until_hung(self.process, probe_seconds)
        on_hung()

    async def _explain_early_exit(self, exit_code: int | None) -> int:
        """The port where that was the cause and another may be tried. Raises StartFailed otherwise."""
        lines = await self._log_lines()
        if is_out_of_memory(lines):
            raise OutOfMemory(explain_exit(exit_code, lines))
        if not is_port_taken(lines):
            raise StartFailed(explain_exit(exit_code, lines))
        port = self.command.port
        if self.command.port_is_pinned:
            holder = self.launcher.port_holder(port)
            raise StartFailed(f"Port {port} already in use" + (f" by {holder}" if holder else ""))
        return port

    async def _log_lines(self) -> list[str]:
        return await self.launcher.log_tail(self.command.server_id, SHOWN_LINES)


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
