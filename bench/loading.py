"""Whether load progress tells the truth: a large model out of the page cache, and out of the disk's reach.

Each load is listened to at `/api/events`. Printed: whether progress fell, where it stood last before it was
ready, and how far off the ETA was, in shares of what was really left, from the halfway point on.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.gguf_files import write_llama

from bench.control_plane import ControlPlane, control_plane
from bench.sidebyside import print_machine

ROUNDS = 3
SHORTEST_LEFT_SECONDS = 0.5


class Heard(NamedTuple):
    at: float
    progress: float
    eta_seconds: float | None


def main() -> None:
    layers = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    print_machine()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as scratch:
        models = Path(scratch, "models")
        path = write_llama(models / "Large-2B-F32.gguf", layers=layers, embedding=1024, heads=16)
        print(f"{path.stat().st_size / 1e9:.2f} GB; the first load has nothing to judge by")
        with control_plane(Path(scratch, "data"), models) as plane:
            (model,) = plane.call("GET", "/api/models/registry")["models"]
            settings = {"ctx_size": 2048, "parallel": 1}
            plane.call("PATCH", f"/api/models/{model['model_id']}", {"settings": settings})
            for number in range(2 * ROUNDS):
                is_cold = number % 2 == 0
                if is_cold:
                    forget(path)
                judge("disk " if is_cold else "cache", *load(plane, model["model_id"]))


def forget(path: Path) -> None:
    """Take the file out of the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def load(plane: ControlPlane, model_id: str) -> tuple[list[Heard], float, float]:
    """What was heard of one start, when it began and when it was ready; it is stopped again."""
    heard = []
    connection = http.client.HTTPConnection("127.0.0.1", plane.port)
    connection.request("GET", "/api/events")
    events = servers(connection.getresponse())
    began = time.monotonic()
    plane.call("POST", f"/api/models/servers/{model_id}/start?wait=false")
    for server in events:
        if server["status"] == "running":
            break
        if server["progress"] is not None:
            heard.append(Heard(time.monotonic(), server["progress"], server["eta_seconds"]))
    ready = time.monotonic()
    assert server["progress"] == 1.0
    connection.close()
    plane.call("POST", f"/api/models/servers/{model_id}/stop")
    return heard, began, ready


def servers(stream: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    kind = b""
    for line in stream:
        if line.startswith(b"event: "):
            kind = line[7:].strip()
        elif line.startswith(b"data: ") and kind == b"server":
            yield json.loads(line[6:])


def judge(what: str, heard: list[Heard], began: float, ready: float) -> None:
    shares = [look.progress for look in heard]
    halfway = began + (ready - began) / 2
    late = [look for look in heard if halfway <= look.at <= ready - SHORTEST_LEFT_SECONDS]
    errors = [
        abs(look.eta_seconds - (ready - look.at)) / (ready - look.at)
        for look in late
        if look.eta_seconds is not None
    ]
    fell = "never fell" if shares == sorted(shares) else "FELL"
    error = f"{statistics.median(errors):4.0%}, at most {max(errors):4.0%}" if errors else "not told"
    print(
        f"  from the {what}: ready after {ready - began:6.2f} s, {len(heard):3} looks, progress {fell}, "
        f"last {shares[-1]:.2f}, then 1; ETA off by {error}"
    )


if __name__ == "__main__":
    main()
