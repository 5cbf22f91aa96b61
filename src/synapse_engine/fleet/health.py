"""Whether a llama-server is ready, and whether it lives: its `/health`, and the processor time it uses."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

from synapse_engine.launch.base import Process

PROBE_TIMEOUT_SECONDS = 2.0
POLL_MIN_SECONDS = 0.004
POLL_MAX_SECONDS = 0.05
POLL_SHARE_OF_ELAPSED = 0.02
MISSES_UNTIL_HUNG = 3
BUSY_SHARE_OF_A_CORE = 0.05
CLOSE = "Connection: close\r\n"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


async def until_healthy(process: Process) -> None:
    """Return once `/health` is 200 and the process itself is the one that listens there.

    Polls, at first every few milliseconds, later at 2% of the time waited, so that finding out adds
    little to a short load and costs little in a long one. Who listens takes long to find out on some
    systems, so it is asked with the first answer, which llama-server gives before it loads.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    is_ours = False
    while True:
        status = await ask_health(process.url)
        if status is not None and not is_ours:
            is_ours = await asyncio.to_thread(process.listens)
        if status == 200 and is_ours:
            return
        elapsed = loop.time() - began
        await asyncio.sleep(min(POLL_MAX_SECONDS, max(POLL_MIN_SECONDS, elapsed * POLL_SHARE_OF_ELAPSED)))


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
    """The status that `/health` answers; None where it refuses, hangs or breaks off.

    By hand, as it is asked dozens of times while a model loads, and that has the processor for itself then.
    """
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(f"GET /health HTTP/1.1\r\nHost: {parts.netloc}\r\n{CLOSE}\r\n".encode())
                status_line = await reader.readline()
            finally:
                writer.close()
    except (OSError, ValueError):
        return None
    match = STATUS.match(status_line)
    return int(match[1]) if match else None
