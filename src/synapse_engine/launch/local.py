"""llama-server processes on this machine, each in a session and with a log file of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from synapse_engine.errors import StartFailed
from synapse_engine.launch.base import Command, Memory

LOG_BLOCK_BYTES = 64 * 1024


class LocalLauncher:
    """Spawns on 127.0.0.1. Logs are `FOLDER/ID.log`; the start before the newest is kept as `ID.1.log`."""

    def __init__(self, log_folder: Path) -> None:
        self._log_folder = log_folder

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
        return LocalProcess(child, command.port)

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


class LocalProcess:
    """A child of ours, watched through a pidfd where the system has one, else by a thread."""

    node = "local"

    def __init__(self, child: subprocess.Popen[bytes], port: int) -> None:
        self._child = child
        self._port = port
        self._exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        _watch(child.pid, self._on_exit)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def has_exited(self) -> bool:
        return self._exit_code.done()

    async def wait(self) -> int | None:
        return await asyncio.shield(self._exit_code)

    def listens(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            # The engine may be a script, and the llama-server its child.
            return _listens(process, self._port) or any(
                _listens(child, self._port) for child in process.children(recursive=True)
            )
        except psutil.NoSuchProcess:
            return False

    def terminate(self) -> None:
        self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        self._signal_group(signal.SIGKILL)

    def memory(self) -> Memory | None:
        try:
            full = psutil.Process(self.pid).memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        return Memory(full.rss, full.uss)

    def _signal_group(self, number: signal.Signals) -> None:
        if not self.has_exited:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _on_exit(self) -> None:
        # Before it is reaped its pid cannot be another's, so what it left in its group is ours to end.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._exit_code.set_result(self._child.wait())


def port_holder(port: int) -> str | None:
    """Who listens on the port of this machine, as `NAME (pid N)`; None where it cannot be told."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.pid and _listens_on(connection, port):
            with contextlib.suppress(psutil.NoSuchProcess):
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None


def _listens(process: psutil.Process, port: int) -> bool:
    return any(_listens_on(connection, port) for connection in process.net_connections("tcp"))


def _listens_on(connection: Any, port: int) -> bool:
    return (
        connection.status == psutil.CONN_LISTEN and bool(connection.laddr) and connection.laddr.port == port
    )


def _watch(pid: int, on_exit: Callable[[], None]) -> None:
    """Call `on_exit` in the loop once the process is dead; it is left unreaped."""
    loop = asyncio.get_running_loop()
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(pid)

        def readable() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            on_exit()

        loop.add_reader(descriptor, readable)
        return

    async def wait_in_thread() -> None:
        await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        on_exit()

    task = loop.create_task(wait_in_thread())
    task.add_done_callback(lambda done: done.result())


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
