"""Requests to models: in flight, ended, in figures, and waiting."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from synapse_engine.api.wire.base import Seconds
from synapse_engine.gateway.activity import Outcome, Stage

PerSecond = Annotated[float, Field(ge=0, description="tokens per second")]


class CallOut(BaseModel):
    """A request to a model."""

    id: int = Field(description="grows with each request")
    began_at: datetime
    model_id: str | None = Field(description="null where the name meant none, or none was chosen yet")
    asked: str = Field(description="the name that was asked for")
    variant: str | None
    server_id: str | None = Field(description="which of its servers or upstreams answered")
    dialect: str = Field(examples=["openai", "anthropic", "ollama"])
    path: str
    client: str = Field(description="its address and its program, by User-Agent")
    stream: bool


class LiveCall(CallOut):
    """A request in flight."""

    stage: Stage = Field(description="in its line, while its server loads, sent to it, or being answered")
    seconds: Seconds = Field(description="since it arrived, in seconds")
    load_seconds: Seconds = Field(description="of these, spent while its server was loading, in seconds")
    first_byte_seconds: Seconds | None = Field(description="until its answer began, in seconds")
    bytes_out: int


class EndedCall(CallOut):
    """A request that has ended. Times are seconds; those of a server's tokens are its own word."""

    outcome: Outcome = Field(
        description="error: the server answered 400 or above; refused: we did, without asking it; "
        "server_lost: it broke off; client_left; cancelled: over the API"
    )
    status: int | None = Field(description="of the HTTP answer; null where none was sent")
    error: str | None
    queue_seconds: Seconds = Field(description="until it was given to its server, without load_seconds")
    load_seconds: Seconds = Field(description="waited for its server to load")
    first_byte_seconds: Seconds | None = Field(description="from its arrival until its answer began")
    total_seconds: Seconds = Field(description="from its arrival to its last byte")
    prompt_tokens: int | None = Field(description="cached ones too; null where the answer did not say")
    cached_tokens: int | None = Field(description="of the prompt, taken from the prompt cache")
    output_tokens: int | None
    prompt_per_second: PerSecond | None
    output_per_second: PerSecond | None = Field(
        description="tokens per second; where the server does not say it, a stream's own pace"
    )
    bytes_in: int
    bytes_out: int


class ActivityPage(BaseModel):
    """Ended requests, newest arrival first."""

    calls: list[EndedCall]
    next: int | None = Field(description="the `before` of the next page; null on the last one")


class LiveActivity(BaseModel):
    """Requests in flight, oldest first."""

    calls: list[LiveCall]


class CancelledCall(BaseModel):
    message: str = Field(examples=["Request cancelled"])
    id: int


class FiguresOut(BaseModel):
    """Of the requests that arrived in some time, as far as their records are kept."""

    requests: int
    errors: int = Field(description="error, refused and server_lost")
    prompt_tokens: int
    output_tokens: int
    output_per_second: PerSecond | None = Field(
        description="mean of the answers' own speeds, tokens per second"
    )
    first_byte_seconds: Seconds | None = Field(description="mean, in seconds")
    first_byte_p95_seconds: Seconds | None = Field(description="95th percentile, in seconds")


class BucketOut(FiguresOut):
    at: datetime = Field(description="where it begins")


class ModelFigures(FiguresOut):
    model_id: str | None = Field(description="null for names that meant no model")


class ActivitySummary(BaseModel):
    bucket_seconds: int
    buckets: list[BucketOut] = Field(description="oldest first, without a gap; the last one is still filling")
    models: list[ModelFigures] = Field(description="most requests first")


class LineOut(BaseModel):
    """A model's line."""

    model_id: str
    waiting: int
    in_flight: int = Field(description="given to its server")
    limit: int = Field(description="how many are given to its server at a time")
    oldest_seconds: Seconds = Field(
        description="how long the first of those that wait has waited, in seconds"
    )
    is_held_back: bool = Field(
        description="nobody new is given to it, so that it can make room for another model"
    )


class QueueOut(BaseModel):
    waiting: int = Field(description="of all models")
    lines: list[LineOut] = Field(description="of every model that somebody waits for, or is answered by")


class ActivityEvent(BaseModel):
    """What is in flight and has just ended; after a time without news nothing has changed."""

    live: list[LiveCall] = Field(description="in flight now, the oldest 100")
    in_flight: int = Field(description="in flight now, all of them")
    ended: list[EndedCall] = Field(description="ended since the event before, the newest 100, oldest first")
    ended_count: int = Field(description="ended since the event before, all that are recorded")
