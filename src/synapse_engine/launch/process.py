"""One llama-server process of this machine: a child of ours, or one that an earlier run started."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from synapse_engine.launch.base import Memory

POLL_SECONDS = 0.05
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STAT_START_TIME_FIELD = 19  # of /proc/PID/stat, counted from behind the name; man 5 proc


class LocalProcess:
    """Watched through a pidfd where the system has one, else by polling.

    child: None for an adopted one, whose exit code nobody can know.
    """

    node = "local"

    def __init__(self, pid: int, port: int, child: subprocess.Popen[bytes] | None) -> None:
        self.pid = pid
        self._port = port
        self._child = child
        self._start_mark = start_mark(pid)
        self._exit_code: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        _watch(pid, self._on_exit)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def has_exited(self) -> bool:
        return self._exit_code.done()

    def identity(self) -> dict[str, Any]:
        return {"pid": self.pid, "start_mark": self._start_mark, "boot_id": boot_id()}

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
            # The engine may be a script, and the llama-server its child.
            infos = [psutil.Process(pid).memory_info() for pid in (self.pid, *_children(self.pid))]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        resident = sum(info.rss for info in infos)
        return Memory(resident, resident - sum(getattr(info, "shared", 0) for info in infos))

    def cpu_seconds(self) -> float | None:
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.NoSuchProcess:
            return None
        return float(times.user + times.system)

    def loaded_bytes(self) -> int | None:
        # The engine may be a script, and the llama-server its child.
        sizes = [_loaded_bytes(pid) for pid in (self.pid, *_children(self.pid))]
        return max((size for size in sizes if size is not None), default=None)

    def _signal_group(self, number: signal.Signals) -> None:
        if not self.has_exited:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _on_exit(self) -> None:
        if self._child is None:
            self._exit_code.set_result(None)
            return
        # Before it is reaped its pid cannot be another's, so what it left in its group is ours to end.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._exit_code.set_result(self._child.wait())


def is_same_process(identity: dict[str, Any], api_key: str) -> bool:
    """Whether the process that an earlier run noted is still that very one: a bare pid lies."""
    pid = identity["pid"]
    if identity["boot_id"] != boot_id():
        return False
    try:
        return start_mark(pid) == identity["start_mark"] and _has_key(pid, api_key)
    except psutil.NoSuchProcess:
        return False


def find_by_key(api_key: str) -> int | None:
    """The leader of the session whose environment holds the key of one start, which no other process has."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == process.pid and process.environ().get("LLAMA_API_KEY") == api_key:
                return process.pid
    return None


def start_mark(pid: int) -> str:
    """When the process started, in the system's own unit, which no change of the clock touches.

    Raises psutil.NoSuchProcess, also for one that is dead and not yet reaped.
    """
    if sys.platform != "linux":
        return repr(psutil.Process(pid).create_time())
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    return fields[STAT_START_TIME_FIELD]


@functools.cache
def boot_id() -> str:
    """What tells one run of the machine from the next."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except FileNotFoundError:
        return repr(psutil.boot_time())


def _loaded_bytes(pid: int) -> int | None:
    """What it has read, from the disk or the page cache, or mapped of files, whichever is most."""
    try:
        counters = Path(f"/proc/{pid}/io").read_text().split()
        shared_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[2])
    except (OSError, IndexError):
        return None
    counted = dict(zip(counters[::2], counters[1::2], strict=True))
    return max(int(counted["rchar:"]), int(counted["read_bytes:"]), shared_pages * PAGE_BYTES)


def listens_on(connection: Any, port: int) -> bool:
    is_listening = connection.status == psutil.CONN_LISTEN and bool(connection.laddr)
    return is_listening and connection.laddr.port == port


def _listens(process: psutil.Process, port: int) -> bool:
    return any(listens_on(connection, port) for connection in process.net_connections("tcp"))


def _has_key(pid: int, api_key: str) -> bool:
    process = psutil.Process(pid)
    if process.status() == psutil.STATUS_ZOMBIE:
        return False
    try:
        return process.environ().get("LLAMA_API_KEY") == api_key
    except psutil.AccessDenied:
        return False


def _children(pid: int) -> list[int]:
    """Those that it started itself, without a walk over all processes; empty where that cannot be told."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _pidfd(pid: int) -> int | None:
    """None where the system has none, or forbids it, as some containers do. Raises ProcessLookupError."""
    try:
        return os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except PermissionError:
        return None
    except OSError as error:
        if error.errno == errno.ENOSYS:
            return None
        raise


def _watch(pid: int, on_exit: Callable[[], None]) -> None:
    """Call `on_exit` in the loop once the process is dead; a child of ours is left unreaped."""
    loop = asyncio.get_running_loop()
    descriptor = _pidfd(pid)
    if descriptor is not None:

        def readable() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            on_exit()

        loop.add_reader(descriptor, readable)
        return

    def poll() -> None:
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            loop.call_later(POLL_SECONDS, poll)
        else:
            on_exit()

    poll()
