"""Logs: a server's, and the control plane's own; their last lines, or followed as they grow."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query

from synapse_engine.api.errors import documented
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.streams import EventStream, framed, merged
from synapse_engine.api.wire.servers import LogEvent, LogLines, OwnLogLines
from synapse_engine.datafolder import OWN_LOG
from synapse_engine.launch.base import LogChunk
from synapse_engine.launch.loglines import Level, Sieve

EVERY_LINE = 1 << 40
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "As JSON; with `Accept: text/event-stream` as `log` events, and followed.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}

router = APIRouter(tags=["logs"])

Tail = Annotated[int, Query(ge=1, le=100_000, description="how many of the last lines that are wanted")]
Replica = Annotated[int, Query(ge=1, le=64, description="which of the model's servers")]
Accept = Annotated[str, Header(include_in_schema=False)]


def _sieve(
    level: Annotated[
        Literal["debug", "info", "warning", "error"], Query(description="lines at or above it")
    ] = "debug",
    search: Annotated[str, Query(description="lines that hold this text, in whichever case")] = "",
    ansi: Annotated[bool, Query(description="keep the codes that colour a terminal")] = False,
) -> Sieve:
    return Sieve(Level[level.upper()], search, ansi)


Wanted = Annotated[Sieve, Depends(_sieve)]


@router.get(
    "/api/models/servers/{model_id:path}/logs",
    response_model=LogLines,
    responses=documented(404, 409) | STREAM,
)
async def logs(
    services: Wired, model_id: str, sieve: Wanted, tail: Tail = 200, replica: Replica = 1, accept: Accept = ""
) -> LogLines | EventStream:
    """The last lines of the newest start's log; followed, those of later starts too."""
    known_id = services.registry.resolve(model_id).model_id
    if "text/event-stream" in accept:
        followed = log_events(services, known_id, tail, sieve, replica)
        return EventStream(merged([followed], services.live.bus.closed))
    lines = await services.fleet.log_tail(known_id, tail if sieve.takes_all else EVERY_LINE, replica)
    return LogLines(model_id=known_id, lines=sieve.sift(lines)[-tail:])


@router.get("/api/logs", response_model=OwnLogLines, responses=documented() | STREAM)
async def own_logs(
    services: Wired, sieve: Wanted, tail: Tail = 200, accept: Accept = ""
) -> OwnLogLines | EventStream:
    """The last lines of the control plane's own log."""
    if "text/event-stream" in accept:
        return EventStream(merged([_own_log_events(services, tail, sieve)], services.live.bus.closed))
    lines = await services.logs.tail(OWN_LOG, tail if sieve.takes_all else EVERY_LINE)
    return OwnLogLines(lines=sieve.sift(lines)[-tail:])


async def log_events(
    services: Services, model_id: str, tail: int, sieve: Sieve, replica: int = 1
) -> AsyncGenerator[bytes]:
    """A server's log as events: the last lines that are wanted, then new ones as they come."""
    source = services.fleet.log_follow(model_id, tail if sieve.takes_all else EVERY_LINE, replica)
    async for lines, is_new_start in _sifted(source, tail, sieve):
        chunk = LogEvent(model_id=model_id, lines=lines, is_new_start=is_new_start)
        yield framed("log", chunk.model_dump_json().encode())


async def _own_log_events(services: Services, tail: int, sieve: Sieve) -> AsyncGenerator[bytes]:
    source = services.logs.follow(OWN_LOG, tail if sieve.takes_all else EVERY_LINE)
    async for lines, _ in _sifted(source, tail, sieve):
        yield framed("log", OwnLogLines(lines=lines).model_dump_json().encode())


async def _sifted(
    source: AsyncIterator[LogChunk], tail: int, sieve: Sieve
) -> AsyncIterator[tuple[list[str], bool]]:
    """The last lines that are wanted, then what is wanted of each further chunk."""
    yield sieve.sift((await anext(source)).lines)[-tail:], False
    async for chunk in source:
        lines = sieve.sift(chunk.lines)
        if lines or chunk.is_new_start:
            yield lines, chunk.is_new_start
