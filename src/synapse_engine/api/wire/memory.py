"""Memory: each device's, and what a start would take of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from synapse_engine.api.wire.base import Ask, Mb
from synapse_engine.api.wire.models import ModelSettings


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
    parts_mb: Mb = Field(description="mmproj and draft files, and what a draft needs to work, in MB")
    kv_cache_mb: Mb
    state_mb: Mb = Field(description="of recurrent layers, in MB")
    compute_mb: Mb
    process_mb: Mb
    prompt_cache_mb: Mb = Field(
        description="where its size was set, in MB; else it is cut from what is left over"
    )


class PlanAsk(Ask):
    """Settings as an edit would bring them; see ModelEdit."""

    settings: ModelSettings | None = Field(
        None, description="merged key by key; a key with null goes back to its default; null clears all"
    )


class PlanOut(BaseModel):
    """What a start would come to now."""

    fits: bool = Field(description="after those have stopped that `evicts` names")
    needed_mb: Mb
    free_mb: Mb
    devices: list[PlannedDevice]
    evicts: list[str] = Field(description="idle models that would stop to make room")
    context_tokens: int = Field(description="the whole context, of all slots")
    slots: int = Field(description="how many requests it would answer at a time")
    request_tokens: int = Field(description="the context that one request may have")
    settings: dict[str, Any] = Field(description="what would be passed, defaults included, by option")
    is_measured: bool = Field(description="needed_mb is what it took when it last ran like this")
    estimate: EstimateOut
    notice: str | None = Field(description="what would not be on a GPU")
    detail: str | None = Field(description="why it does not fit, and what would have to stop")
