"""`/api/activity` and `/api/queue`: requests in flight, ended and waiting."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query

from synapse_engine.api.errors import documented
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.traffic import ended_call, live_calls, queue_out
from synapse_engine.api.wire.activity import (
    ActivityPage,
    ActivitySummary,
    BucketOut,
    CancelledCall,
    LiveActivity,
    ModelFigures,
    QueueOut,
)
from synapse_engine.api.wire.base import Before
from synapse_engine.errors import ModelNotFound
from synapse_engine.gateway.activity import Outcome
from synapse_engine.gateway.errors import CallNotFound
from synapse_engine.gateway.records import Record, Wanted, newest
from synapse_engine.gateway.summary import Summary, summarize

MONTH_MINUTES = 31 * 24 * 60

router = APIRouter(prefix="/api", tags=["activity"])


@router.get("/activity", responses=documented(409, 500))
async def list_activity(
    services: Wired,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Before = None,
    model: Annotated[str | None, Query(description="any name of a model, also of one that is gone")] = None,
    outcome: Outcome | None = None,
    dialect: str | None = None,
) -> ActivityPage:
    """Requests that have ended, newest arrival first. The last half second's may be missing still."""
    wanted = Wanted(before, model and _model_id(services, model), outcome, dialect)

    def work(connection: sqlite3.Connection) -> list[Record]:
        return newest(connection, wanted, limit + 1)

    records = await services.recorder.store.run(work)
    has_more = len(records) > limit
    calls = [ended_call(record) for record in records[:limit]]
    return ActivityPage(calls=calls, next=calls[-1].id if has_more else None)


@router.get("/activity/live", responses=documented())
async def list_live(services: Wired) -> LiveActivity:
    """Requests in flight, oldest first."""
    return LiveActivity(calls=live_calls(services, services.recorder.activity.live.values()))


@router.get("/activity/summary", responses=documented(500))
async def summarize_activity(
    services: Wired,
    minutes: Annotated[int, Query(ge=1, le=MONTH_MINUTES)] = 60,
    model: Annotated[str | None, Query(description="only of this one; any of its names")] = None,
) -> ActivitySummary:
    """The last minutes in figures, by time and by model."""
    model_id = model and _model_id(services, model)

    def work(connection: sqlite3.Connection) -> Summary:
        return summarize(connection, minutes, time.time(), model_id)

    summary = await services.recorder.store.run(work)
    models = sorted(summary.models.items(), key=lambda item: -item[1].requests)
    return ActivitySummary(
        bucket_seconds=summary.bucket_seconds,
        buckets=[
            BucketOut(at=datetime.fromtimestamp(at, UTC), **msgspec.structs.asdict(figures))
            for at, figures in summary.buckets.items()
        ],
        models=[
            ModelFigures(model_id=model_id, **msgspec.structs.asdict(figures)) for model_id, figures in models
        ],
    )


@router.delete("/activity/{call_id}", responses=documented(404))
async def cancel_call(
    services: Wired, call_id: Annotated[int, Path(description="of a request in flight")]
) -> CancelledCall:
    """End a request in flight: its client is told, and its server's slot is free."""
    if not services.recorder.activity.cancel(call_id):
        raise CallNotFound(call_id)
    return CancelledCall(message="Request cancelled", id=call_id)


@router.get("/queue", responses=documented())
async def show_queue(services: Wired) -> QueueOut:
    """Who waits for which model, and how many are being answered."""
    return queue_out(services)


def _model_id(services: Services, name: str) -> str:
    try:
        return services.registry.resolve(name).model_id
    except ModelNotFound:
        return name
