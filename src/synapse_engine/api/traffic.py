"""Requests and lines on the wire, told ten times a second at most, and only while somebody listens.

These events carry the state as it is, not a change of it, so none of them is kept for those who come back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from synapse_engine.api.services import Live, Services
from synapse_engine.api.streams import framed
from synapse_engine.api.upstreams import upstream_list
from synapse_engine.api.wire.activity import ActivityEvent, EndedCall, LineOut, LiveCall, QueueOut
from synapse_engine.fleet.state import State
from synapse_engine.gateway.activity import Call, Outcome, Stage
from synapse_engine.gateway.lines import LineView
from synapse_engine.gateway.records import TEXT_MAX, Record
from synapse_engine.gateway.remotes import Remotes

COALESCE_SECONDS = 0.1
LIVE_MAX = 100
COMING = (State.QUEUED, State.STARTING, State.BACKOFF)


async def tell_traffic(services: Services) -> None:
    """Tell what is in flight, what has ended and who waits, when it has changed; until it is cancelled."""
    live, bus = services.live, services.live.bus
    while True:
        await bus.somebody()
        calls = services.recorder.activity.live.values()
        requests = [(call.id, stage_of(services, call)) for call in calls]
        records, count = services.recorder.take_untold()
        if records or requests != live.told_requests:
            bus.publish("activity", _activity(services, records, count), is_kept=False)
            live.told_requests = requests
        lines = [replace(line, oldest_seconds=0.0) for line in _lines(services)]
        if lines != live.told_lines:
            bus.publish("queue", queue_out(services).model_dump_json().encode(), is_kept=False)
            live.told_lines = lines
        await asyncio.sleep(COALESCE_SECONDS)


def traffic(services: Services) -> bytes:
    """The three events for one who has just come."""
    services.live.told_requests = services.live.told_lines = None
    queue = queue_out(services).model_dump_json().encode()
    upstreams = _upstreams(services.gateway.remotes)
    return (
        framed("activity", _activity(services, [], 0))
        + framed("queue", queue)
        + framed("upstreams", upstreams)
    )


def tell_upstreams(live: Live, remotes: Remotes) -> None:
    """Tell all of them, as one of them has changed."""
    live.bus.publish("upstreams", _upstreams(remotes), is_kept=False)


def _upstreams(remotes: Remotes) -> bytes:
    return upstream_list(remotes.known.values()).model_dump_json().encode()


def _activity(services: Services, records: Iterable[Record], count: int) -> bytes:
    live = services.recorder.activity.live
    event = ActivityEvent(
        live=live_calls(services, islice(live.values(), LIVE_MAX)),
        in_flight=len(live),
        ended=[ended_call(record) for record in records],
        ended_count=count,
    )
    return event.model_dump_json().encode()


def stage_of(services: Services, call: Call) -> Stage:
    """As it is shown: one that is in line while its server comes up is loading."""
    if call.stage is Stage.QUEUED and call.model_id is not None:
        server = services.fleet.servers.get(call.model_id)
        if server is not None and server.state in COMING:
            return Stage.LOADING
    return call.stage


def live_calls(services: Services, calls: Iterable[Call]) -> list[LiveCall]:
    now = time.monotonic()
    return [
        LiveCall(
            **_common(call),
            stage=stage_of(services, call),
            seconds=max(0.0, now - call.began),
            load_seconds=call.load_seconds,
            first_byte_seconds=None if call.first_byte is None else call.first_byte - call.began,
            bytes_out=call.bytes_out,
        )
        for call in calls
    ]


def ended_call(record: Record) -> EndedCall:
    return EndedCall(
        **_common(record),
        outcome=Outcome(record.outcome),
        status=record.status,
        error=record.error,
        queue_seconds=record.queue_seconds,
        load_seconds=record.load_seconds,
        first_byte_seconds=record.first_byte_seconds,
        total_seconds=record.total_seconds,
        prompt_tokens=record.prompt_tokens,
        cached_tokens=record.cached_tokens,
        output_tokens=record.output_tokens,
        prompt_per_second=record.prompt_per_second,
        output_per_second=record.output_per_second,
        bytes_in=record.bytes_in,
        bytes_out=record.bytes_out,
    )


def _common(call: Call | Record) -> dict[str, Any]:
    return {
        "id": call.id,
        "began_at": datetime.fromtimestamp(call.began_at, UTC),
        "model_id": call.model_id,
        "asked": call.asked[:TEXT_MAX],
        "variant": call.variant,
        "server_id": call.server_id,
        "dialect": call.dialect,
        "path": call.path[:TEXT_MAX],
        "client": call.client,
        "stream": call.is_stream,
    }


def queue_out(services: Services) -> QueueOut:
    return _queue(_lines(services))


def _lines(services: Services) -> list[LineView]:
    """Those in which something goes on."""
    return [line for line in services.gateway.lines.views() if line.waiting or line.in_flight]


def _queue(lines: list[LineView]) -> QueueOut:
    return QueueOut(
        waiting=sum(line.waiting for line in lines),
        lines=[
            LineOut(
                model_id=line.model_id,
                waiting=line.waiting,
                in_flight=line.in_flight,
                limit=line.limit,
                oldest_seconds=line.oldest_seconds,
                is_held_back=line.is_held_back,
            )
            for line in lines
        ],
    )
