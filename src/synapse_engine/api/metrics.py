"""`/metrics`: every model's server and the control plane itself, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Mapping

import psutil
from fastapi import APIRouter
from starlette.responses import PlainTextResponse

import synapse_engine
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.views import STATUSES, status_of
from synapse_engine.launch.base import Memory
from synapse_engine.metrics import CONTENT_TYPE, Family, Sample, exposition

router = APIRouter(tags=["system"])


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(services: Wired) -> PlainTextResponse:
    """Prometheus text format."""
    memories = await services.fleet.budget.memories.current()
    families = [
        *_servers(services, memories),
        *services.counts.families(),
        *_models(services),
        *_own(services),
    ]
    return PlainTextResponse(exposition(families), media_type=CONTENT_TYPE)


def _servers(services: Services, memories: Mapping[str, Memory]) -> list[Family]:
    servers = services.fleet.servers
    states = [
        Sample(status_of(server) == status, {"model": model_id, "state": status})
        for model_id, server in servers.items()
        for status in STATUSES.values()
    ]
    resident = [Sample(memory.resident_bytes, {"model": id_}) for id_, memory in memories.items()]
    private = [Sample(memory.private_bytes, {"model": id_}) for id_, memory in memories.items()]
    active = [Sample(server.active_requests, {"model": id_}) for id_, server in servers.items()]
    return [
        _gauge("synapse_server_state", "1 for the state that a model's server is in.", *states),
        _gauge("synapse_server_memory_resident_bytes", "Memory of a server, as top shows it.", *resident),
        _gauge("synapse_server_memory_private_bytes", "What the end of a server would free.", *private),
        _gauge("synapse_server_active_requests", "Requests that a server is answering.", *active),
    ]


def _models(services: Services) -> list[Family]:
    entries = services.registry.entries.values()
    enabled = sum(entry.choices.enabled for entry in entries)
    missing = sum(entry.missing for entry in entries)
    scans = [] if services.registry.scan_seconds is None else [Sample(services.registry.scan_seconds)]
    return [
        _gauge("synapse_models", "Models in the registry.", Sample(len(entries))),
        _gauge("synapse_models_enabled", "Models that are enabled.", Sample(enabled)),
        _gauge("synapse_models_missing", "Models whose file is gone.", Sample(missing)),
        _gauge("synapse_scan_seconds", "How long the last scan took.", *scans),
    ]


def _own(services: Services) -> list[Family]:
    process = psutil.Process()
    times = process.cpu_times()
    cpu_seconds = Sample(times.user + times.system)
    return [
        _gauge("synapse_info", "The version that runs.", Sample(1, {"version": synapse_engine.__version__})),
        _gauge("synapse_uptime_seconds", "Time since the start.", Sample(time.monotonic() - services.began)),
        _gauge("synapse_event_subscribers", "Readers of events.", Sample(services.live.bus.subscribers)),
        _gauge("process_resident_memory_bytes", "Resident memory.", Sample(process.memory_info().rss)),
        Family("process_cpu_seconds_total", "counter", "Processor time used.", [cpu_seconds]),
    ]


def _gauge(name: str, help_text: str, *samples: Sample) -> Family:
    return Family(name, "gauge", help_text, samples)
