"""`/api/events`: everything that happens, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import StreamingResponse

from synapse_engine.api.errors import documented_stream
from synapse_engine.api.live import snapshot
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.wire import Events
from synapse_engine.events import Subscription

HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b":\n\n"

router = APIRouter(prefix="/api/events", tags=["live"])


class EventStream(StreamingResponse):
    """Server-sent events, which no proxy in between may keep back."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        super().__init__(content, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


@router.get("", status_code=200, response_class=EventStream, responses=documented_stream(Events))
async def events(services: Wired, last_event_id: Annotated[str | None, Header()] = None) -> EventStream:
    """First a `snapshot`, then every change. `Last-Event-ID` goes on where it broke off, if possible."""
    return EventStream(_stream(services, _number(last_event_id)))


async def _stream(services: Services, last_seen: int | None) -> AsyncIterator[bytes]:
    with services.live.bus.subscribe(last_seen) as subscription:
        yield b"retry: 1000\n\n"
        while not subscription.is_over:
            if subscription.is_behind:
                yield await _whole(services, subscription)
            if piece := await next_piece(subscription):
                yield piece


async def _whole(services: Services, subscription: Subscription) -> bytes:
    whole = await snapshot(services)
    subscription.catch_up()
    return framed("snapshot", whole.data, whole.last_id)


async def next_piece(subscription: Subscription, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> bytes:
    """All that waits, in one piece; a comment where nothing came for a while."""
    with suppress(TimeoutError):
        async with asyncio.timeout(heartbeat_seconds):
            await subscription.arrival()
            return b"".join(framed(event.kind, event.data, event.id) for event in subscription.take())
    return HEARTBEAT


def framed(kind: str, data: bytes, event_id: int | None = None) -> bytes:
    """One event on the wire; data: JSON, which has no line break of its own."""
    id_line = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%bevent: %b\ndata: %b\n\n" % (id_line, kind.encode(), data)


def _number(last_event_id: str | None) -> int | None:
    return int(last_event_id) if last_event_id and last_event_id.isdecimal() else None
