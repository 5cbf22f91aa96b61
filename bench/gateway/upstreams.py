"""The servers behind every contender: a quick one (nginx), one that streams, and the real llama-server.

Each is a program that takes llama-server's arguments, so that a control plane starts it as it starts any
engine; it moves to the load's cores by itself.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.stage import HELP

from bench.control_plane import free_port
from bench.gateway.cores import Cores, on_cores
from synapse_engine.errors import EngineNotFound
from synapse_engine.launch.engine import find_engine

START_SECONDS = 60.0
# As many as 256 requests at once are to go on to a server, and none is to wait for a slot.
SLOTS = {"parallel": 64}
# By the kind of load.
MODEL_IDS = {"chat": "relay_1b_fast", "tokenize": "smollm2_135m_fast", "streams": "stream_1b_fast"}
# Every contender would else wait for a thread of llama-server's, and that would be what is measured.
REAL_OPTIONS = {"ctx_size": 4096, "parallel": 8, "threads": 1, "threads_http": 64}

ENGINE = """#!/bin/sh
case "$1" in
--version) echo "version: 0.0.9-bench (build 9, commit 1234567)" ;;
--help) exec cat {help} ;;
--list-devices) echo "Available devices:"; echo "  (none)" ;;
*)
while [ "$1" != --port ]; do shift; done
{serve}
esac
"""
REAL_ENGINE = """#!/bin/sh
exec taskset -c {cores} {engine} "$@"
"""
SERVE_CHAT = """sed "s/PORT/$2/" {folder}/nginx.conf > {folder}/nginx-$2.conf
exec taskset -c {cores} nginx -p {folder} -c {folder}/nginx-$2.conf -e stderr"""
SERVE_STREAMS = 'exec taskset -c {cores} {python} -S -E {script} --port "$2"'

NGINX = """worker_processes 1;
daemon off;
master_process off;
pid nginx-PORT.pid;
error_log stderr crit;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_body_temp_path temp;
  proxy_temp_path temp;
  fastcgi_temp_path temp;
  uwsgi_temp_path temp;
  scgi_temp_path temp;
  server {{
    listen 127.0.0.1:PORT backlog=1024;
    location = /health {{ return 200 '{{"status":"ok"}}'; }}
    location / {{ return 200 '{answer}'; }}
  }}
}}
"""
# As llama-server answers, in its order and with its length.
CHAT_ANSWER = {
    "choices": [
        {
            "finish_reason": "stop",
            "index": 0,
            "message": {"role": "assistant", "content": "The capital of France is Paris."},
        }
    ],
    "created": 1764000000,
    "model": MODEL_IDS["chat"],
    "system_fingerprint": "b10434-7e4c0a9",
    "object": "chat.completion",
    "usage": {
        "completion_tokens": 8,
        "prompt_tokens": 42,
        "total_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 41},
    },
    "id": "chatcmpl-1wJbHkq0cWHnq5k9aKXoyyQxXnZ4nVUd",
    "timings": {
        "cache_n": 41,
        "prompt_n": 1,
        "prompt_ms": 13.417,
        "prompt_per_token_ms": 13.417,
        "prompt_per_second": 74.53,
        "predicted_n": 8,
        "predicted_ms": 93.11,
        "predicted_per_token_ms": 11.63,
        "predicted_per_second": 85.91,
    },
}


@dataclass(frozen=True)
class Upstream:
    """One model and the program that serves it.

    kind: `chat`, `tokenize` or `streams`; options: further ones of llama-server's, by their long names.
    """

    kind: str
    path: Path
    engine: Path
    options: Mapping[str, int]

    @property
    def model_id(self) -> str:
        return MODEL_IDS[self.kind]

    def command(self, port: int) -> list[str]:
        command = [str(self.engine), "--model", str(self.path), "--host", "127.0.0.1", "--port", str(port)]
        return command + self.option_arguments()

    def option_arguments(self) -> list[str]:
        pairs = ((f"--{name.replace('_', '-')}", str(value)) for name, value in self.options.items())
        return [argument for pair in pairs for argument in pair]


def write_chat(folder: Path, model: Path, cores: Cores) -> Upstream:
    answer = json.dumps(CHAT_ANSWER, separators=(",", ":"))
    (folder / "nginx.conf").write_text(NGINX.format(answer=answer))
    serve = SERVE_CHAT.format(folder=shlex.quote(str(folder)), cores=cores.load_list)
    return Upstream("chat", model, _write_engine(folder / "chat-engine", serve), SLOTS)


def write_streams(folder: Path, model: Path, cores: Cores) -> Upstream:
    script = Path(__file__).with_name("token_server.py")
    serve = SERVE_STREAMS.format(
        cores=cores.load_list, python=shlex.quote(sys.executable), script=shlex.quote(str(script))
    )
    return Upstream("streams", model, _write_engine(folder / "stream-engine", serve), SLOTS)


def write_tokenize(folder: Path, model: Path, engine: str, cores: Cores) -> Upstream:
    path = folder / "real-engine"
    _write_program(path, REAL_ENGINE.format(cores=cores.load_list, engine=shlex.quote(engine)))
    return Upstream("tokenize", model, path, REAL_OPTIONS)


def real_engine() -> str | None:
    """The llama-server that a control plane would take."""
    try:
        return find_engine(None, os.environ.get("PATH"))
    except EngineNotFound:
        return None


def missing_tools() -> dict[str, str]:
    """What is not here, each with how to get it."""
    ways = {
        "haproxy": "apt-get install haproxy",
        "nginx": "apt-get install nginx-light",
        "wrk": "apt-get install wrk",
        "taskset": "apt-get install util-linux",
    }
    return {tool: way for tool, way in ways.items() if shutil.which(tool) is None}


@contextmanager
def running(
    command: Sequence[str], port: int, cores: frozenset[int], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program from when it listens to its end. Raises SystemExit with its last words.

    Linux shares cores out by session: so each has its own, as the servers that a control plane starts have.
    """
    log = folder / f"{Path(command[0]).name}-{port}.log"
    with on_cores(cores), log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True
        )
    try:
        _await_listening(process, port, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def serving(upstream: Upstream, folder: Path, cores: Cores) -> Iterator[int]:
    """Its server, started by hand; the port that it listens on."""
    port = free_port()
    with running(upstream.command(port), port, cores.load, folder):
        yield port


def _await_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise SystemExit(f"{process.args!r} does not listen on {port}: {log.read_text(errors='replace')[-2000:]}")


def _write_engine(path: Path, serve: str) -> Path:
    return _write_program(path, ENGINE.format(help=shlex.quote(str(HELP)), serve=serve))


def _write_program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path
