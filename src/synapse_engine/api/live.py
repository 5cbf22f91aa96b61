"""Turns what has changed into events on the bus, and the whole into a snapshot."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime

from pydantic import BaseModel

from synapse_engine.api.benchmark_views import brief_out
from synapse_engine.api.downloads import download_out
from synapse_engine.api.rows import model_json, registry_json
from synapse_engine.api.services import Services, Whole
from synapse_engine.api.system import devices_out, system_out
from synapse_engine.api.traffic import tell_traffic
from synapse_engine.api.views import (
    server_list,
    server_out,
    skipped_out,
)
from synapse_engine.api.wire.live import MemoryOut, NoticeOut, ScanOut, ServerLoad
from synapse_engine.api.wire.memory import DeviceOut

# What changes again within this time is one event.
COALESCE_SECONDS = 0.02
MEMORY_SECONDS = 2.0
FRESH_SECONDS = 0.5
# A scan that changes more models than this is told as one snapshot.
MANY_MODELS = 200


async def tell(services: Services) -> None:
    """Tell every change, and while somebody listens how much memory is taken; until it is cancelled."""
    notices = _Notices(services)
    logger = logging.getLogger("synapse_engine")
    logger.addHandler(notices)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_tell_changes(services))
            group.create_task(_tell_memory(services))
            group.create_task(tell_traffic(services))
    finally:
        logger.removeHandler(notices)


async def snapshot(services: Services) -> Whole:
    """Everything as it is now, a wire `Snapshot`; readers of the same moment are given the same one."""
    system = await system_out(services)
    # From here on nothing is waited for: what is put together is of one moment.
    live, now = services.live, time.monotonic()
    if live.whole is None or live.whole.last_id != live.bus.last_id or now - live.whole.at > FRESH_SECONDS:
        data = b'{"registry":%b,"servers":%b,"system":%b,"downloads":[%b],"benchmarks":[%b]}' % (
            registry_json(services),
            _json(server_list(services)),
            _json(system),
            b",".join(_json(download_out(download)) for download in services.downloads.all),
            b",".join(_json(brief_out(benchmark)) for benchmark in services.benchmarks.active),
        )
        live.whole = Whole(live.bus.last_id, now, data)
    return live.whole


async def _tell_changes(services: Services) -> None:
    while True:
        await services.live.changes.arrival()
        _publish_changes(services)
        await asyncio.sleep(COALESCE_SECONDS)


def _publish_changes(services: Services) -> None:
    bus, entries = services.live.bus, services.registry.entries
    servers, models, scan = services.live.changes.take()
    for server_id in servers:
        server = services.fleet.servers[server_id]
        if server.model_id in entries:
            bus.publish("server", _json(server_out(services, entries[server.model_id], server)))
    if len(models) > MANY_MODELS:
        bus.start_over()
    else:
        for model_id in models & entries.keys():
            bus.publish("model", model_json(services, entries[model_id]))
    if scan:
        bus.publish("scan", _json(_scan_out(services)))


async def _tell_memory(services: Services) -> None:
    while True:
        await services.live.bus.somebody()
        devices = await devices_out(services)
        services.live.bus.publish("memory", _json(_memory_out(services, devices)))
        await asyncio.sleep(MEMORY_SECONDS)


def _memory_out(services: Services, devices: list[DeviceOut]) -> MemoryOut:
    servers = server_list(services).servers
    return MemoryOut(
        devices=devices,
        servers=[
            ServerLoad(
                model_id=server.model_id,
                replica=server.replica,
                memory_used_mb=server.memory_used_mb,
                memory_private_mb=server.memory_private_mb,
                active_requests=server.active_requests,
                uptime_seconds=server.uptime_seconds,
            )
            for server in servers
            if server.pid is not None
        ],
    )


def _scan_out(services: Services) -> ScanOut:
    return ScanOut(
        scanning=services.scanner.is_scanning,
        scan_progress=services.scanner.progress,
        last_scan=services.registry.last_scan,
        scan_seconds=services.registry.scan_seconds,
        skipped=skipped_out(services),
    )


class _Notices(logging.Handler):
    """Tells the control plane's own warnings, from whichever thread."""

    def __init__(self, services: Services) -> None:
        super().__init__(logging.WARNING)
        self._bus = services.live.bus
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        notice = NoticeOut(
            level="error" if record.levelno >= logging.ERROR else "warning",
            text=record.getMessage(),
            at=datetime.fromtimestamp(record.created, UTC),
        )
        self._loop.call_soon_threadsafe(self._bus.publish, "notice", _json(notice))


def _json(value: BaseModel) -> bytes:
    return value.model_dump_json().encode()
