"""Several sources in one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from synapse_engine.api.streams import HEARTBEAT, merged


async def source(queue: asyncio.Queue[bytes], closed: list[str]) -> AsyncGenerator[bytes]:
    try:
        while True:
            yield await queue.get()
    finally:
        closed.append("closed")


async def test_what_comes_first_is_given_first_and_silence_is_a_heartbeat() -> None:
    one, two, over = asyncio.Queue[bytes](), asyncio.Queue[bytes](), asyncio.Event()
    closed: list[str] = []
    stream = merged([source(one, closed), source(two, closed)], over, heartbeat_seconds=0.01)
    assert await anext(stream) == HEARTBEAT
    two.put_nowait(b"2")
    assert await anext(stream) == b"2"
    one.put_nowait(b"1")
    assert await anext(stream) == b"1"
    over.set()
    assert [piece async for piece in stream] == []
    assert closed == ["closed", "closed"]
