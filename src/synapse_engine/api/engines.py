"""The engines that models may run on, and what each says of its options."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from synapse_engine.api.errors import documented
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.wire.system import EngineChoice, EngineList, EngineOption, EngineOptions
from synapse_engine.errors import EngineNotFound
from synapse_engine.launch.command import setting_options
from synapse_engine.launch.engine import Flag
from synapse_engine.launch.options import ENDS_AT_ONCE, option_form

router = APIRouter(prefix="/api/engines", tags=["engines"])


@router.get("", responses=documented())
async def list_engines(services: Wired) -> EngineList:
    """The default engine, then those of SYNAPSE_ENGINES."""
    names = [None, *services.engines.named]
    return EngineList(engines=[await _choice(services, name) for name in names])


@router.get("/options", responses=documented(503))
async def options(
    services: Wired, engine: Annotated[str | None, Query(description="its name; absent: the default")] = None
) -> EngineOptions:
    """What a model's settings may be with this engine, each with the engine's own help text."""
    found = await services.engines.current(engine)
    return EngineOptions(
        options=[
            _option(name, flag) for name, flag in setting_options(found).items() if name not in ENDS_AT_ONCE
        ]
    )


def _option(name: str, flag: Flag) -> EngineOption:
    form = option_form(flag)
    return EngineOption(
        name=name,
        hint=flag.hint,
        help=flag.help,
        kind=form.kind,
        choices=list(form.choices),
        default=form.default,
        is_deprecated=form.is_deprecated,
    )


async def _choice(services: Services, name: str | None) -> EngineChoice:
    try:
        found = await services.engines.current(name)
    except EngineNotFound as error:
        return EngineChoice(name=name, path=None, version=None, problem=error.detail)
    return EngineChoice(name=name, path=found.path, version=found.version, problem=found.problem)
