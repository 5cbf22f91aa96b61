"""Process start to first 200, against a bare `import fastapi, uvicorn`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time

from bench.control_plane import free_port, until_200
from bench.sidebyside import compare, print_machine


def main() -> None:
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environment = {
            **os.environ,
            "SYNAPSE_PORT": str(port),
            "SYNAPSE_DATA_DIR": folder,
            "SYNAPSE_SCAN_DEFAULTS": "0",
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def ours() -> float:
            began = time.perf_counter()
            command = [sys.executable, "-m", "synapse_engine", "serve"]
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            until_200(port)
            seconds = time.perf_counter() - began
            process.send_signal(signal.SIGINT)
            process.wait()
            return seconds

        def bare() -> float:
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import fastapi, uvicorn"], check=True, env=environment)
            return time.perf_counter() - began

        compare("process start to first 200", ours, bare, 15, peer="bare import")


if __name__ == "__main__":
    main()
