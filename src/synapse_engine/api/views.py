"""From entries and servers to the wire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from synapse_engine.api.services import Services
from synapse_engine.api.wire import (
    FailedModel,
    LastError,
    ModelOut,
    PortRange,
    RegistryOut,
    ServerList,
    ServerOut,
    SkippedFile,
    Status,
)
from synapse_engine.catalog.registry import Entry
from synapse_engine.errors import SynapseError
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.launch.base import Memory

MB = 1_000_000
NO_MEMORY = Memory(0, 0)
STATUSES: dict[State, Status] = {
    State.STOPPED: "stopped",
    State.QUEUED: "queued",
    State.STARTING: "starting",
    State.READY: "running",
    State.STOPPING: "stopping",
    State.BACKOFF: "backoff",
    State.FAILED: "failed",
}


def megabytes(size_bytes: int) -> float:
    return round(size_bytes / MB, 1)


def status_of(server: Server | None) -> Status:
    return STATUSES[server.state] if server else "stopped"


def registry_out(services: Services) -> RegistryOut:
    """The whole registry, with the status of every model's server."""
    known = services.registry
    return RegistryOut(
        models=[model_out(services, entry) for entry in known.entries.values()],
        scan_paths=[str(root) for root in services.scanner.roots],
        last_scan=known.last_scan,
        scan_seconds=known.scan_seconds,
        scanning=services.scanner.is_scanning,
        scan_progress=services.scanner.progress,
        port_range=PortRange(start=services.settings.port_range_start, end=services.settings.port_range_end),
        skipped=skipped_out(services),
        notices=[*known.notices, *services.scanner.notices],
    )


def skipped_out(services: Services) -> list[SkippedFile]:
    return [SkippedFile(path=skipped.path, reason=skipped.reason) for skipped in services.registry.skipped]


def model_out(services: Services, entry: Entry) -> ModelOut:
    """A model as `/api/models` shows it."""
    model, choices = entry.model, entry.choices
    server = services.fleet.servers.get(entry.model_id)
    return ModelOut(
        model_id=entry.model_id,
        display_name=model.display_name,
        family=model.family,
        version=model.version,
        variant=model.variant,
        architecture=model.architecture,
        size_b=model.size_b,
        quantization=model.quantization,
        tier=entry.tier,
        tier_is_override=choices.tier is not None,
        kind=model.kind,
        capabilities=list(model.capabilities),
        context_length=model.context_length,
        file_path=model.path,
        file_size_mb=megabytes(model.file_size_bytes),
        shards=model.shard_count,
        repo=model.repo,
        enabled=choices.enabled,
        held=choices.held,
        port=choices.port,
        port_is_pinned=choices.port_is_pinned,
        aliases=list(choices.aliases),
        settings=dict(choices.settings),
        settings_verified=not choices.settings or services.engines.known is not None,
        estimated_memory_mb=None,
        measured_memory_mb=None,
        missing=entry.missing,
        problem=model.problem,
        status=status_of(server),
        last_error=_last_error(server),
        restart_required=services.fleet.restart_required(entry),
    )


def server_out(services: Services, entry: Entry, memories: Mapping[str, Memory]) -> ServerOut:
    """A server as `/api/models/servers` shows it, a stopped one too. memories: by model id, where known."""
    server = services.fleet.servers.get(entry.model_id)
    process = server.process if server else None
    memory = memories.get(entry.model_id, NO_MEMORY) if process else NO_MEMORY
    started_at = server.started_at if server else None
    is_ready = server is not None and server.state is State.READY
    return ServerOut(
        model_id=entry.model_id,
        display_name=entry.model.display_name,
        tier=entry.tier,
        status=status_of(server),
        port=server.command.port if server and server.command and process else entry.choices.port,
        pid=process.pid if process else None,
        url=process.url if process else None,
        node=process.node if process else "local",
        uptime_seconds=int((datetime.now(UTC) - started_at).total_seconds()) if started_at else 0,
        memory_used_mb=megabytes(memory.resident_bytes),
        memory_private_mb=megabytes(memory.private_bytes),
        progress=1.0 if is_ready else None,
        eta_seconds=None,
        active_requests=server.active_requests if server else 0,
        restarts=server.restarts.total if server else 0,
        last_error=_last_error(server),
        started_at=started_at,
        restart_required=services.fleet.restart_required(entry),
    )


def server_list(services: Services, memories: Mapping[str, Memory]) -> ServerList:
    """Every server that is not stopped."""
    servers = [
        server_out(services, services.registry.get(model_id), memories)
        for model_id, server in services.fleet.servers.items()
        if server.state is not State.STOPPED
    ]
    return ServerList(servers=servers, total_running=sum(s.status == "running" for s in servers))


def measured(servers: Mapping[str, Server]) -> dict[str, Memory]:
    """What each server's process takes now, by model id; asks the system for each, so call it in a thread."""
    processes = {model_id: server.process for model_id, server in servers.items() if server.process}
    memories = {model_id: process.memory() for model_id, process in processes.items()}
    return {model_id: memory for model_id, memory in memories.items() if memory is not None}


def failed_model(entry: Entry, error: SynapseError) -> FailedModel:
    return FailedModel(
        model_id=entry.model_id,
        display_name=entry.model.display_name,
        error=error.error,
        detail=error.detail,
    )


def _last_error(server: Server | None) -> LastError | None:
    if server is None or server.failure is None:
        return None
    return LastError(error=server.failure.error, detail=server.failure.detail, at=server.failure.at)
