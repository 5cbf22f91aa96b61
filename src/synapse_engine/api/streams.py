"""Server-sent events: their form, and several sources in one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Iterable
from contextlib import aclosing
from typing import TypeVar

from starlette.responses import StreamingResponse

from synapse_engine.gateway.silence import with_silences

HEARTBEAT_SECONDS = 15.0
LOOK_SECONDS = 0.2
HEARTBEAT = b":\n\n"


K = TypeVar("K", bound=Hashable)


class EventStream(StreamingResponse):
    """An answer that no proxy in between may keep back."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        super().__init__(content, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


def framed(kind: str, data: bytes, event_id: int | None = None) -> bytes:
    """One event on the wire; data: JSON, which has no line break of its own."""
    id_line = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%bevent: %b\ndata: %b\n\n" % (id_line, kind.encode(), data)


async def gathered(
    find: Callable[[], Iterable[K]], follow: Callable[[K], AsyncGenerator[bytes]]
) -> AsyncGenerator[bytes]:
    """What all sources give that are found, as it comes; one that is found later is followed from then on.

    Without an end. A source is asked for more only after the reader has taken what it gave.
    """
    sources: dict[K, AsyncGenerator[bytes]] = {}
    waiting: dict[asyncio.Future[bytes], K] = {}
    try:
        while True:
            for key in find():
                if key not in sources:
                    sources[key] = follow(key)
                    waiting[asyncio.ensure_future(anext(sources[key]))] = key
            if not waiting:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            done, _ = await asyncio.wait(waiting, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for ready in done:
                key = waiting.pop(ready)
                yield ready.result()
                waiting[asyncio.ensure_future(anext(sources[key]))] = key
    finally:
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting)
        for source in sources.values():
            await source.aclose()


async def until_end(
    source: AsyncGenerator[bytes], heartbeat_seconds: float = HEARTBEAT_SECONDS
) -> AsyncIterator[bytes]:
    """What the source gives, to its end; a comment where nothing came for a while."""
    async with aclosing(with_silences(source, heartbeat_seconds)) as pieces:
        async for piece in pieces:
            yield HEARTBEAT if piece is None else piece


async def merged(
    sources: list[AsyncGenerator[bytes]], over: asyncio.Event, heartbeat_seconds: float = HEARTBEAT_SECONDS
) -> AsyncIterator[bytes]:
    """What the sources give, as it comes, until it is over; a comment where nothing came for a while.

    A source is asked for more only after the reader has taken what it gave.
    """
    ending = asyncio.ensure_future(over.wait())
    waiting = {asyncio.ensure_future(anext(source)): source for source in sources}
    try:
        while not ending.done():
            done, _ = await asyncio.wait(
                {ending, *waiting}, timeout=heartbeat_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                yield HEARTBEAT
            for ready in done - {ending}:
                source = waiting.pop(ready)  # type: ignore[arg-type]
                if piece := ready.result():
                    yield piece  # type: ignore[misc]
                waiting[asyncio.ensure_future(anext(source))] = source
    finally:
        for task in (ending, *waiting):
            task.cancel()
        await asyncio.wait({ending, *waiting})
        for source in sources:
            await source.aclose()
