"""2,000 models in the registry and 200 servers (fakes): how long every API answer takes, and the start."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.fakes.stage import Behaviour, write_engine
from tests.gguf_files import write_llama

from bench.control_plane import ControlPlane, control_plane
from bench.sidebyside import print_machine, print_spread

MODELS = 2000
SERVERS = 200
ROUNDS = 20


def main() -> None:
    print_machine()
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch, "models")
        models.mkdir()
        write_models(models)
        engine = write_engine(Path(scratch, "llama-server"), sys.executable)
        environment = {"LLAMA_SERVER_PATH": str(engine), "SYNAPSE_START_CONCURRENCY": "16"}
        data = Path(scratch, "data")
        with control_plane(data, models, ports=SERVERS, environment=environment) as plane:
            ids = [model["model_id"] for model in plane.call("GET", "/api/models/registry")["models"]]
            began = time.perf_counter()
            started = plane.call("POST", "/api/models/servers/start-all", {"model_ids": ids[:SERVERS]})
            print(f"{started['message']} in {time.perf_counter() - began:.1f} s")
            measure(plane, ids)
        began = time.perf_counter()
        with control_plane(data, models, ports=SERVERS, environment=environment):
            print(f"a boot with {MODELS} models known, until its first scan is done:", end=" ")
            print(f"{time.perf_counter() - began:.2f} s")


def measure(plane: ControlPlane, ids: list[str]) -> None:
    running, stopped = ids[0], ids[-1]
    calls: list[tuple[str, str, object]] = [
        ("GET", "/api/models/registry", None),
        ("GET", f"/api/models/{running}", None),
        ("GET", "/api/models/servers", None),
        ("GET", f"/api/models/servers/{running}", None),
        ("GET", f"/api/models/servers/{running}/logs", None),
        ("GET", "/api/system", None),
        ("GET", "/health", None),
        ("GET", "/v1/models", None),
        ("POST", "/api/models/enable", {"enabled": True}),
        ("PATCH", f"/api/models/{stopped}", {"tier": "fast"}),
        ("PATCH", f"/api/models/{stopped}", {"tier": None}),
        ("POST", f"/api/models/servers/{running}/start", None),
        ("POST", f"/api/models/servers/{stopped}/stop", None),
    ]
    print(f"\nmilliseconds until each answer, {ROUNDS} times")
    for method, path, body in calls:
        plane.ask(method, path, body)
        taken = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            plane.ask(method, path, body)
            taken.append((time.perf_counter() - began) * 1000)
        print_spread(f"{method} {path.replace(running, 'ID').replace(stopped, 'ID')}", taken, "ms")


def write_models(folder: Path) -> None:
    template = folder / "model-0-1B.gguf"
    write_llama(template, layers=1)
    content = template.read_bytes()
    for number in range(MODELS):
        path = folder / f"model-{number}-1B.gguf"
        path.write_bytes(content)
        Behaviour().write(path, None)


if __name__ == "__main__":
    main()
