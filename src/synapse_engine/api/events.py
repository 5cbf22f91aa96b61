"""`/api/events`: everything that happens, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Header, Query

from synapse_engine.api.errors import documented_stream
from synapse_engine.api.live import snapshot
from synapse_engine.api.logs import log_events
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.streams import EventStream, framed, merged
from synapse_engine.api.traffic import traffic
from synapse_engine.api.wire.live import Events
from synapse_engine.events import Subscription
from synapse_engine.launch.loglines import Sieve

LOG_LINES = 200
RETRY = b"retry: 1000\n\n"

router = APIRouter(prefix="/api/events", tags=["live"])


@router.get("", status_code=200, response_class=EventStream, responses=documented_stream(Events, 404, 409))
async def events(
    services: Wired,
    log: Annotated[list[str] | None, Query(description="models whose new log lines to tell too")] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventStream:
    """First a `snapshot`, then every change; `Last-Event-ID` goes on where it broke off, if possible.

    `activity`, `queue` and `upstreams` tell the state as it is, at the beginning and when it has changed;
    they have no id.
    """
    sources = [_changes(services, _number(last_event_id))]
    for name in log or ():
        model_id = services.registry.resolve(name).model_id
        sources.append(log_events(services, model_id, LOG_LINES, Sieve()))
    return EventStream(merged(sources, services.live.bus.closed))


async def _changes(services: Services, last_seen: int | None) -> AsyncGenerator[bytes]:
    with services.live.bus.subscribe(last_seen) as subscription:
        yield RETRY if subscription.is_behind else RETRY + traffic(services)
        while True:
            if subscription.is_behind:
                yield await _whole(services, subscription)
            await subscription.arrival()
            yield b"".join(framed(event.kind, event.data, event.id) for event in subscription.take())


async def _whole(services: Services, subscription: Subscription) -> bytes:
    whole = await snapshot(services)
    subscription.catch_up()
    return framed("snapshot", whole.data, whole.last_id) + traffic(services)


def _number(last_event_id: str | None) -> int | None:
    return int(last_event_id) if last_event_id and last_event_id.isdecimal() else None
