"""`/api/settings`: every setting, where it comes from, and what can be changed while it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from fastapi import APIRouter
from pydantic import SecretStr
from pydantic_core import to_jsonable_python

from synapse_engine.api.errors import documented
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.wire.settings import SettingOut, SettingsEdit, SettingsOut
from synapse_engine.fleet.turns import places_to_load
from synapse_engine.preferences import Preferences, Source
from synapse_engine.settings import CHANGEABLE, Settings

SOURCES: Mapping[Source, str] = {
    "flag": "a flag of `synapse serve`",
    "environment": "the environment",
    ".env": "the file .env",
}

router = APIRouter(prefix="/api/settings", tags=["settings"])


@router.get("", responses=documented())
async def list_settings(services: Wired) -> SettingsOut:
    """Every setting."""
    return settings_out(services.preferences)


@router.patch("", responses=documented(507))
async def edit_settings(services: Wired, ask: SettingsEdit) -> SettingsOut:
    """Change settings at once and for later runs too; flags, the environment and `.env` go before that."""
    await services.preferences.change(ask.model_dump(exclude_unset=True))
    apply(services)
    answer = settings_out(services.preferences)
    services.live.bus.publish("settings", answer.model_dump_json().encode())
    return answer


def apply(services: Services) -> None:
    """Let all who work with settings that can be changed have them as they are now."""
    settings, fleet, gateway = services.settings, services.fleet, services.gateway
    limits, restart_limits = services.limits, services.restart_limits
    limits.startup_seconds = settings.max_startup_seconds
    limits.stop_seconds = settings.stop_timeout_seconds
    limits.drain_seconds = settings.drain_seconds
    limits.probe_seconds = settings.probe_seconds
    restart_limits.most = settings.restart_max
    restart_limits.window_seconds = settings.restart_window_seconds
    fleet.turns.resize(min(settings.start_concurrency, places_to_load(os.cpu_count() or 1)))
    fleet.idle_stops.default_seconds = settings.idle_stop_seconds
    fleet.budget.admission.may_evict = settings.evict
    fleet.budget.admission.limit_bytes = settings.memory_limit_bytes
    gateway.lines.on_demand = gateway.names.on_demand = settings.on_demand
    gateway.lines.queue_max = settings.queue_max
    gateway.lines.queue_seconds = settings.queue_seconds
    gateway.news.manner = settings.loading_news
    gateway.modes.manner = settings.modes_news
    gateway.body_max_bytes = settings.body_max_bytes
    services.queries.may_start = settings.modes_start
    services.queries.deadline_seconds = settings.modes_seconds
    services.queries.keeper.kept = settings.queries_max
    services.recorder.kept = settings.activity_max
    services.benchmarks.archive.kept = settings.benchmarks_max
    services.logs.max_bytes = settings.log_max_bytes


def settings_out(preferences: Preferences) -> SettingsOut:
    return SettingsOut(
        settings=[_setting_out(preferences, field) for field in Settings.model_fields],
        saved_in=str(preferences.path),
        notices=[
            f"{_name(field)} is given by {SOURCES[source]}, which goes before what is saved here."
            for field in preferences.saved
            if (source := preferences.source(field)) in SOURCES
        ],
    )


def _setting_out(preferences: Preferences, field: str) -> SettingOut:
    facts = Settings.model_fields[field]
    value = getattr(preferences.now, field)
    form = _forms()[_name(field)]
    return SettingOut(
        field=field,
        name=_name(field),
        value=_plain(value),
        default=_plain(facts.get_default(call_default_factory=True)),
        saved=preferences.saved.get(field),
        source=preferences.source(field),
        description=facts.description or "",
        can_change=field in CHANGEABLE,
        is_secret="SecretStr" in str(facts.annotation),
        form={name: form[name] for name in form if name not in ("default", "description", "title")},
    )


@cache
def _forms() -> Mapping[str, Any]:
    forms: Mapping[str, Any] = Settings.model_json_schema()["properties"]
    return forms


def _name(field: str) -> str:
    return str(Settings.model_fields[field].validation_alias)


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "********"
    return to_jsonable_python(value)
