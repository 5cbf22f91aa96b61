"""A control plane under measurement: a `synapse serve` of its own, in folders of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.001


class ControlPlane:
    """Calls its API. A connection for each call, as a shell's client has it, costs both sides the same."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON; any error is the end of the measurement."""
        return json.loads(self.ask(method, path, body))

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """The answer as it comes."""
        content = None if body is None else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise SystemExit(f"{method} {path}: {response.status} {answer.decode()}")
        return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_range(size: int) -> tuple[int, int]:
    """First and last of `size` neighbouring ports that nobody listens on."""
    for first in range(20_000, 30_000, size):
        try:
            for port in range(first, first + size):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first, first + size - 1
    raise SystemExit(f"no {size} free ports in a row")


def until_200(port: int, path: str = "/health") -> None:
    """Ask every millisecond until the answer is 200."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(POLL_SECONDS)


@contextmanager
def control_plane(
    folder: Path, models: Path, *, ports: int = 8, environment: Mapping[str, str] | None = None
) -> Iterator[ControlPlane]:
    """A booted one with its first scan done; ended by SIGINT."""
    first, last = free_range(ports)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "synapse_engine", "serve"],
        env={
            **os.environ,
            "SYNAPSE_PORT": str(port),
            "SYNAPSE_DATA_DIR": str(folder),
            "MODEL_SCAN_PATH": str(models),
            "SYNAPSE_SCAN_DEFAULTS": "0",
            "MODEL_PORT_RANGE_START": str(first),
            "MODEL_PORT_RANGE_END": str(last),
            **(environment or {}),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A share of the processor of its own, as a service has it.
        start_new_session=True,
    )
    try:
        until_200(port, "/health/ready")
        yield ControlPlane(process, port)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def model_path() -> Path:
    """The real model that is measured with."""
    path = os.environ.get("SYNAPSE_TEST_MODEL", ".cache/models/SmolLM2-135M-Instruct.Q4_1.gguf")
    if not Path(path).is_file():
        raise SystemExit(f"{path} is not there. Get it with: python scripts/demo_model.py .cache/models")
    return Path(path).absolute()
