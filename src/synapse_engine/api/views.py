"""From entries and servers to the wire."""

from __future__ import annotations

from datetime import UTC, datetime

from synapse_engine.api.services import Services
from synapse_engine.api.wire.base import LastError, PortRange, Status
from synapse_engine.api.wire.memory import DeviceOut, EstimateOut, PlannedDevice, PlanOut
from synapse_engine.api.wire.models import ModelDetails, ModelOut, RegistryOut, Shape, SkippedFile
from synapse_engine.api.wire.servers import FailedModel, ServerList, ServerOut
from synapse_engine.catalog.model import Geometry
from synapse_engine.catalog.registry import Choices, Entry
from synapse_engine.errors import SynapseError
from synapse_engine.fleet.budget import Plan
from synapse_engine.fleet.cache import plan_slots, request_tokens
from synapse_engine.fleet.degraded import explain_missing
from synapse_engine.fleet.room import Space
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
    """The registry without its models, which `rows` adds."""
    known = services.registry
    return RegistryOut(
        models=[],
        scan_paths=[str(root) for root in services.scanner.roots],
        last_scan=known.last_scan,
        scan_seconds=known.scan_seconds,
        scanning=services.scanner.is_scanning,
        scan_progress=services.scanner.progress,
        port_range=PortRange(start=services.settings.port_range_start, end=services.settings.port_range_end),
        skipped=skipped_out(services),
        notices=[*known.notices, *services.scanner.notices, *services.recorder.store.notices],
    )


def skipped_out(services: Services) -> list[SkippedFile]:
    return [SkippedFile(path=skipped.path, reason=skipped.reason) for skipped in services.registry.skipped]


def model_out(services: Services, entry: Entry) -> ModelOut:
    """A model as `/api/models` shows it."""
    model, choices = entry.model, entry.choices
    server = services.fleet.server_of(entry.model_id)
    demand = services.fleet.budget.demand(entry)
    measured = demand.measured_bytes
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
        settings_verified=is_verified(services, choices),
        estimated_memory_mb=megabytes(demand.estimate.total_bytes),
        measured_memory_mb=None if measured is None else megabytes(measured),
        missing=entry.missing,
        problem=model.problem,
        status=status_of(server),
        last_error=_last_error(server),
        restart_required=services.fleet.restart_required(entry),
    )


def model_details(services: Services, entry: Entry) -> ModelDetails:
    """A model with what its files say."""
    model = entry.model
    return ModelDetails(
        **model_out(services, entry).model_dump(),
        parameter_count=model.parameter_count,
        files=list(model.files),
        projector=model.mmproj,
        draft=model.draft,
        adapters=list(model.adapters),
        names=list(model.names),
        weights_mb=megabytes(model.weights.total_bytes),
        expert_weights_mb=megabytes(model.weights.expert_bytes),
        shape=_shape(model.geometry),
    )


def _shape(geometry: Geometry) -> Shape:
    heads = _largest(geometry.head_count)
    kv_heads = _largest(geometry.head_count_kv) or heads
    width = geometry.embedding_length
    head_length = width // heads if width and heads else None
    recurrent = (geometry.ssm_state_size, geometry.wkv_head_size, geometry.shortconv_l_cache)
    return Shape(
        layers=geometry.block_count,
        embedding_length=width,
        feed_forward_length=_largest(geometry.feed_forward_length),
        heads=heads,
        kv_heads=kv_heads,
        key_length=geometry.key_length or head_length,
        value_length=geometry.value_length or head_length,
        sliding_window=geometry.sliding_window or None,
        experts=geometry.expert_count or None,
        experts_used=geometry.expert_used_count or None,
        vocabulary_size=geometry.vocabulary_size,
        is_recurrent=any(recurrent) or geometry.kda_head_dim is not None,
    )


def _largest(count: int | list[int] | None) -> int | None:
    return max(count, default=None) if isinstance(count, list) else count


def is_verified(services: Services, choices: Choices) -> bool:
    """Whether an engine has been there to check the settings against."""
    return not choices.settings or services.engines.known is not None


def server_out(services: Services, entry: Entry, server: Server | None) -> ServerOut:
    """A server as `/api/models/servers` shows it, a stopped one too; None where none was ever asked for."""
    process = server.process if server else None
    latest = services.fleet.budget.memories.latest
    memory = latest.get(server.server_id, NO_MEMORY) if server and process else NO_MEMORY
    started_at = server.started_at if server else None
    progress, eta_seconds = _progress(server)
    return ServerOut(
        model_id=entry.model_id,
        replica=server.replica if server else 1,
        display_name=entry.model.display_name,
        tier=entry.tier,
        status=status_of(server),
        port=_port(entry, server),
        pid=process.pid if process else None,
        url=process.url if process else None,
        node=process.node if process else "local",
        uptime_seconds=int((datetime.now(UTC) - started_at).total_seconds()) if started_at else 0,
        memory_used_mb=megabytes(memory.resident_bytes),
        memory_private_mb=megabytes(memory.private_bytes),
        progress=progress,
        eta_seconds=eta_seconds,
        active_requests=server.active_requests if server else 0,
        restarts=server.restarts.total if server else 0,
        last_error=_last_error(server),
        started_at=started_at,
        restart_required=services.fleet.restart_required(entry),
        degraded=_degraded(services, server),
    )


def _port(entry: Entry, server: Server | None) -> int | None:
    """Where it runs, else where a model's first one is going to."""
    if server is None or server.replica == 1 and (server.process is None or server.command is None):
        return entry.choices.port
    return server.command.port if server.command is not None else None


def _degraded(services: Services, server: Server | None) -> str | None:
    if server is None or server.state is not State.READY:
        return None
    return server.degraded or explain_missing(
        [each.failure for each in services.fleet.servers_of(server.model_id)]
    )


def _progress(server: Server | None) -> tuple[float | None, float | None]:
    if server is None or server.state not in (State.STARTING, State.READY):
        return None, None
    if server.load is None:
        return (1.0, None) if server.state is State.READY else (None, None)
    eta = server.load.progress.eta_seconds
    return round(server.load.progress.share, 3), None if eta is None else round(eta, 1)


def server_list(services: Services) -> ServerList:
    """Every server that is not stopped."""
    servers = [
        server_out(services, services.registry.get(server.model_id), server)
        for server in services.fleet.servers.values()
        if server.state is not State.STOPPED
    ]
    running = {server.model_id for server in servers if server.status == "running"}
    return ServerList(servers=servers, total_running=len(running))


def device_out(space: Space) -> DeviceOut:
    return DeviceOut(
        name=space.name,
        kind=space.kind,
        total_mb=megabytes(space.total_bytes),
        limit_mb=megabytes(space.limit_bytes),
        reserved_mb=megabytes(space.reserved_bytes),
        free_mb=megabytes(space.free_bytes),
    )


def plan_out(plan: Plan) -> PlanOut:
    """A start that is not made."""
    estimate, verdict = plan.demand.estimate, plan.verdict
    need = verdict.placement.need
    model, options = plan.demand.model, plan.demand.options
    slots = plan_slots(model, options)
    return PlanOut(
        fits=verdict.fits,
        needed_mb=megabytes(verdict.placement.total_bytes),
        free_mb=megabytes(sum(space.free_bytes for space in plan.spaces)),
        devices=[
            PlannedDevice(**device_out(space).model_dump(), needed_mb=megabytes(need.get(space.name, 0)))
            for space in plan.spaces
        ],
        evicts=list(verdict.evicts),
        context_tokens=slots.context_tokens,
        slots=slots.sequences,
        request_tokens=request_tokens(model, options),
        settings=dict(options),
        is_measured=plan.demand.measured_bytes is not None,
        estimate=EstimateOut(
            weights_mb=megabytes(estimate.weights_bytes),
            parts_mb=megabytes(estimate.parts_bytes),
            kv_cache_mb=megabytes(estimate.kv_bytes),
            state_mb=megabytes(estimate.state_bytes),
            compute_mb=megabytes(estimate.compute_bytes),
            process_mb=megabytes(estimate.process_bytes),
            prompt_cache_mb=megabytes(estimate.prompt_cache_bytes),
        ),
        notice=verdict.placement.notice,
        detail=plan.refusal,
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
