"""A server killed in the midst of an answer: how long until every client of /api/events knows."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from queue import Queue

from bench.control_plane import ControlPlane, control_plane, model_path
from bench.sidebyside import print_machine, print_spread

ROUNDS = 15
CHAT = {"messages": [{"role": "user", "content": "Count."}], "stream": True, "max_tokens": 400}


def main() -> None:
    print_machine()
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch, "models")
        models.mkdir()
        shutil.copy(model_path(), models)
        with control_plane(Path(scratch, "data"), models) as plane:
            model_id = plane.call("GET", "/api/models/registry")["models"][0]["model_id"]
            states: Queue[tuple[float, str]] = Queue()
            threading.Thread(target=follow, args=(plane.port, states), daemon=True).start()
            noticed, back = [], []
            for _ in range(ROUNDS):
                plane.call("POST", f"/api/models/servers/{model_id}/start")
                stream = ask(plane, model_id)
                killed = kill(plane, model_id)
                noticed.append(1000 * (until(states, "backoff") - killed))
                back.append(until(states, "running") - killed)
                stream.close()
                # A stop and a start by a person begin the count, and so the wait, anew.
                plane.call("POST", f"/api/models/servers/{model_id}/stop")
                print(f"  noticed after {noticed[-1]:6.1f} ms, running again after {back[-1]:5.2f} s")
            print_spread("noticed", noticed, "ms")
            print_spread("running again", back, "s")


def ask(plane: ControlPlane, model_id: str) -> http.client.HTTPConnection:
    """A stream whose first bytes have come."""
    connection = http.client.HTTPConnection("127.0.0.1", plane.port)
    body = json.dumps({**CHAT, "model": model_id})
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    connection.getresponse().readline()
    return connection


def kill(plane: ControlPlane, model_id: str) -> float:
    pid = plane.call("GET", f"/api/models/servers/{model_id}")["pid"]
    os.kill(pid, signal.SIGKILL)
    return time.perf_counter()


def follow(port: int, states: Queue[tuple[float, str]]) -> None:
    """Note every status that the events tell, and when it came."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/api/events")
    response = connection.getresponse()
    kind = b""
    while line := response.readline():
        if line.startswith(b"event:"):
            kind = line.split(b":", 1)[1].strip()
        elif line.startswith(b"data:") and kind == b"server":
            states.put((time.perf_counter(), json.loads(line[5:])["status"]))


def until(states: Queue[tuple[float, str]], status: str) -> float:
    while True:
        moment, seen = states.get(timeout=60)
        if seen == status:
            return moment


if __name__ == "__main__":
    main()
