"""The registry: list, one, edit, enable, rescan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from synapse_engine.api.errors import documented
from synapse_engine.api.rows import registry_json, with_models
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.views import model_details, model_out, plan_out
from synapse_engine.api.wire.memory import PlanAsk, PlanOut
from synapse_engine.api.wire.models import (
    EnableAsk,
    Enabled,
    ModelDetails,
    ModelEdit,
    ModelOut,
    ModelSettings,
    RegistryOut,
    Rescanned,
)
from synapse_engine.catalog.registry import Choices, Entry
from synapse_engine.errors import EngineNotFound, InvalidChoice, PortPinned
from synapse_engine.launch.command import check_settings
from synapse_engine.launch.engine import Engine

FIRST_PINNABLE_PORT = 1024

router = APIRouter(prefix="/api/models", tags=["models"])


@router.get("/registry", response_model=RegistryOut, responses=documented())
async def registry(services: Wired) -> Response:
    """Every model with the person's choices and its server's status."""
    return Response(registry_json(services), media_type="application/json")


@router.post("/rescan", responses=documented(507))
async def rescan(services: Wired) -> Rescanned:
    """Search every folder again, now."""
    changes = await services.scanner.rescan()
    return Rescanned(
        message=f"Found {changes.found} models",
        found=changes.found,
        added=changes.added,
        removed=changes.removed,
        changed=changes.changed,
        scan_seconds=services.registry.scan_seconds or 0.0,
    )


@router.post("/enable", response_model=Enabled, responses=documented(404, 409, 507))
async def enable(services: Wired, ask: EnableAsk) -> Response:
    """Enable or disable the given models, or those of a tier, or all that can be launched."""
    if ask.model_ids is None:
        named = [e for e in services.registry.entries.values() if not ask.enabled or _is_launchable(e)]
    else:
        named = [services.registry.resolve(name) for name in ask.model_ids]
    ids = [entry.model_id for entry in named if ask.tier is None or entry.tier is ask.tier]

    def change(entries: Mapping[str, Entry]) -> dict[str, Choices]:
        return {
            model_id: msgspec.structs.replace(entries[model_id].choices, enabled=ask.enabled)
            for model_id in ids
            if entries[model_id].choices.enabled != ask.enabled
        }

    differing = sum(services.registry.get(model_id).choices.enabled != ask.enabled for model_id in ids)
    await services.registry.edit(change)
    answer = Enabled(
        message=f"{'Enabled' if ask.enabled else 'Disabled'} {differing} models", changed=differing, models=[]
    )
    entries = [services.registry.get(model_id) for model_id in ids]
    return Response(with_models(services, answer, entries), media_type="application/json")


@router.post("/{model_id:path}/release", responses=documented(404, 409, 503))
async def release(services: Wired, model_id: str) -> ModelOut:
    """End a hold: requests may start the model again."""
    held_id = services.registry.resolve(model_id).model_id
    await services.fleet.hold([held_id], False)
    return model_out(services, services.registry.get(held_id))


@router.get("/{model_id:path}/plan", responses=documented(404, 409))
async def plan(services: Wired, model_id: str) -> PlanOut:
    """What a start would need, whether that fits, and who would have to stop. Starts nothing."""
    return plan_out(await services.fleet.budget.plan(services.registry.resolve(model_id)))


@router.post("/{model_id:path}/plan", responses=documented(404, 409))
async def plan_edited(services: Wired, model_id: str, ask: PlanAsk) -> PlanOut:
    """The same with other settings, which are not saved."""
    entry = services.registry.resolve(model_id)
    engine = await _engine_or_none(services, entry.model_id, ask.settings) if ask.settings else None
    edit = ModelEdit.model_validate({name: getattr(ask, name) for name in ask.model_fields_set})
    choices = edited(entry.choices, edit, engine)
    return plan_out(await services.fleet.budget.plan(msgspec.structs.replace(entry, choices=choices)))


@router.get("/{model_id:path}", responses=documented(404, 409))
async def one_model(services: Wired, model_id: str) -> ModelDetails:
    """One model, with all that its files say."""
    return model_details(services, services.registry.resolve(model_id))


@router.patch("/{model_id:path}", responses=documented(404, 409, 507))
async def edit(services: Wired, model_id: str, ask: ModelEdit) -> ModelOut:
    """Change a model's choices. A running server goes on with the old ones: `restart_required` says so."""
    edited_id = services.registry.resolve(model_id).model_id
    engine = await _engine_or_none(services, edited_id, ask.settings) if ask.settings else None

    def change(entries: Mapping[str, Entry]) -> dict[str, Choices]:
        choices = edited(entries[edited_id].choices, ask, engine)
        if choices.port_is_pinned:
            _check_pin(edited_id, choices.port, entries)
        services.gateway.names.check(entries[edited_id], choices)
        return {edited_id: choices}

    await services.registry.edit(change)
    return model_out(services, services.registry.get(edited_id))


def edited(choices: Choices, ask: ModelEdit, engine: Engine | None) -> Choices:
    """The choices after the edit. Pure. Raises InvalidChoice for a setting that cannot be taken."""
    changes: dict[str, Any] = {}
    if "enabled" in ask.model_fields_set:
        changes["enabled"] = bool(ask.enabled)
    if "tier" in ask.model_fields_set:
        changes["tier"] = ask.tier
    if "port" in ask.model_fields_set:
        # Unpinning keeps the port as an automatic one.
        changes["port_is_pinned"] = ask.port is not None
        changes["port"] = choices.port if ask.port is None else ask.port
    if "aliases" in ask.model_fields_set:
        changes["aliases"] = tuple(_checked_aliases(ask.aliases or []))
    if "settings" in ask.model_fields_set:
        changes["settings"] = _merged_settings(choices, ask, engine)
    return msgspec.structs.replace(choices, **changes)


def _merged_settings(choices: Choices, ask: ModelEdit, engine: Engine | None) -> dict[str, Any]:
    if ask.settings is None:
        return {}
    asked = ask.settings.model_dump(mode="json", exclude_unset=True)
    check_settings({name: value for name, value in asked.items() if value is not None}, engine)
    merged = dict(choices.settings) | asked
    return {name: value for name, value in merged.items() if value is not None}


def _checked_aliases(aliases: list[str]) -> list[str]:
    cleaned = list(dict.fromkeys(alias.strip() for alias in aliases))
    if "" in cleaned:
        raise InvalidChoice("Bad alias", "An alias cannot be empty.")
    if any(not alias.isprintable() for alias in cleaned):
        raise InvalidChoice("Bad alias", "An alias takes printable characters only.")
    return cleaned


def _check_pin(model_id: str, port: int | None, entries: Mapping[str, Entry]) -> None:
    if port is None or not FIRST_PINNABLE_PORT <= port <= 65_535:
        raise InvalidChoice(f"Port out of range: {port}", f"Choose one of {FIRST_PINNABLE_PORT}..65535.")
    for other in entries.values():
        if other.model_id != model_id and other.choices.port_is_pinned and other.choices.port == port:
            raise PortPinned(port, other.model_id)


def _is_launchable(entry: Entry) -> bool:
    return not entry.missing and entry.model.problem is None


async def _engine_or_none(services: Services, model_id: str, asked: ModelSettings) -> Engine | None:
    """The engine that the model will run on after the edit. Raises InvalidChoice for an unknown name."""
    name = services.registry.get(model_id).choices.settings.get("engine")
    if "engine" in asked.model_fields_set:
        name = asked.engine
    try:
        return await services.engines.current(name)
    except EngineNotFound:
        return None
