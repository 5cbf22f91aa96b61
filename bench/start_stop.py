"""POST start, start-all and stop until their answers, against the same command lines by hand."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.control_plane import ControlPlane, control_plane, model_path, until_200
from bench.sidebyside import compare, print_machine

MODELS = 4


class ByHand:
    """The very command lines that the control plane used, started and ended with nothing in between."""

    def __init__(self, plane: ControlPlane) -> None:
        servers = plane.call("GET", "/api/models/servers")["servers"]
        self.command_lines = [
            Path(f"/proc/{server['pid']}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            for server in servers
        ]
        self.ports = [server["port"] for server in servers]
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self) -> float:
        began = time.perf_counter()
        with open(os.devnull, "wb") as log:
            self._children = [
                subprocess.Popen(line, stdout=log, stderr=log, env={**os.environ, "LLAMA_API_KEY": "key"})
                for line in self.command_lines
            ]
        for port in self.ports:
            until_200(port)
        return time.perf_counter() - began

    def stop(self) -> float:
        began = time.perf_counter()
        for child in self._children:
            child.send_signal(signal.SIGTERM)
        for child in self._children:
            child.wait()
        return time.perf_counter() - began


def measure(plane: ControlPlane, model_ids: list[str], rounds: int) -> None:
    body = {"model_ids": model_ids}
    plane.call("POST", "/api/models/servers/start-all", body)
    by_hand = ByHand(plane)
    plane.call("POST", "/api/models/servers/stop-all")
    stops: dict[str, float] = {}

    def our_start() -> float:
        began = time.perf_counter()
        if len(model_ids) == 1:
            plane.call("POST", f"/api/models/servers/{model_ids[0]}/start")
        elif (answer := plane.call("POST", "/api/models/servers/start-all", body))["failed"]:
            raise SystemExit(str(answer))
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        plane.call("POST", "/api/models/servers/stop-all")
        stops["ours"] = time.perf_counter() - began
        return seconds

    def their_start() -> float:
        seconds = by_hand.start()
        stops["by hand"] = by_hand.stop()
        return seconds

    name = "start" if len(model_ids) == 1 else f"start all of {len(model_ids)}"
    compare(name, our_start, their_start, rounds, peer="by hand")

    def our_stop() -> float:
        our_start()
        return stops["ours"]

    def their_stop() -> float:
        their_start()
        return stops["by hand"]

    compare(f"stop of {len(model_ids)}", our_stop, their_stop, rounds, peer="by hand")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    print_machine()
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch, "models")
        models.mkdir()
        for number in range(MODELS):
            shutil.copy(model_path(), models / f"copy{number}-135M.Q4_1.gguf")
        with control_plane(Path(scratch, "data"), models) as plane:
            ids = [model["model_id"] for model in plane.call("GET", "/api/models/registry")["models"]]
            measure(plane, ids[:1], rounds)
            measure(plane, ids, max(3, rounds // 2))


if __name__ == "__main__":
    main()
