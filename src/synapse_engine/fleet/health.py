"""Whether a llama-server is ready, and whether it lives: its `/health`, and the processor time it uses."""

from __future__ import annotations

import asyncio
import re
from typing import Self
from urllib.parse import urlsplit

from synapse_engine.launch.base import Process

PROBE_TIMEOUT_SECONDS = 2.0
POLL_MIN_SECONDS = 0.002
POLL_MAX_SECONDS = 0.05
POLL_SHARE_OF_ELAPSED = 0.01
MISSES_UNTIL_HUNG = 3
BUSY_SHARE_OF_A_CORE = 0.05
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
LENGTH = re.compile(rb"\r\nContent-Length: ?(\d{1,6})\r\n", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nConnection: ?close\r\n", re.IGNORECASE)


async def until_healthy(process: Process) -> None:
    """Return once `/health` is 200 and the process itself is the one that listens there.

    Polls, at first every few milliseconds, later at 1% of the time waited, so that finding out adds
    little to a short load and costs little in a long one. Who listens takes long to find out on some
    systems, so it is asked with the first answer, which llama-server gives before it loads.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    is_ours = False
    async with Probe(process.url) as probe:
        while True:
            status = await probe.ask()
            if status is not None and not is_ours:
                is_ours = await asyncio.to_thread(process.listens)
            if status == 200 and is_ours:
                return
            waited = loop.time() - began
            await asyncio.sleep(min(POLL_MAX_SECONDS, max(POLL_MIN_SECONDS, waited * POLL_SHARE_OF_ELAPSED)))


async def until_hung(process: Process, probe_seconds: float) -> None:
    """Return once it has missed three probes in a row while it used no processor time.

    A server that computes a long prompt may not answer either, but it works: that is not hung.
    """
    misses = 0
    used_before = process.cpu_seconds()
    while misses < MISSES_UNTIL_HUNG:
        await asyncio.sleep(probe_seconds)
        answers = await ask_health(process.url) == 200
        used = process.cpu_seconds()
        if answers or used is None or used_before is None:
            misses = 0
        elif used - used_before > BUSY_SHARE_OF_A_CORE * probe_seconds:
            misses = 0
        else:
            misses += 1
        used_before = used


async def ask_health(url: str) -> int | None:
    """The status that `/health` answers; None where it refuses, hangs or breaks off."""
    async with Probe(url) as probe:
        return await probe.ask()


class Probe:
    """Asks for `/health`, again and again over one connection.

    By hand, as it is asked dozens of times while a model loads, and that has the processor for itself then.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._question = f"GET /health HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._hang_up()

    async def ask(self) -> int | None:
        """The status; None where it refuses, hangs or breaks off. The next question tries anew."""
        is_kept = False
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                if self._reader is None or self._writer is None:
                    self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
                self._writer.write(self._question)
                head = await self._reader.readuntil(b"\r\n\r\n")
                status, length = STATUS.match(head), LENGTH.search(head)
                if length is not None and CLOSES.search(head) is None:
                    await self._reader.readexactly(int(length[1]))
                    is_kept = True
                return int(status[1]) if status else None
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            return None
        finally:
            if not is_kept:
                self._hang_up()

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
