"""Servers that go on while no control plane does: listed and stopped from the journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from synapse_engine.datafolder import DataFolder
from synapse_engine.errors import ModelNotFound
from synapse_engine.fleet.journal import Journal, Record
from synapse_engine.launch.base import Process
from synapse_engine.launch.local import LocalLauncher
from synapse_engine.launch.logs import Logs
from synapse_engine.settings import Settings

Left = tuple[Record, Process]


def list_left(settings: Settings) -> list[dict[str, Any]]:
    """Every server of the journal that still runs, with the fields that the API gives them."""
    return asyncio.run(_list(settings))


def stop_left(settings: Settings, model_ids: Sequence[str] | None, *, now: bool) -> list[str]:
    """Stop the given servers (None: all): SIGTERM, then SIGKILL; the ids of those that were stopped.

    The data folder is held meanwhile, so that no control plane comes up among them. Raises
    ModelNotFound for an id that does not run, and DataFolderInUse.
    """
    with DataFolder(settings.data_dir).hold("synapse stop"):
        return asyncio.run(_stop(settings, model_ids, now))


async def _list(settings: Settings) -> list[dict[str, Any]]:
    return [
        {
            "model_id": record.command.model_id,
            "replica": record.command.replica,
            "status": "running" if record.was_ready else "starting",
            "port": record.command.port,
            "pid": process.pid,
            "memory_used_mb": round(memory.resident_bytes / 1e6, 1) if (memory := process.memory()) else 0,
            "uptime_seconds": int(time.time() - record.began_at),
            "active_requests": None,
            "last_error": None,
        }
        for record, process in await _left(settings)
    ]


async def _stop(settings: Settings, model_ids: Sequence[str] | None, now: bool) -> list[str]:
    left = await _left(settings)
    running = {record.command.model_id for record, _ in left}
    for model_id in model_ids or ():
        if model_id not in running:
            raise ModelNotFound(model_id)
    chosen = [
        (record.command, process)
        for record, process in left
        if model_ids is None or record.command.model_id in model_ids
    ]
    await asyncio.gather(*(_end(process, settings, now) for _, process in chosen))
    journal = Journal(DataFolder(settings.data_dir).journal)
    for command, _ in chosen:
        journal.forget(command.server_id)
    return list(dict.fromkeys(command.model_id for command, _ in chosen))


async def _end(process: Process, settings: Settings, now: bool) -> None:
    if not now:
        process.terminate()
        await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=settings.stop_timeout_seconds)
    process.kill()
    await process.wait()


async def _left(settings: Settings) -> list[Left]:
    folder = DataFolder(settings.data_dir)
    launcher = LocalLauncher(Logs(folder.logs, settings.log_max_bytes))
    left: list[Left] = []
    for record in Journal(folder.journal).read():
        process = await launcher.adopt(record.command, record.process)
        if process is not None:
            left.append((record, process))
    return left
