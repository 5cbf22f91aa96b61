"""Models: the registry, a person's choices, and what changes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from synapse_engine.api.wire.base import Ask, LastError, Mb, PortRange, Seconds, Status
from synapse_engine.catalog.model import Kind, Tier


class Variant(Ask):
    """A further name of a model, with its own sampling and system prompt. What a request says goes first."""

    name: str = Field(description="it may be asked for as this, or as MODEL:NAME")
    sampling: dict[str, Any] = Field({}, description="fields of a request, as `temperature` or `max_tokens`")
    system_prompt: str | None = Field(None, description="put before the request's own")
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
    idle_stop_seconds: Annotated[float, Field(ge=0)] | None = Field(
        None, description="stopped after so long without a request, whoever started it; 0 is never"
    )
    pinned: bool | None = Field(None, description="never evicted")
    restart: Literal["always", "on-failure", "never"] | None = Field(
        None, description="which ends are followed by another start; on-failure where nothing is set"
    )
    replicas: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None, description="how many servers of it share its requests"
    )
    keep_prompt_cache: bool | None = Field(
        None, description="kept on the disk when it stops by itself, for when it comes up again"
    )
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


class Shape(BaseModel):
    """What the header says of how it is built; null where it says nothing. Of what differs from layer to
    layer the largest.
    """

    layers: int | None
    embedding_length: int | None
    feed_forward_length: int | None
    heads: int | None
    kv_heads: int | None = Field(description="heads that are cached; fewer than heads share them")
    key_length: int | None = Field(description="numbers that one head caches of a token, as its key")
    value_length: int | None
    sliding_window: int | None = Field(description="how far back most layers look, in tokens")
    experts: int | None
    experts_used: int | None = Field(description="of the experts, for one token")
    vocabulary_size: int | None
    is_recurrent: bool = Field(description="some layers keep a state of fixed size in place of a cache")


class ModelDetails(ModelOut):
    """A model with all that its files say."""

    parameter_count: int | None = Field(description="exact; null where its tensors are not known")
    files: list[str] = Field(description="every shard, the first is the one that is loaded")
    projector: str | None = Field(description="the file (mmproj) that it sees or hears with")
    draft: str | None = Field(description="the file that drafts for it")
    adapters: list[str] = Field(description="LoRA files in its store")
    names: list[str] = Field(description="what else its store calls it", examples=[["llama3.2:3b"]])
    weights_mb: Mb
    expert_weights_mb: Mb = Field(description="of the weights, those of experts, in MB")
    shape: Shape


class SkippedFile(BaseModel):
    path: str
    reason: str


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
