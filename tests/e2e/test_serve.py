"""`synapse serve` as a process: how it ends, and what it refuses to begin."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.e2e.serving import Serving, run_synapse, serving, serving_environment
from tests.fakes.control_plane import write_model
from tests.fakes.rig import is_alive
from tests.fakes.stage import Behaviour, write_engine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CHAT = "/v1/chat/completions"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Three models and the fake engine: one answers, one never gets ready, one streams for long."""
    models = tmp_path / "models"
    write_model(models / "Plain-1B-Q4_K_M.gguf")
    Behaviour(loads_when_told=True).write(write_model(models / "Slow-1B-Q4_K_M.gguf"), None)
    streams = Behaviour(chunks=400, pace_seconds=0.05, ignores_sigterm=True)
    streams.write(write_model(models / "Stream-1B-Q4_K_M.gguf"), None)
    engine = write_engine(tmp_path / "llama-server", sys.executable)
    own = serving_environment(tmp_path / "data", models)
    return own | {"LLAMA_SERVER_PATH": str(engine), "SYNAPSE_STOP_TIMEOUT_SECONDS": "60"}


def start(serve: Serving, model_id: str, query: str = "") -> None:
    serve.http.post(f"/api/models/servers/{model_id}/start{query}").raise_for_status()


def pids(serve: Serving) -> list[int]:
    return [
        server["pid"] for server in serve.http.get("/api/models/servers").json()["servers"] if server["pid"]
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_every_server(environment: dict[str, str], number: signal.Signals) -> None:
    with serving(environment) as serve:
        start(serve, "plain_1b_fast")
        start(serve, "slow_1b_fast", "?wait=false")
        while len(pids(serve)) < 2:
            pass
        running = pids(serve)
        assert serve.end(number) == 0
        assert not any(map(is_alive, running))


def test_a_second_signal_ends_it_while_a_stream_runs(environment: dict[str, str]) -> None:
    with serving(environment) as serve:
        start(serve, "stream_1b_fast")
        (pid,) = pids(serve)
        body = {"model": "stream_1b_fast", "stream": True}
        with serve.http.stream("POST", CHAT, json=body) as response:
            next(response.iter_lines())
            serve.process.send_signal(signal.SIGINT)
            # It drains: the page still answers, and new work is refused.
            while serve.http.get("/health/ready").status_code != 503:
                pass
            assert serve.process.poll() is None and is_alive(pid)
            assert serve.end(signal.SIGINT) == 0
        assert not is_alive(pid)


def test_a_stream_ends_whole_before_the_end(environment: dict[str, str], tmp_path: Path) -> None:
    behaviour = Behaviour(chunks=20, pace_seconds=0.05)
    behaviour.write(tmp_path / "models" / "Stream-1B-Q4_K_M.gguf", None)
    with serving(environment) as serve:
        start(serve, "stream_1b_fast")
        body = {"model": "stream_1b_fast", "stream": True}
        with serve.http.stream("POST", CHAT, json=body) as response:
            lines = response.iter_lines()
            next(lines)
            serve.process.send_signal(signal.SIGINT)
            assert [line for line in lines if line][-1] == "data: [DONE]"
        assert serve.process.wait(20) == 0


def test_a_start_under_way_is_answered_at_the_end(environment: dict[str, str]) -> None:
    with serving(environment) as serve:
        answers = []

        def ask() -> None:
            answers.append(serve.http.post("/api/models/servers/slow_1b_fast/start"))

        asking = threading.Thread(target=ask)
        asking.start()
        while not pids(serve):
            pass
        assert serve.end() == 0
        asking.join(20)
        assert (answers[0].status_code, answers[0].json()["error"]) == (409, "Start cancelled")


def test_a_second_one_on_the_same_folder_names_the_first(environment: dict[str, str]) -> None:
    with serving(environment) as first:
        other = environment | {"SYNAPSE_PORT": "1"}
        second = run_synapse("serve", environment=other)
        assert second.returncode == 1
        error, advice = second.stderr.splitlines()
        holder = f"synapse serve (pid {first.process.pid}) at {first.url}"
        assert error == f"Data folder {environment['SYNAPSE_DATA_DIR']} is in use by {holder}"
        assert "SYNAPSE_DATA_DIR" in advice
        assert first.http.get("/health").status_code == 200


def test_a_taken_port_names_its_holder(environment: dict[str, str]) -> None:
    port = int(environment["SYNAPSE_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        ended = run_synapse("serve", environment=environment)
    assert ended.returncode == 1
    error, advice = ended.stderr.splitlines()
    me = psutil.Process().name()
    assert error == f"Cannot listen on 127.0.0.1:{port}: already in use by {me} (pid {os.getpid()})"
    assert "--port" in advice


def test_an_address_of_nobody(environment: dict[str, str]) -> None:
    ended = run_synapse("serve", "--host", "192.0.2.1", "--insecure", environment=environment)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Cannot listen on 192.0.2.1:{environment['SYNAPSE_PORT']}: Cannot assign")


REFUSED = [
    (("--host", "0.0.0.0"), {}, "SYNAPSE_HOST=0.0.0.0 lets other machines in: set SYNAPSE_API_KEY"),
    (("--host", "0.0.0.0"), {"SYNAPSE_API_KEY": ""}, "lets other machines in"),
    (("--port", "0"), {}, "port: Input should be greater than or equal to 1"),
    ((), {"MODEL_PORT_RANGE_END": "1"}, "MODEL_PORT_RANGE_END (1) is below"),
    ((), {"SYNAPSE_PORT": "many"}, "SYNAPSE_PORT: Input should be a valid integer"),
]


@pytest.mark.parametrize(("flags", "variables", "words"), REFUSED)
def test_settings_that_cannot_be_taken(
    environment: dict[str, str], flags: tuple[str, ...], variables: dict[str, str], words: str
) -> None:
    ended = run_synapse("serve", *flags, environment=environment | variables)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Settings cannot be taken\n")
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_crash_lets_the_folder_go(environment: dict[str, str]) -> None:
    with serving(environment) as first:
        first.process.kill()
        first.process.wait()
    with serving(environment) as second:
        assert second.http.get("/health").status_code == 200


def test_a_registry_of_a_newer_version_is_left_alone(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    registry = tmp_path / "data" / "model_registry.json"
    registry.write_text(json.dumps({"version": 99}))
    ended = run_synapse("serve", environment=environment)
    assert ended.returncode == 1
    assert "newer version" in ended.stderr and "Traceback" not in ended.stderr
    assert json.loads(registry.read_text()) == {"version": 99}


@pytest.fixture
def keyed(environment: dict[str, str]) -> Iterator[Serving]:
    with serving(environment | {"SYNAPSE_API_KEY": "s3cret"}) as serve:
        yield serve


def test_the_shell_brings_the_key(keyed: Serving) -> None:
    assert keyed.synapse("ps").returncode == 0
    without = run_synapse("ps", environment=keyed.environment | {"SYNAPSE_API_KEY": "wrong"})
    assert without.returncode == 1
    assert without.stderr.startswith("API key missing or wrong\n")
