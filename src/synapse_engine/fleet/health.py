"""Whether a llama-server is ready, and whether it lives: its `/health`, and the processor time it uses."""

from __future__ import annotations

import asyncio

import aiohttp

from synapse_engine.launch.base import Process

PROBE_TIMEOUT_SECONDS = 2.0
POLL_MIN_SECONDS = 0.004
POLL_MAX_SECONDS = 0.05
POLL_SHARE_OF_ELAPSED = 0.02
MISSES_UNTIL_HUNG = 3
BUSY_SHARE_OF_A_CORE = 0.05


async def until_healthy(session: aiohttp.ClientSession, process: Process) -> None:
    """Return once `/health` is 200 and the process itself is the one that listens there.

    Polls, at first every few milliseconds, later at 2% of the time waited, so that finding out adds
    little to a short load and costs little in a long one.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not (await is_healthy(session, process.url) and process.listens()):
        elapsed = loop.time() - began
        await asyncio.sleep(min(POLL_MAX_SECONDS, max(POLL_MIN_SECONDS, elapsed * POLL_SHARE_OF_ELAPSED)))


async def until_hung(session: aiohttp.ClientSession, process: Process, probe_seconds: float) -> None:
    """Return once it has missed three probes in a row while it used no processor time.

    A server that computes a long prompt may not answer either, but it works: that is not hung.
    """
    misses = 0
    used_before = process.cpu_seconds()
    while misses < MISSES_UNTIL_HUNG:
        await asyncio.sleep(probe_seconds)
        answers = await is_healthy(session, process.url)
        used = process.cpu_seconds()
        if answers or used is None or used_before is None:
            misses = 0
        elif used - used_before > BUSY_SHARE_OF_A_CORE * probe_seconds:
            misses = 0
        else:
            misses += 1
        used_before = used


async def is_healthy(session: aiohttp.ClientSession, url: str) -> bool:
    """Whether `/health` answers 200; one that refuses, hangs or breaks off does not."""
    try:
        timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_SECONDS)
        async with session.get(f"{url}/health", timeout=timeout) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
