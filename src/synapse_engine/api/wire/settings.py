"""The control plane's own settings, and the folders that are searched."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from synapse_engine.api.wire.base import Ask, Mb, Seconds
from synapse_engine.preferences import Source

FolderSource = Literal["settings", "added", "known", "own"]
SettingValue = bool | int | float | str | list[str] | dict[str, str] | None
Count = Annotated[int, Field(ge=0)]


class SettingOut(BaseModel):
    field: str = Field(description="its key in an edit", examples=["idle_stop_seconds"])
    name: str = Field(description="in the environment and in .env", examples=["SYNAPSE_IDLE_STOP_SECONDS"])
    value: SettingValue = Field(
        description="the one in effect; of a secret only whether it is set, as asterisks or null"
    )
    default: SettingValue
    saved: SettingValue = Field(description="what an edit has saved; null where nothing is")
    source: Source = Field(description="where the value comes from, the strongest first")
    description: str
    can_change: bool = Field(description="by an edit, at once; else at a start only")
    is_secret: bool
    form: dict[str, Any] = Field(description="what it takes, as JSON Schema")


class SettingsOut(BaseModel):
    settings: list[SettingOut]
    saved_in: str = Field(description="the file of what edits save")
    notices: list[str] = Field(description="saved settings that have no effect, and why")


class SettingsEdit(Ask):
    """By field. What is absent stays; null takes back what was saved."""

    start_concurrency: Count | None = None
    max_startup_seconds: Seconds | None = None
    stop_timeout_seconds: Seconds | None = None
    drain_seconds: Seconds | None = None
    keep_servers: bool | None = None
    restart_max: Count | None = None
    restart_window_seconds: Seconds | None = None
    probe_seconds: Seconds | None = None
    memory_limit_mb: Mb | None = None
    evict: bool | None = None
    idle_stop_seconds: Seconds | None = None
    log_max_mb: Mb | None = None
    activity_max: Count | None = None
    benchmarks_max: Count | None = None
    on_demand: bool | None = None
    queue_max: Count | None = None
    queue_seconds: Seconds | None = None
    loading_news: Literal["comments", "reasoning", "off"] | None = None
    modes_start: bool | None = None
    modes_seconds: Seconds | None = None
    modes_news: Literal["comments", "reasoning", "off"] | None = None
    queries_max: Count | None = None
    body_max_mb: Mb | None = None
    refresh_seconds: Seconds | None = None


class FolderAsk(Ask):
    path: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="absolute, or beginning with ~ for the home of whom the control plane runs as"
    )


class FolderOut(BaseModel):
    path: str
    source: FolderSource = Field(
        description="MODEL_SCAN_PATH or a flag; added here; another program's store; where downloads come to"
    )
    can_remove: bool
    problem: str | None = Field(description="why nothing is found there")
    models: int = Field(description="found in it")


class FolderList(BaseModel):
    folders: list[FolderOut]
