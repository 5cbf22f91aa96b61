"""A real `synapse serve` in a process of its own, and what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from tests.fakes.ports import free_port, free_ports

COMMAND = (sys.executable, "-m", "synapse_engine")
WAIT_SECONDS = 60.0


@dataclass
class Serving:
    """Attributes to use: process, url, environment (for the shell's commands), http."""

    process: subprocess.Popen[str]
    url: str
    environment: dict[str, str]
    http: httpx.Client

    def children(self) -> list[psutil.Process]:
        """The processes that it started and that still run."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal and wait for the end: its exit code."""
        self.process.send_signal(number)
        return self.process.wait(WAIT_SECONDS)

    def synapse(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of the shell's commands against it."""
        return run_synapse(*arguments, environment=self.environment)


def run_synapse(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=WAIT_SECONDS
    )


def serving_environment(data: Path, models: Path, *, ports: int = 8) -> dict[str, str]:
    """Settings of its own for everything that two of them could fight over."""
    block = free_ports(ports)
    own = {
        "SYNAPSE_PORT": str(free_port()),
        "SYNAPSE_DATA_DIR": str(data),
        "MODEL_SCAN_PATH": str(models),
        "SYNAPSE_SCAN_DEFAULTS": "0",
        "MODEL_PORT_RANGE_START": str(block.start),
        "MODEL_PORT_RANGE_END": str(block.stop - 1),
        # Tests run beside each other: threads that wait for one another would wait for a processor.
        "LLAMA_ARG_THREADS": "1",
    }
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not re.match(r"SYNAPSE_|MODEL_|LLAMA_", name) or name == "SYNAPSE_TEST_MODEL"
    }
    return inherited | own


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[Serving]:
    """One that has booted and scanned; ended at the latest on leaving, and then nothing of it is left."""
    process = subprocess.Popen(
        [*COMMAND, "serve"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    url = f"http://127.0.0.1:{environment['SYNAPSE_PORT']}"
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(base_url=url, timeout=WAIT_SECONDS, transport=transport, trust_env=False) as client:
        try:
            assert process.stdout is not None
            first_line = process.stdout.readline()
            assert url in first_line, f"{first_line}{process.stderr.read() if process.stderr else ''}"
            while client.get("/health/ready").status_code != 200:
                assert process.poll() is None
            yield Serving(process, url, environment, client)
        finally:
            children = [] if process.poll() is not None else psutil.Process(process.pid).children(True)
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=WAIT_SECONDS)
            left = [child for child in children if child.is_running()]
            assert not left, f"left behind: {left}"
