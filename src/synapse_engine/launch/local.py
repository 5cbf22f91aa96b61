"""llama-server processes on this machine, each in a session and with a log file of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from synapse_engine.errors import StartFailed
from synapse_engine.launch.base import Command, Device
from synapse_engine.launch.devices import EngineDevices, ram
from synapse_engine.launch.process import LocalProcess, find_by_key, is_same_process, listens_on

LOG_BLOCK_BYTES = 64 * 1024


class LocalLauncher:
    """Spawns on 127.0.0.1. Logs are `FOLDER/ID.log`; the start before the newest is kept as `ID.1.log`."""

    def __init__(self, log_folder: Path) -> None:
        self._log_folder = log_folder
        self._engine_devices = EngineDevices()

    async def start(self, command: Command) -> LocalProcess:
        try:
            self._log_folder.mkdir(parents=True, exist_ok=True)
            with self._open_log(command.model_id) as log:
                # Not in a thread: a cancelled start must never leave a child that nobody holds.
                child = subprocess.Popen(  # noqa: ASYNC220
                    command.argv,
                    env=os.environ | command.env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise StartFailed(f"{error.filename or command.argv[0]}: {error.strerror}") from error
        return LocalProcess(child.pid, command.port, child)

    async def adopt(self, command: Command, identity: dict[str, Any] | None) -> LocalProcess | None:
        if identity is None:
            pid = await asyncio.to_thread(find_by_key, command.api_key)
        else:
            pid = identity["pid"] if is_same_process(identity, command.api_key) else None
        try:
            return None if pid is None else LocalProcess(pid, command.port, None)
        except (psutil.NoSuchProcess, ProcessLookupError):
            return None

    async def devices(self, engine_path: str | None) -> list[Device]:
        gpus = await self._engine_devices.current(engine_path) if engine_path else []
        return [ram(), *gpus]

    def port_holder(self, port: int) -> str | None:
        return port_holder(port)

    async def log_tail(self, model_id: str, lines: int) -> list[str]:
        return await asyncio.to_thread(read_tail, self._log_path(model_id), lines)

    def _log_path(self, model_id: str) -> Path:
        return self._log_folder / f"{model_id}.log"

    def _open_log(self, model_id: str) -> BinaryIO:
        path = self._log_path(model_id)
        with contextlib.suppress(FileNotFoundError):
            path.rename(path.with_suffix(".1.log"))
        return path.open("wb")


def port_holder(port: int) -> str | None:
    """Who listens on the port of this machine, as `NAME (pid N)`; None where it cannot be told."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.pid and listens_on(connection, port):
            with contextlib.suppress(psutil.NoSuchProcess):
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None


def read_tail(path: Path, lines: int) -> list[str]:
    """The last `lines` lines of a text file, read from its end; empty where it is not there."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return []
    with file:
        position = file.seek(0, os.SEEK_END)
        tail = b""
        while position > 0 and tail.count(b"\n") <= lines:
            step = min(LOG_BLOCK_BYTES, position)
            position -= step
            file.seek(position)
            tail = file.read(step) + tail
    return tail.decode(errors="replace").splitlines()[-lines:]
