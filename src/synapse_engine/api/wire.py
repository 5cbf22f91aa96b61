"""The wire: what `/api/*` takes and gives. Times in seconds, memory in MB (10^6 bytes), instants in RFC 3339.

Fields may be added, never changed. Requests reject unknown fields.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from synapse_engine.catalog.model import Kind, Tier

Status = Literal["stopped", "queued", "starting", "running", "stopping", "backoff", "failed"]
Mb = Annotated[float, Field(description="MB (10^6 bytes)")]
Seconds = Annotated[float, Field(ge=0, description="seconds")]


class Ask(BaseModel):
    """Base of every request body."""

    model_config = ConfigDict(extra="forbid")


class ErrorBody(BaseModel):
    """Every error of `/api/*`."""

    error: str = Field(description="which case it is; stable, programs may compare it")
    detail: str = Field(description="what was found, and what to do")


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


class LastError(BaseModel):
    error: str
    detail: str
    at: datetime


class ServerOut(BaseModel):
    model_id: str
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
    degraded: str | None = Field(description="why it is slower than this machine allows, and what to do")


class ServerList(BaseModel):
    servers: list[ServerOut] = Field(description="every server that is not stopped")
    total_running: int


class LogLines(BaseModel):
    model_id: str
    lines: list[str]


class LogEvent(LogLines):
    """Further lines of a log that is followed."""

    is_new_start: bool = Field(description="these are the first of a new start's log")


class OwnLogLines(BaseModel):
    lines: list[str]


class Variant(Ask):
    """A further name of a running model, with its own sampling and system prompt."""

    name: str
    sampling: dict[str, Any] = {}
    system_prompt: str | None = None
    chat_template_kwargs: dict[str, Any] = {}


class ModelSettings(BaseModel):
    """A model's settings. Any other key is a llama-server option under its long name, with underscores
    (`ctx_size`, `n_gpu_layers`, `cache_type_k`): true and false become `--x` and `--no-x`.
    """

    model_config = ConfigDict(extra="allow")

    extra_args: list[str] | None = Field(None, description="passed on as they are, last")
    env: dict[str, str] | None = Field(None, description="added to the server's environment")
    engine: str | None = Field(None, description="which of several engines runs it")
    devices: Literal["auto", "cpu"] | list[str] | None = None
    idle_stop_seconds: Annotated[float, Field(ge=0)] | None = None
    pinned: bool | None = Field(None, description="never evicted")
    restart: Literal["always", "on-failure", "never"] | None = Field(
        None, description="which ends are followed by another start; on-failure where nothing is set"
    )
    replicas: Annotated[int, Field(ge=1, le=64)] | None = None
    autostart: bool | None = Field(None, description="started when the control plane starts")
    variants: list[Variant] | None = None


class ModelOut(BaseModel):
    model_id: str
    display_name: str
    family: str
    version: str | None
    variant: str | None
    architecture: str | None
    size_b: float | None = Field(description="billions of parameters")
    quantization: str | None
    tier: Tier
    tier_is_override: bool
    kind: Kind
    capabilities: list[str] = Field(examples=[["tools", "thinking", "vision"]])
    context_length: int | None = Field(description="what it was trained for, in tokens")
    file_path: str
    file_size_mb: Mb
    shards: int
    repo: str | None
    enabled: bool
    held: bool = Field(description="a person stopped it: requests do not start it until a START or a release")
    port: int | None
    port_is_pinned: bool
    aliases: list[str]
    settings: dict[str, Any] = Field(description="those that a person set; see ModelSettings")
    settings_verified: bool = Field(description="false where no engine was there to check them against")
    estimated_memory_mb: Mb | None = Field(description="from the header and the settings, in MB")
    measured_memory_mb: Mb | None = Field(
        description="what it took when it last ran with these settings, in MB"
    )
    missing: bool = Field(description="its file is gone; its choices are kept")
    problem: str | None = Field(description="why it cannot be launched")
    status: Status
    last_error: LastError | None
    restart_required: bool = Field(description="its server runs with choices that have changed since")


class SkippedFile(BaseModel):
    path: str
    reason: str


class PortRange(BaseModel):
    start: int
    end: int


class RegistryOut(BaseModel):
    models: list[ModelOut]
    scan_paths: list[str]
    last_scan: datetime | None
    scan_seconds: float | None
    scanning: bool
    scan_progress: float | None = Field(description="of a scan that runs, 0 to 1; null while none does")
    port_range: PortRange
    skipped: list[SkippedFile]
    notices: list[str] = Field(description="what the person should know, such as a registry file set aside")


class ModelEdit(Ask):
    """What is absent stays; null puts the default back."""

    enabled: bool | None = None
    tier: Tier | None = None
    port: int | None = Field(None, description="pins the port; null unpins it")
    aliases: list[str] | None = None
    settings: ModelSettings | None = Field(
        None, description="merged key by key; a key with null goes back to its default; null clears all"
    )


class EnableAsk(Ask):
    """The given models, or those of a tier, or all."""

    enabled: bool
    model_ids: list[str] | None = None
    tier: Tier | None = None


class Enabled(BaseModel):
    message: str = Field(examples=["Enabled 3 models"])
    changed: int
    models: list[ModelOut]


class Rescanned(BaseModel):
    message: str = Field(examples=["Found 12 models"])
    found: int
    added: int
    removed: int
    changed: int
    scan_seconds: Seconds


class DeviceOut(BaseModel):
    name: str = Field(description="as the engine calls it; the machine's own memory is `RAM`")
    kind: Literal["ram", "gpu"]
    total_mb: Mb
    limit_mb: Mb = Field(description="for all servers together, in MB")
    reserved_mb: Mb = Field(description="held by servers, in MB")
    free_mb: Mb = Field(description="for one more server, in MB")


class PlannedDevice(DeviceOut):
    needed_mb: Mb


class EstimateOut(BaseModel):
    """What the header says that it takes, by what takes it."""

    weights_mb: Mb
    parts_mb: Mb = Field(description="mmproj and draft files, in MB")
    kv_cache_mb: Mb
    state_mb: Mb = Field(description="of recurrent layers, in MB")
    compute_mb: Mb
    process_mb: Mb
    prompt_cache_mb: Mb = Field(
        description="where its size was set, in MB; else it is cut from what is left over"
    )


class PlanOut(BaseModel):
    """What a start would come to now."""

    fits: bool = Field(description="after those have stopped that `evicts` names")
    needed_mb: Mb
    free_mb: Mb
    devices: list[PlannedDevice]
    evicts: list[str] = Field(description="idle models that would stop to make room")
    context_tokens: int = Field(description="the whole context, of all slots")
    is_measured: bool = Field(description="needed_mb is what it took when it last ran like this")
    estimate: EstimateOut
    notice: str | None = Field(description="what would not be on a GPU")
    detail: str | None = Field(description="why it does not fit, and what would have to stop")


class EngineOut(BaseModel):
    found: bool
    path: str | None
    version: str | None
    problem: str | None


class EngineChoice(BaseModel):
    """An engine that a model may name in its setting `engine`; the default one has no name."""

    name: str | None
    path: str | None
    version: str | None
    problem: str | None


class EngineOption(BaseModel):
    """An option of llama-server as a model's setting."""

    name: str = Field(examples=["ctx_size"])
    hint: str = Field(description="what its value looks like; empty for true or false")
    help: str = Field(description="the engine's own words")


class EngineList(BaseModel):
    engines: list[EngineChoice]


class EngineOptions(BaseModel):
    options: list[EngineOption]


class PathsOut(BaseModel):
    data_dir: str
    registry: str
    logs: str
    scan_paths: list[str]


class SystemOut(BaseModel):
    version: str
    engine: EngineOut
    devices: list[DeviceOut]
    uptime_seconds: float
    paths: PathsOut
    refresh_seconds: float
    port_range: PortRange
    api_key_required: bool


class Snapshot(BaseModel):
    """Everything the page needs, as it is now."""

    registry: RegistryOut
    servers: ServerList
    system: SystemOut


class ScanOut(BaseModel):
    """A scan has begun or ended. The models that it changed come as events of their own."""

    scanning: bool
    last_scan: datetime | None
    scan_seconds: float | None
    skipped: list[SkippedFile]


class ServerLoad(BaseModel):
    """What changes all the time while a server runs."""

    model_id: str
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
    """The stream's events by their name, each with its data. An `id` grows with each one."""

    snapshot: Snapshot = Field(description="first, and again for a reader that has fallen behind")
    server: ServerOut = Field(description="one server, a stopped one too")
    model: ModelOut
    scan: ScanOut
    memory: MemoryOut
    log: LogEvent = Field(description="new lines, for the models asked for with `log`")
    notice: NoticeOut


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Literal["ready"]
