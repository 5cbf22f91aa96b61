"""Logs: a server's, and the control plane's own; their last lines, or followed as they grow."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query

from synapse_engine.api.errors import documented, documented_stream
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.streams import EventStream, framed, gathered, merged
from synapse_engine.api.wire.servers import LiveLog, LiveLogs, LogEvent, LogLines, OwnLogLines
from synapse_engine.datafolder import OWN_LOG
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.launch.base import LogChunk
from synapse_engine.launch.loglines import Level, Sieve

EVERY_LINE = 1 << 40
# More would be more than anybody reads, and each is looked at ten times a second.
MOST_FOLLOWED = 100
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "As JSON; with `Accept: text/event-stream` as `log` events, and followed.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}

router = APIRouter(tags=["logs"])

# A model and which of its servers; the control plane's own is of no model.
LogName = tuple[str | None, int]

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


@router.get(
    "/api/logs/live",
    status_code=200,
    response_class=EventStream,
    responses=documented_stream(LiveLogs, 404, 409),
)
async def live_logs(
    services: Wired,
    sieve: Wanted,
    tail: Tail = 50,
    model: Annotated[list[str] | None, Query(description="only these models' servers")] = None,
) -> EventStream:
    """The control plane's own log and those of all servers, or only of some models, as `log` events: of each
    the last lines that are wanted, then new ones as they come. Servers that start later join in.
    """
    wanted = None if model is None else {services.registry.resolve(name).model_id for name in model}

    def find() -> list[LogName]:
        servers = services.fleet.servers.values()
        names: list[LogName] = [] if wanted else [(None, 1)]
        names += [(server.model_id, server.replica) for server in servers if _is_told(server, wanted)]
        return names[:MOST_FOLLOWED]

    def follow(name: LogName) -> AsyncGenerator[bytes]:
        # Each has a level of its own that lines without one go on with.
        return _live_events(services, name, tail, replace(sieve))

    return EventStream(merged([gathered(find, follow)], services.live.bus.closed))


def _is_told(server: Server, wanted: set[str] | None) -> bool:
    """Without a choice, those that have come to rest are left out."""
    return server.state is not State.STOPPED if wanted is None else server.model_id in wanted


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


async def _live_events(services: Services, name: LogName, tail: int, sieve: Sieve) -> AsyncGenerator[bytes]:
    model_id, replica = name
    lines = tail if sieve.takes_all else EVERY_LINE
    if model_id is None:
        source = services.logs.follow(OWN_LOG, lines)
    else:
        source = services.fleet.log_follow(model_id, lines, replica)
    async for wanted, is_new_start in _sifted(source, tail, sieve):
        chunk = LiveLog(model_id=model_id, replica=replica, lines=wanted, is_new_start=is_new_start)
        yield framed("log", chunk.model_dump_json().encode())


async def _sifted(
    source: AsyncIterator[LogChunk], tail: int, sieve: Sieve
) -> AsyncIterator[tuple[list[str], bool]]:
    """The last lines that are wanted, then what is wanted of each further chunk."""
    yield sieve.sift((await anext(source)).lines)[-tail:], False
    async for chunk in source:
        lines = sieve.sift(chunk.lines)
        if lines or chunk.is_new_start:
            yield lines, chunk.is_new_start
