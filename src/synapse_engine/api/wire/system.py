"""The control plane itself, its engines and its health."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from synapse_engine.api.wire.base import PortRange
from synapse_engine.api.wire.memory import DeviceOut
from synapse_engine.launch.options import OptionKind


class EngineOut(BaseModel):
    found: bool
    path: str | None
    version: str | None
    problem: str | None
    install: str = Field(description="the command that installs one on this machine")


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
    kind: OptionKind = Field(description="what it takes; a switch takes true or false")
    choices: list[str] = Field(description="every value of a choice; empty for the others")
    default: str | None = Field(
        description="the engine's own, as it writes it; null where it does not say. What is passed where "
        "nobody says anything may be another: see a plan's `settings`"
    )
    is_deprecated: bool


class EngineList(BaseModel):
    engines: list[EngineChoice]


class EngineOptions(BaseModel):
    options: list[EngineOption]


class FindingOut(BaseModel):
    """One thing that was looked at."""

    subject: str = Field(examples=["engine", "models", "folder", "memory"])
    verdict: Literal["ok", "note", "missing"] = Field(
        description="missing keeps models from running; note is worth a look"
    )
    found: str
    advice: str = Field(description="what to do; empty where nothing is")


class Diagnosis(BaseModel):
    verdict: Literal["ok", "note", "missing"] = Field(description="the worst of all")
    findings: list[FindingOut]


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


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Literal["ready"]
