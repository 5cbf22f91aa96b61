"""`/api/query`: questions to one or more models, and their history."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request
from fastapi import Query as InQuery
from starlette.responses import Response

from synapse_engine.api.errors import documented, documented_stream
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.streams import EventStream, framed, until_end
from synapse_engine.api.wire.base import ID_MAX, Before
from synapse_engine.api.wire.queries import (
    PersonasAsk,
    QueryAsk,
    QueryDeleted,
    QueryDetached,
    QueryEvents,
    QueryOptions,
    QueryPage,
    QueryRecord,
    QueryRow,
)
from synapse_engine.gateway.activity import Call, Outcome, Stage
from synapse_engine.gateway.clients import asker_of, until_left
from synapse_engine.gateway.dialect import Dialect
from synapse_engine.gateway.encoded import Encoded
from synapse_engine.gateway.kept_queries import Row, newest
from synapse_engine.gateway.queries import Prepared, Query, Run
from synapse_engine.modes.asking import Message
from synapse_engine.modes.options import Options, Persona, Personas
from synapse_engine.modes.steps import KINDS, Mode, Status, Step, Text

SAMPLING = ("temperature", "top_p", "seed", "max_tokens")
SHAPES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The record; with `stream` the steps, as GET /api/query/{query_id}/events tells them.",
        "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/QueryEvents"}}},
    },
    202: {"model": QueryDetached, "description": "With `detach`: it has begun."},
}

router = APIRouter(prefix="/api/query", tags=["queries"])

QueryId = Annotated[int, Path(ge=1, le=ID_MAX)]


@router.post("", response_model=QueryRecord, responses=documented(400, 404, 409, 502, 503) | SHAPES)
async def ask(services: Wired, request: Request, ask: QueryAsk) -> Response:
    """Ask one or more models. A client that leaves ends it, unless it was asked with `detach`; and so does
    POST /api/query/{query_id}/cancel.
    """
    asker = asker_of(request)
    prepared, client = await services.queries.prepare(query_of(ask, asker.priority)), asker.client
    if ask.detach:
        run, call = _begin(services, prepared, client)
        run.detach(lambda: _finish(services, run, call))
        return Encoded(QueryDetached(id=run.id).model_dump(), status_code=202)
    if ask.stream:
        return EventStream(until_end(_owned_events(services, prepared, client)))
    with _recorded(services, prepared, client) as (run, _):
        await _until_ended(run, request)
    if run.error is not None:
        raise run.error
    return Encoded(run.record)


@router.get("", responses=documented(500))
async def list_queries(
    services: Wired,
    limit: Annotated[int, InQuery(ge=1, le=1000)] = 50,
    before: Before = None,
    mode: Mode | None = None,
    status: Status | None = None,
) -> QueryPage:
    """Queries that are kept, the newest first."""
    keeper = services.queries.keeper
    await keeper.flush()
    rows = await keeper.store.run(lambda connection: newest(connection, before, mode, status, limit + 1))
    shown = [_row(row) for row in rows[:limit]]
    return QueryPage(queries=shown, next=shown[-1].id if len(rows) > limit else None)


@router.get("/{query_id}", response_model=QueryRecord, responses=documented(404, 500))
async def show_query(services: Wired, query_id: QueryId) -> Response:
    """A query and its answer, as far as it has come."""
    return Encoded(await services.queries.record(query_id))


@router.get(
    "/{query_id}/events",
    status_code=200,
    response_class=EventStream,
    responses=documented_stream(QueryEvents, 404, 500),
)
async def follow_query(services: Wired, query_id: QueryId) -> EventStream:
    """All steps of a query from its beginning; of one under way, on to its end. Of an ended one the pieces of
    texts are missing: `said` has them whole.
    """
    steps = await services.queries.steps(query_id)
    return EventStream(until_end(_events(steps)))


@router.post("/{query_id}/cancel", response_model=QueryRecord, responses=documented(404, 500))
async def cancel_query(services: Wired, query_id: QueryId) -> Response:
    """End a query that is under way, and answer its record. One that has ended stays as it is."""
    if (run := services.queries.live.get(query_id)) is not None:
        run.cancel()
        await run.until_kept()
        return Encoded(run.record)
    return Encoded(await services.queries.record(query_id))


@router.delete("/{query_id}", responses=documented(404, 500))
async def delete_query(services: Wired, query_id: QueryId) -> QueryDeleted:
    """End a query that is under way, whose record stays; or delete the record of one that has ended."""
    if services.queries.cancel(query_id):
        return QueryDeleted(message="Query cancelled", id=query_id)
    await services.queries.delete(query_id)
    return QueryDeleted(message="Query deleted", id=query_id)


def query_of(ask: QueryAsk, priority: int) -> Query:
    """The query that was asked."""
    given, options = ask.options.model_dump(exclude_none=True), ask.options
    history = tuple(Message(message.role, message.content) for message in ask.history)
    if options.system_prompt:
        history = (Message("system", options.system_prompt), *history)
    return Query(
        ask.query,
        ask.mode,
        tuple(ask.models or ()),
        _options(options),
        given,
        history,
        options.start,
        options.deadline_seconds,
        priority,
    )


def _options(asked: QueryOptions) -> Options:
    sampling = {name: value for name in SAMPLING if (value := getattr(asked, name)) is not None}
    if asked.thinking is not None:
        sampling["chat_template_kwargs"] = {"enable_thinking": asked.thinking}
    own = {
        name: value
        for name in ("tier", "members", "refine", "turns", "moderator", "in_parallel")
        if (value := getattr(asked, name)) is not None
    }
    if asked.personas is not None:
        own["personas"] = _personas(asked.personas)
    return Options(sampling=sampling, **own)


def _personas(asked: str | PersonasAsk) -> str | Personas:
    if isinstance(asked, str):
        return asked
    pro, con = (Persona(side.name, side.manner) for side in (asked.pro, asked.con))
    return Personas(pro, con)


@contextmanager
def _recorded(services: Services, prepared: Prepared, client: str) -> Iterator[tuple[Run, Call]]:
    """Under way, and among the requests in flight; on leaving it has ended, whoever wanted that."""
    run, call = _begin(services, prepared, client)
    try:
        yield run, call
    finally:
        run.cancel()
        _finish(services, run, call)


def _begin(services: Services, prepared: Prepared, client: str) -> tuple[Run, Call]:
    run = services.queries.begin(prepared, client)
    call = services.gateway.activity.begin("/api/query", Dialect.OURS, client, run.cancel)
    call.asked, call.status = f"synapse/{prepared.query.mode}", 200
    call.seated, call.stage = time.monotonic(), Stage.ANSWERING
    return run, call


def _finish(services: Services, run: Run, call: Call) -> None:
    call.error = None if run.error is None else str(run.error)
    services.gateway.activity.end(call, run.outcome if run.is_over else Outcome.CLIENT_LEFT)


async def _until_ended(run: Run, request: Request) -> None:
    """Or until its client has left."""
    leaving = asyncio.create_task(until_left(request.receive))
    ending = asyncio.create_task(run.ended())
    try:
        await asyncio.wait({leaving, ending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (leaving, ending):
            task.cancel()
        await asyncio.wait({leaving, ending})


async def _owned_events(services: Services, prepared: Prepared, client: str) -> AsyncGenerator[bytes]:
    with _recorded(services, prepared, client) as (run, call):
        call.is_stream = True
        async with aclosing(_events(run.follow(is_owner=True), call)) as events:
            async for event in events:
                yield event


async def _events(steps: AsyncGenerator[Step], call: Call | None = None) -> AsyncGenerator[bytes]:
    async with aclosing(steps):
        async for step in steps:
            data = framed(KINDS[type(step)], msgspec.json.encode(step))
            if call is not None:
                call.bytes_out += len(data)
                if call.first_byte is None and isinstance(step, Text):
                    call.first_byte = time.monotonic()
            yield data


def _row(row: Row) -> QueryRow:
    began_at = datetime.fromtimestamp(row.began_at, UTC)
    return QueryRow(**{**vars(row), "began_at": began_at})
