"""The words that every part of the wire uses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

Status = Literal["stopped", "queued", "starting", "running", "stopping", "backoff", "failed"]
Mb = Annotated[float, Field(description="MB (10^6 bytes)")]
# The store's ids are signed 64-bit numbers.
ID_MAX = (1 << 63) - 1
Before = Annotated[int | None, Query(ge=0, le=ID_MAX, description="only older ones than this id")]
Seconds = Annotated[float, Field(ge=0, description="seconds")]


class Ask(BaseModel):
    """Base of every request body."""

    model_config = ConfigDict(extra="forbid")


class ErrorBody(BaseModel):
    """Every error of `/api/*`."""

    error: str = Field(description="which case it is; stable, programs may compare it")
    detail: str = Field(description="what was found, and what to do")


class LastError(BaseModel):
    error: str
    detail: str
    at: datetime


class PortRange(BaseModel):
    start: int
    end: int
