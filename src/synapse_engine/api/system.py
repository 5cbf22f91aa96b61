"""What the control plane is and stands on, and whether it serves."""

from __future__ import annotations

import platform
import sys
import time

from fastapi import APIRouter

import synapse_engine
from synapse_engine.api.errors import documented
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.views import device_out
from synapse_engine.api.wire.base import PortRange
from synapse_engine.api.wire.memory import DeviceOut
from synapse_engine.api.wire.system import EngineOut, Health, PathsOut, Readiness, SystemOut
from synapse_engine.errors import Booting, EngineNotFound
from synapse_engine.launch.engine import install_command

router = APIRouter(tags=["system"])


# A HEAD is what some monitors ask with: the server leaves the body out.
@router.head("/health", include_in_schema=False)
@router.get("/health")
async def health() -> Health:
    """200 while it serves."""
    return Health(status="ok")


@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", responses=documented(503))
async def ready(services: Wired) -> Readiness:
    """200 once servers can be started and the first scan has ended."""
    if not (services.fleet.is_open and services.scanner.first_scan.is_set()):
        raise Booting
    return Readiness(status="ready")


@router.get("/api/system", responses=documented())
async def system(services: Wired) -> SystemOut:
    """Version, engine, memory, folders."""
    return await system_out(services)


async def system_out(services: Services) -> SystemOut:
    settings, folder = services.settings, services.folder
    return SystemOut(
        version=synapse_engine.__version__,
        engine=await _engine(services),
        devices=await devices_out(services),
        uptime_seconds=round(time.monotonic() - services.began, 1),
        paths=PathsOut(
            data_dir=str(folder.root),
            registry=str(folder.registry),
            logs=str(folder.logs),
            scan_paths=[str(root) for root in services.scanner.roots],
        ),
        refresh_seconds=settings.refresh_seconds,
        port_range=PortRange(start=settings.port_range_start, end=settings.port_range_end),
        api_key_required=settings.api_key is not None,
    )


async def devices_out(services: Services) -> list[DeviceOut]:
    return [device_out(space) for space in await services.fleet.budget.admission.spaces()]


async def _engine(services: Services) -> EngineOut:
    install = install_command(platform.system(), platform.machine(), sys.executable)
    try:
        engine = await services.engines.current()
    except EngineNotFound as error:
        return EngineOut(found=False, path=None, version=None, problem=error.detail, install=install)
    return EngineOut(
        found=True, path=engine.path, version=engine.version, problem=engine.problem, install=install
    )
