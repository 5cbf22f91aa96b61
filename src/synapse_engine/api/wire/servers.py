"""Servers: started, stopped, listed, and their logs."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from synapse_engine.api.wire.base import Ask, LastError, Mb, Seconds, Status
from synapse_engine.catalog.model import Tier


class StartedServer(BaseModel):
    message: str = Field(examples=["Server started for qwen_7b_fast"])
    model_id: str
    display_name: str
    port: int | None = Field(description="null while a start that was not waited for has none yet")
    status: Literal["started", "already_running", "starting"]
    startup_time_seconds: Seconds


class StoppedServer(BaseModel):
    message: str = Field(examples=["Server stopped for qwen_7b_fast"])
    model_id: str
    display_name: str
    status: Literal["stopped", "not_running"]
    shutdown_time_seconds: Seconds


class StartAllAsk(Ask):
    """Every enabled model; or those of a tier; or the given ones, enabled or not."""

    tier: Tier | None = None
    model_ids: list[str] | None = None


class RunningModel(BaseModel):
    model_id: str
    display_name: str
    port: int


class FailedModel(BaseModel):
    model_id: str
    display_name: str
    error: str
    detail: str


class StartedAll(BaseModel):
    message: str = Field(examples=["Started 3/4 servers"])
    started: int
    total: int
    startup_time_seconds: Seconds
    models: list[RunningModel]
    failed: list[FailedModel]


class StoppedAll(BaseModel):
    message: str = Field(examples=["Stopped 3 servers"])
    stopped: int
    shutdown_time_seconds: Seconds
    failed: list[FailedModel]


class ServerOut(BaseModel):
    model_id: str
    replica: int = Field(description="which of the model's servers, from 1; see the setting `replicas`")
    display_name: str
    tier: Tier
    status: Status
    port: int | None
    pid: int | None
    url: str | None
    node: str = Field(description="where it runs; this machine is `local`")
    uptime_seconds: int
    memory_used_mb: Mb = Field(description="resident memory in MB, as top shows it; 0 without a process")
    memory_private_mb: Mb = Field(description="what ending the process would free, in MB")
    progress: float | None = Field(description="of loading, 0 to 1; null where it is not known")
    eta_seconds: float | None
    active_requests: int
    restarts: int
    last_error: LastError | None
    started_at: datetime | None
    restart_required: bool = Field(description="it runs with choices that have changed since")
    degraded: str | None = Field(
        description="why it is slower than this machine allows, or why replicas are missing, and what to do"
    )


class ServerList(BaseModel):
    servers: list[ServerOut] = Field(description="every server that is not stopped")
    total_running: int = Field(description="models of which at least one server is running")


class LogLines(BaseModel):
    model_id: str
    lines: list[str]


class LogEvent(LogLines):
    """Further lines of a log that is followed."""

    is_new_start: bool = Field(description="these are the first of a new start's log")


class LiveLog(BaseModel):
    """Lines of one of several logs that are followed together."""

    model_id: str | None = Field(description="null for the control plane's own")
    replica: int = Field(description="which of the model's servers, from 1")
    lines: list[str]
    is_new_start: bool = Field(description="these are the first of a new start's log")


class LiveLogs(BaseModel):
    """The stream's events by their name, each with its data."""

    log: LiveLog


class OwnLogLines(BaseModel):
    lines: list[str]
