"""llama-server processes on this machine, each in a session and with a log file of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import psutil

from synapse_engine.errors import StartFailed
from synapse_engine.launch.base import Command, Device, LogChunk
from synapse_engine.launch.command import inherited_env
from synapse_engine.launch.devices import EngineDevices, ram
from synapse_engine.launch.logs import Logs
from synapse_engine.launch.process import LocalProcess, find_by_key, is_same_process, listens_on


class LocalLauncher:
    """Spawns on 127.0.0.1."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._engine_devices = EngineDevices()

    async def start(self, command: Command) -> LocalProcess:
        try:
            with self._logs.open(command.server_id) as log:
                # Not in a thread: a cancelled start must never leave a child that nobody holds.
                child = subprocess.Popen(  # noqa: ASYNC220
                    command.argv,
                    env=inherited_env(os.environ) | command.env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise StartFailed(f"{error.filename or command.argv[0]}: {error.strerror}") from error
        try:
            return LocalProcess(child.pid, command.port, child)
        except (OSError, psutil.Error) as error:
            # Nobody would hold it, so nobody could end it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise StartFailed(f"Its process cannot be watched: {error}") from error

    async def adopt(self, command: Command, identity: dict[str, Any] | None) -> LocalProcess | None:
        self._logs.watch(command.server_id)
        try:
            if identity is None:
                pid = await asyncio.to_thread(find_by_key, command.api_key)
            else:
                pid = identity["pid"] if is_same_process(identity, command.api_key) else None
            return None if pid is None else LocalProcess(pid, command.port, None)
        except (psutil.NoSuchProcess, ProcessLookupError):
            return None
        except psutil.Error as error:
            raise OSError(str(error)) from error

    async def devices(self, engine_path: str | None) -> list[Device]:
        gpus = await self._engine_devices.current(engine_path) if engine_path else None
        return [ram(), *(gpus or [])]

    async def is_without_gpus(self, engine_path: str) -> bool:
        return await self._engine_devices.current(engine_path) == []

    def port_holder(self, port: int) -> str | None:
        return port_holder(port)

    async def log_tail(self, server_id: str, lines: int) -> list[str]:
        return await self._logs.tail(server_id, lines)

    def log_follow(self, server_id: str, lines: int) -> AsyncIterator[LogChunk]:
        return self._logs.follow(server_id, lines)


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
