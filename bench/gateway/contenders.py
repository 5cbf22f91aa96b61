"""Who is compared. Each listens on a port, alone on its core, with every upstream behind it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.control_plane import control_plane, free_port
from bench.gateway.cores import Cores, move, on_cores
from bench.gateway.upstreams import Upstream, running, serving

PATHS = {"chat": "/v1/chat/completions", "streams": "/v1/chat/completions", "tokenize": "/tokenize"}
ROUTER_SECONDS = 60.0

# One thread as it has one core, connections to servers kept and shared, no log. Tokens are not held back.
HAPROXY = """global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
  http-reuse always
  option http-no-delay
frontend models
  bind 127.0.0.1:{port}
  http-request wait-for-body time 10s if METH_POST
  use_backend %[req.body,json_query('$.model'),map_str({models})]
"""
HAPROXY_BACKEND = """backend {kind}
  server one 127.0.0.1:{port}
"""


@dataclass(frozen=True)
class Contender:
    """pid: of the process that relays, None for direct; ports and paths: by the kind of load.

    A kind that is missing is one that it cannot do.
    """

    name: str
    pid: int | None
    ports: Mapping[str, int]
    paths: Mapping[str, str]

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.ports[kind]}{self.paths[kind]}"


@contextmanager
def direct(upstreams: Sequence[Upstream], cores: Cores, folder: Path) -> Iterator[Contender]:
    """Servers started by hand, which HAProxy uses too."""
    with ExitStack() as stack:
        ports = {up.kind: stack.enter_context(serving(up, folder, cores)) for up in upstreams}
        yield Contender("direct", None, ports, {kind: PATHS[kind] for kind in ports})


@contextmanager
def ours(upstreams: Sequence[Upstream], cores: Cores, folder: Path) -> Iterator[Contender]:
    """The control plane with all its defaults, which starts the servers itself."""
    engines = ":".join(f"{up.kind}={up.engine}" for up in upstreams)
    environment = {"SYNAPSE_ENGINES": engines, "LLAMA_SERVER_PATH": str(upstreams[-1].engine)}
    with ExitStack() as stack:
        with on_cores(cores.contender):
            plane = stack.enter_context(
                control_plane(folder / "data", upstreams[0].path.parent, environment=environment)
            )
        for up in upstreams:
            settings = {"engine": up.kind, **up.options}
            plane.call("PATCH", f"/api/models/{up.model_id}", {"enabled": True, "settings": settings})
            plane.call("POST", f"/api/models/servers/{up.model_id}/start")
        yield _probed("ours", plane.process.pid, plane.port, upstreams)


@contextmanager
def haproxy(
    upstreams: Sequence[Upstream], ports: Mapping[str, int], cores: Cores, folder: Path
) -> Iterator[Contender]:
    """Routes by the body's `model` to the servers on those ports."""
    port, models, config = free_port(), folder / "models.map", folder / "haproxy.cfg"
    models.write_text("".join(f"{up.model_id} {up.kind}\n" for up in upstreams))
    backends = (HAPROXY_BACKEND.format(kind=up.kind, port=ports[up.kind]) for up in upstreams)
    config.write_text(HAPROXY.format(port=port, models=models) + "".join(backends))
    with running(["haproxy", "-db", "-f", str(config)], port, cores.contender, folder) as process:
        yield _probed("haproxy", process.pid, port, upstreams)


@contextmanager
def router(upstream: Upstream, engine: str, cores: Cores, folder: Path) -> Iterator[Contender]:
    """llama-server without a model; its child is a real one, moved to the load's cores once it is there."""
    models = folder / "router"
    models.mkdir()
    (models / f"{upstream.model_id}.gguf").symlink_to(upstream.path.resolve())
    port = free_port()
    command = [engine, "--models-dir", str(models), "--host", "127.0.0.1", "--port", str(port)]
    with running(command + upstream.option_arguments(), port, cores.contender, folder) as process:
        contender = _probed("router", process.pid, port, [upstream], patience_seconds=ROUTER_SECONDS)
        for child in psutil.Process(process.pid).children():
            move(child.pid, cores.load)
        yield contender


@contextmanager
def llama_swap(
    program: str, upstreams: Sequence[Upstream], cores: Cores, folder: Path
) -> Iterator[Contender]:
    """With all models at once, as many requests as come, and no copies of answers kept."""
    port, config = free_port(), folder / "llama-swap.yaml"
    config.write_text(json.dumps(_llama_swap_config(upstreams)))  # JSON is YAML
    command = [program, "--config", str(config), "--listen", f"127.0.0.1:{port}"]
    with running(command, port, cores.contender, folder) as process:
        yield _probed("llama-swap", process.pid, port, upstreams, patience_seconds=ROUTER_SECONDS)


def _llama_swap_config(upstreams: Sequence[Upstream]) -> dict[str, Any]:
    models = {}
    for up in upstreams:
        port = free_port()
        command, proxy = " ".join(up.command(port)), f"http://127.0.0.1:{port}"
        models[up.model_id] = {"cmd": command, "proxy": proxy, "concurrencyLimit": 4096}
    group = {"swap": False, "exclusive": False, "members": list(models)}
    return {"logLevel": "error", "captureBuffer": 0, "models": models, "groups": {"all": group}}


def _probed(
    name: str, pid: int, port: int, upstreams: Sequence[Upstream], *, patience_seconds: float = 5.0
) -> Contender:
    """With the path of each kind at which it answers; the rest of llama-server's is at its own, or below
    `/upstream/`."""
    paths = {}
    for up in upstreams:
        for path in (PATHS[up.kind], f"/upstream/{up.model_id}{PATHS[up.kind]}"):
            if _answers(port, path, up, patience_seconds):
                paths[up.kind] = path
                break
    return Contender(name, pid, dict.fromkeys(paths, port), paths)


def _answers(port: int, path: str, upstream: Upstream, patience_seconds: float) -> bool:
    """Whether it is 200, now or, where the answer is that it is busy, soon."""
    body = {
        "model": upstream.model_id,
        "content": "Paris",
        "messages": [{"role": "user", "content": "Paris"}],
    }
    deadline = time.monotonic() + patience_seconds
    while (status := post(port, path, body)) in (500, 502, 503) and time.monotonic() < deadline:
        time.sleep(0.1)
    return status == 200


def post(port: int, path: str, body: object) -> int:
    """The answer's status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ROUTER_SECONDS)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()
