"""The events of `/api/events`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from synapse_engine.api.wire.activity import ActivityEvent, QueueOut
from synapse_engine.api.wire.base import Mb
from synapse_engine.api.wire.benchmarks import BenchmarkBrief
from synapse_engine.api.wire.downloads import DownloadOut
from synapse_engine.api.wire.memory import DeviceOut
from synapse_engine.api.wire.models import ModelOut, RegistryOut, SkippedFile
from synapse_engine.api.wire.servers import LogEvent, ServerList, ServerOut
from synapse_engine.api.wire.settings import FolderList, SettingsOut
from synapse_engine.api.wire.system import SystemOut
from synapse_engine.api.wire.upstreams import UpstreamList


class Snapshot(BaseModel):
    """Everything the page needs, as it is now."""

    registry: RegistryOut
    servers: ServerList
    system: SystemOut
    downloads: list[DownloadOut]
    benchmarks: list[BenchmarkBrief] = Field(description="those that run or wait")


class ScanOut(BaseModel):
    """A scan has begun, come further or ended. The models that it changed come as events of their own."""

    scanning: bool
    scan_progress: float | None = Field(description="0 to 1; null before its files are counted and after it")
    last_scan: datetime | None
    scan_seconds: float | None
    skipped: list[SkippedFile]


class ServerLoad(BaseModel):
    """What changes all the time while a server runs."""

    model_id: str
    replica: int
    memory_used_mb: Mb
    memory_private_mb: Mb
    active_requests: int
    uptime_seconds: int


class MemoryOut(BaseModel):
    devices: list[DeviceOut]
    servers: list[ServerLoad] = Field(description="every server with a process")


class NoticeOut(BaseModel):
    """A warning or an error of the control plane's own log."""

    level: Literal["warning", "error"]
    text: str
    at: datetime


class Events(BaseModel):
    """The stream's events by their name, each with its data. An `id` grows with each one that has one."""

    snapshot: Snapshot = Field(description="first, and again for a reader that has fallen behind")
    server: ServerOut = Field(description="one server, a stopped one too")
    model: ModelOut
    scan: ScanOut
    memory: MemoryOut
    log: LogEvent = Field(description="new lines, for the models asked for with `log`")
    notice: NoticeOut
    settings: SettingsOut = Field(description="they have been changed")
    folders: FolderList = Field(description="one was added, or removed")
    download: DownloadOut = Field(description="as it is now, twice a second while it goes on")
    benchmark: BenchmarkBrief = Field(description="as it is now, at every step of it")
    activity: ActivityEvent = Field(
        description="requests in flight and ended, at most ten times a second; no id"
    )
    queue: QueueOut = Field(description="who waits, at most ten times a second; no id")
    upstreams: UpstreamList = Field(description="all of them, when one has changed; no id")
