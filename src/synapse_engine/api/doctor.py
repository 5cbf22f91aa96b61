"""`/api/doctor`: what is found, what is missing, and what to do, as the running control plane sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from fastapi import APIRouter

from synapse_engine.api.errors import documented
from synapse_engine.api.findings import (
    Finding,
    Verdict,
    data_folder_finding,
    engine_finding,
    model_findings,
    page_finding,
)
from synapse_engine.api.folders import folder_list
from synapse_engine.api.page import FOLDER
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.wire.system import Diagnosis, FindingOut
from synapse_engine.downloads.download import Status
from synapse_engine.errors import EngineNotFound
from synapse_engine.fleet.room import Space
from synapse_engine.settings import LOOPBACK_HOSTS

WORST_FIRST: tuple[Verdict, ...] = ("missing", "note", "ok")

router = APIRouter(prefix="/api/doctor", tags=["system"])


@router.get("", responses=documented())
async def diagnose(services: Wired) -> Diagnosis:
    """Look at engines, models, folders, memory, ports, servers, downloads and the page."""
    findings = [
        *[finding async for finding in _engines(services)],
        *_models(services),
        *_folders(services),
        await asyncio.to_thread(data_folder_finding, services.folder.root),
        *_memory(await services.fleet.budget.admission.spaces()),
        *_ports(services),
        *_servers(services),
        *_downloads(services),
        *_notices(services),
        *_access(services),
        page_finding(FOLDER),
    ]
    worst = next(each for each in WORST_FIRST if any(finding.verdict == each for finding in findings))
    return Diagnosis(
        verdict=worst, findings=[FindingOut.model_validate(finding.as_json()) for finding in findings]
    )


async def _engines(services: Services) -> AsyncIterator[Finding]:
    for name in (None, *services.engines.named):
        try:
            finding = engine_finding(await services.engines.current(name))
        except EngineNotFound as error:
            finding = Finding("engine", "missing", error.error, error.detail)
        if name is None:
            yield finding
        elif finding.verdict != "ok":
            yield Finding("engine", "note", f"{name}: {finding.found}", "Look at SYNAPSE_ENGINES.")


def _models(services: Services) -> Iterator[Finding]:
    known = services.registry
    here = [entry for entry in known.entries.values() if not entry.missing]
    yield from model_findings([entry.model for entry in here], known.skipped, services.scanner.roots)
    for entry in known.entries.values():
        if entry.missing and entry.choices.enabled:
            found = f"{entry.model_id} is enabled, and its file is gone: {entry.model.path}"
            yield Finding("model", "note", found, "Bring it back, or disable it.")


def _folders(services: Services) -> Iterator[Finding]:
    for folder in folder_list(services).folders:
        if folder.problem is not None:
            yield Finding("folder", "note", folder.path, folder.problem)


def _memory(spaces: list[Space]) -> Iterator[Finding]:
    for space in spaces:
        free, limit = space.free_bytes / 1e9, space.limit_bytes / 1e9
        yield Finding("memory", "ok", f"{space.name}: {free:.1f} of {limit:.1f} GB are free for servers")


def _ports(services: Services) -> Iterator[Finding]:
    settings = services.settings
    ports = settings.port_range_end - settings.port_range_start + 1
    wanted = sum(entry.choices.enabled for entry in services.registry.entries.values())
    found = f"{ports} for {wanted} enabled models"
    if wanted > ports:
        yield Finding("ports", "note", found, "They cannot all run at once: widen MODEL_PORT_RANGE_END.")
    else:
        yield Finding("ports", "ok", found)


def _servers(services: Services) -> Iterator[Finding]:
    for server in services.fleet.servers.values():
        if server.failure is not None:
            yield Finding(
                "server", "note", f"{server.server_id}: {server.failure.error}", server.failure.detail
            )
        elif server.degraded is not None:
            yield Finding("server", "note", f"{server.server_id} is slower than it could be", server.degraded)


def _downloads(services: Services) -> Iterator[Finding]:
    for download in services.downloads.all:
        record = download.record
        if record.status is Status.FAILED:
            yield Finding("download", "note", f"{record.repo}: {record.error}", record.detail or "")


def _notices(services: Services) -> Iterator[Finding]:
    for place in (services.registry, services.scanner, services.recorder.store):
        for notice in place.notices:
            yield Finding("notice", "note", notice)


def _access(services: Services) -> Iterator[Finding]:
    settings = services.settings
    if settings.host not in LOOPBACK_HOSTS and settings.api_key is None:
        found = f"Anybody who reaches {settings.host}:{settings.port} may start processes"
        yield Finding("access", "note", found, "Set SYNAPSE_API_KEY, or let only this machine in.")
