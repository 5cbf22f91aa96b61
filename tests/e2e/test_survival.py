"""The control plane is killed; the models stay loaded and the next one finds them."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from tests.e2e.killing import ControlPlane, engines_of, post_in_background, until
from tests.e2e.serving import run_synapse, serving_environment
from tests.fakes.stage import Behaviour, write_engine
from tests.gguf_files import write_llama

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

SOAK = "SYNAPSE_SOAK" in os.environ
REAL_ROUNDS = 10 if SOAK else 2
FAKE_ROUNDS = 100 if SOAK else 3
READY = ("red", "green", "blue")


def test_killed_in_the_worst_moment_with_fakes(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in (*READY, "loading", "stopping"):
        write_llama(models / f"{name}-1B.gguf")
        Behaviour().write(models / f"{name}-1B.gguf", None)
    Behaviour(loads_when_told=True).write(models / "loading-1B.gguf", None)
    Behaviour(ignores_sigterm=True).write(models / "stopping-1B.gguf", None)
    environment = serving_environment(tmp_path / "data", models) | {
        "LLAMA_SERVER_PATH": str(write_engine(tmp_path / "llama-server", sys.executable)),
        "SYNAPSE_MAX_STARTUP_SECONDS": "1",
        "SYNAPSE_STOP_TIMEOUT_SECONDS": "0.3",
    }
    with ControlPlane(environment, tmp_path) as plane:
        for _ in range(FAKE_ROUNDS):
            kill_among_fakes(plane, models)
        plane.end()
    assert engines_of(models) == set()


def kill_among_fakes(plane: ControlPlane, models: Path) -> None:
    """Three are ready, one never becomes so, one is being stopped: kill, start again, look."""
    ready = [f"{name}_1b_fast" for name in READY]
    body = {"model_ids": [*ready, "stopping_1b_fast"]}
    assert plane.http.post("/api/models/servers/start-all", json=body).json()["failed"] == []
    pids = {model_id: plane.status()[model_id]["pid"] for model_id in ready}
    plane.http.post("/api/models/servers/loading_1b_fast/start?wait=false")
    stop = post_in_background(f"{plane.url}/api/models/servers/stopping_1b_fast/stop")
    until(lambda: plane.status().get("stopping_1b_fast", {}).get("status") == "stopping")
    plane.kill_and_start_again()
    stop.join()
    status = plane.status()
    assert {model_id: status[model_id]["pid"] for model_id in ready} == pids
    assert all(status[model_id]["status"] == "running" for model_id in ready)
    until(lambda: plane.status().get("loading_1b_fast", {"status": "failed"})["status"] == "failed")
    until(lambda: "stopping_1b_fast" not in plane.status())
    assert engines_of(models) == set(pids.values())


def test_killed_with_real_servers(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    names = ("alpha", "beta", "gamma", "delta", "epsilon")
    for seed, name in enumerate(names):
        write_llama(models / f"{name}-1B.gguf", seed=seed)
    with ControlPlane(serving_environment(tmp_path / "data", models), tmp_path) as plane:
        for _ in range(REAL_ROUNDS):
            kill_among_real_ones(plane, [f"{name}_1b_fast" for name in names], models)
        plane.end()
    assert engines_of(models) == set()


def kill_among_real_ones(plane: ControlPlane, ids: list[str], models: Path) -> None:
    """The first three are ready, the fourth is starting, the fifth stopping."""
    *steady, starting, stopping = ids
    answer = plane.http.post("/api/models/servers/start-all", json={"model_ids": [*steady, stopping]})
    assert answer.json()["failed"] == []
    before = plane.status()
    calls = [
        post_in_background(f"{plane.url}/api/models/servers/{starting}/start"),
        post_in_background(f"{plane.url}/api/models/servers/{stopping}/stop"),
    ]
    plane.kill_and_start_again()
    for call in calls:
        call.join()
    after = plane.status()
    for model_id in steady:
        assert after[model_id]["pid"] == before[model_id]["pid"]
        assert after[model_id]["started_at"] == before[model_id]["started_at"]
        chat = {"model": model_id, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        assert plane.http.post("/v1/chat/completions", json=chat).status_code == 200
    until(lambda: {server["status"] for server in plane.status().values()} <= {"running", "failed"})
    assert engines_of(models) == {server["pid"] for server in plane.status().values() if server["pid"]}


def test_a_graceful_end_that_keeps_the_servers_lets_a_stream_finish(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    write_llama(models / "kept-1B.gguf")
    Behaviour(chunks=20, pace_seconds=0.05).write(models / "kept-1B.gguf", None)
    environment = serving_environment(tmp_path / "data", models) | {
        "LLAMA_SERVER_PATH": str(write_engine(tmp_path / "llama-server", sys.executable)),
        "SYNAPSE_KEEP_SERVERS": "1",
    }
    chat = {"model": "kept_1b_fast", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    with ControlPlane(environment, tmp_path) as plane:
        plane.http.post("/api/models/servers/kept_1b_fast/start")
        pid = plane.status()["kept_1b_fast"]["pid"]
        with plane.http.stream("POST", "/v1/chat/completions", json=chat) as stream:
            lines = stream.iter_lines()
            next(lines)
            plane.process.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line]
        assert rest[-1] == "data: [DONE]"
        plane.process.wait(60)
    assert engines_of(models) == {pid}
    with ControlPlane(environment | {"SYNAPSE_KEEP_SERVERS": "0"}, tmp_path) as again:
        assert again.status()["kept_1b_fast"]["pid"] == pid
        again.end()
    assert engines_of(models) == set()


def test_a_second_signal_does_not_wait_for_the_stream(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    write_llama(models / "kept-1B.gguf")
    Behaviour(chunks=10_000, pace_seconds=0.05).write(models / "kept-1B.gguf", None)
    environment = serving_environment(tmp_path / "data", models) | {
        "LLAMA_SERVER_PATH": str(write_engine(tmp_path / "llama-server", sys.executable)),
        "SYNAPSE_KEEP_SERVERS": "1",
        "SYNAPSE_DRAIN_SECONDS": "300",
    }
    chat = {"model": "kept_1b_fast", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    start = "/api/models/servers/kept_1b_fast/start"
    with ControlPlane(environment, tmp_path) as plane:
        plane.http.post(start)
        pid = plane.status()["kept_1b_fast"]["pid"]
        with plane.http.stream("POST", "/v1/chat/completions", json=chat) as stream:
            next(stream.iter_lines())
            plane.process.send_signal(signal.SIGINT)
            until(lambda: plane.http.post(start).status_code == 503)
            plane.process.send_signal(signal.SIGINT)
            plane.process.wait(20)
    assert engines_of(models) == {pid}
    with ControlPlane(environment | {"SYNAPSE_KEEP_SERVERS": "0"}, tmp_path) as again:
        assert again.status()["kept_1b_fast"]["pid"] == pid
        again.end()
    assert engines_of(models) == set()


def test_the_shell_lists_and_stops_what_a_dead_control_plane_left(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("left", "right"):
        write_llama(models / f"{name}-1B.gguf")
        Behaviour().write(models / f"{name}-1B.gguf", None)
    environment = serving_environment(tmp_path / "data", models) | {
        "LLAMA_SERVER_PATH": str(write_engine(tmp_path / "llama-server", sys.executable))
    }
    with ControlPlane(environment, tmp_path) as plane:
        body = {"model_ids": ["left_1b_fast", "right_1b_fast"]}
        plane.http.post("/api/models/servers/start-all", json=body)
        pids = {model_id: server["pid"] for model_id, server in plane.status().items()}
        plane.process.kill()
        plane.process.wait()
    listed = run_synapse("ps", "--json", environment=environment)
    assert {s["model_id"]: s["pid"] for s in json.loads(listed.stdout)["servers"]} == pids
    assert "No control plane answers" in listed.stderr
    unknown = run_synapse("stop", "nothing", environment=environment)
    assert (unknown.returncode, unknown.stderr.splitlines()[0]) == (1, "Model not found: nothing")
    assert run_synapse("stop", "left_1b_fast", environment=environment).stdout == "left_1b_fast: stopped\n"
    assert engines_of(models) == {pids["right_1b_fast"]}
    assert run_synapse("stop", "--all", environment=environment).stdout == "Stopped 1 servers\n"
    assert engines_of(models) == set()


def test_a_test_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    write_llama(models / "kept-1B.gguf")
    Behaviour().write(models / "kept-1B.gguf", None)
    environment = serving_environment(tmp_path / "data", models) | {
        "LLAMA_SERVER_PATH": str(write_engine(tmp_path / "llama-server", sys.executable)),
        "SYNAPSE_KEEP_SERVERS": "1",
    }
    with pytest.raises(KeyboardInterrupt), ControlPlane(environment, tmp_path) as plane:
        plane.http.post("/api/models/servers/kept_1b_fast/start").raise_for_status()
        plane.kill()
        assert len(engines_of(models)) == 1
        raise KeyboardInterrupt
    until(lambda: engines_of(models) == set())
