"""From entries and servers to the wire."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from synapse_engine.api.services import Services
from synapse_engine.api.wire import FailedModel, LastError, ModelOut, ServerOut, Status
from synapse_engine.catalog.registry import Entry
from synapse_engine.errors import SynapseError
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.launch.base import Memory

MB = 1_000_000
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


async def server_out(entry: Entry, server: Server | None) -> ServerOut:
    """A server as `/api/models/servers` shows it, a stopped one too."""
    process = server.process if server else None
    memory = await asyncio.to_thread(process.memory) if process else None
    memory = memory or Memory(0, 0)
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
    )


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
