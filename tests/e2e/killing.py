"""A `synapse serve` that may be killed and started again over the same folders, and what is left of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
from tests.e2e.serving import COMMAND


class ControlPlane:
    """A `synapse serve` that may be killed and started again over the same folders.

    What it leaves running is what a test looks at afterwards; of one that is cut off nothing is left.
    """

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment = environment
        self._log = folder / "serve.log"
        self.url = f"http://127.0.0.1:{environment['SYNAPSE_PORT']}"
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self.process = self._spawn()

    def __enter__(self) -> ControlPlane:
        with contextlib.ExitStack() as stack:
            stack.push(self)
            self._until_ready()
            stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.http.close()
        try:
            if self.process.poll() is None:
                self.end()
        finally:
            if kind is not None:
                end_engines_of(Path(self.environment["MODEL_SCAN_PATH"]))

    def kill_and_start_again(self) -> None:
        self.kill()
        self.start_again()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        self.process = self._spawn()
        self._until_ready()

    def end(self, number: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(number)
        self.process.wait(60)

    def status(self) -> dict[str, dict[str, Any]]:
        servers = self.http.get("/api/models/servers").json()["servers"]
        return {server["model_id"]: server for server in servers}

    def _spawn(self) -> subprocess.Popen[bytes]:
        with open(self._log, "ab") as log:
            return subprocess.Popen([*COMMAND, "serve"], env=self.environment, stdout=log, stderr=log)

    def _until_ready(self) -> None:
        while not self._is_ready():
            assert self.process.poll() is None, self._log.read_text()

    def _is_ready(self) -> bool:
        try:
            return self.http.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def engines_of(folder: Path) -> set[int]:
    """Every process whose command line names a model in the folder."""
    found = set()
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in argument for argument in process.info["cmdline"] or ()):
            if process.status() != psutil.STATUS_ZOMBIE and "--model" in process.info["cmdline"]:
                found.add(process.pid)
    return found


def end_engines_of(folder: Path) -> None:
    """At once, whoever started them."""
    for pid in engines_of(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def post_in_background(url: str) -> threading.Thread:
    """A request whose answer the kill may cut off."""

    def run() -> None:
        with contextlib.suppress(httpx.TransportError):
            httpx.post(url, timeout=60, trust_env=False)

    thread = threading.Thread(target=run)
    thread.start()
    return thread
