"""`/metrics`: every model's server and the control plane itself, for Prometheus."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import psutil
from fastapi import APIRouter
from starlette.responses import PlainTextResponse

import synapse_engine
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.views import STATUSES, status_of
from synapse_engine.fleet.server import Server
from synapse_engine.gateway.activity import Stage
from synapse_engine.gateway.recorder import Recorder
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
        *_requests(services.recorder),
        *services.recorder.measures.families(),
        *_models(services),
        *_own(services),
    ]
    return PlainTextResponse(exposition(families), media_type=CONTENT_TYPE)


def _servers(services: Services, memories: Mapping[str, Memory]) -> list[Family]:
    servers = services.fleet.servers
    states = [
        Sample(status_of(server) == status, {**_labels(server), "state": status})
        for server in servers.values()
        for status in STATUSES.values()
    ]
    resident = [Sample(memory.resident_bytes, _labels(servers[id_])) for id_, memory in memories.items()]
    private = [Sample(memory.private_bytes, _labels(servers[id_])) for id_, memory in memories.items()]
    active = [Sample(server.active_requests, _labels(server)) for server in servers.values()]
    return [
        _gauge("synapse_server_state", "1 for the state that a model's server is in.", *states),
        _gauge("synapse_server_memory_resident_bytes", "Memory of a server, as top shows it.", *resident),
        _gauge("synapse_server_memory_private_bytes", "What the end of a server would free.", *private),
        _gauge("synapse_server_active_requests", "Requests that a server is answering.", *active),
    ]


def _requests(recorder: Recorder) -> list[Family]:
    activity = recorder.activity
    ended = [
        Sample(count, {"model": model_id or "", "dialect": dialect, "outcome": outcome})
        for (model_id, dialect, outcome), count in activity.counts.items()
    ]
    unrecorded = Sample(sum(activity.counts.values()) - recorder.recorded - len(activity.ended))
    waiting, in_flight = Counter[str](), Counter[str]()
    for call in activity.live.values():
        stages = waiting if call.stage is Stage.QUEUED else in_flight
        stages[call.model_id or ""] += 1
    return [
        Family("synapse_requests_total", "counter", "Requests that have ended, every one.", ended),
        Family(
            "synapse_requests_unrecorded_total",
            "counter",
            "Of these, those that came too fast to be recorded: in no histogram and in no count of tokens.",
            [unrecorded],
        ),
        _by_model("synapse_requests_waiting", "Requests in line, or waiting for a server to load.", waiting),
        _by_model("synapse_requests_in_flight", "Requests given to a server.", in_flight),
    ]


def _labels(server: Server) -> dict[str, str]:
    return {"model": server.model_id, "replica": str(server.replica)}


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


def _by_model(name: str, help_text: str, counts: Counter[str]) -> Family:
    return _gauge(name, help_text, *(Sample(count, {"model": model}) for model, count in counts.items()))


def _gauge(name: str, help_text: str, *samples: Sample) -> Family:
    return Family(name, "gauge", help_text, samples)
