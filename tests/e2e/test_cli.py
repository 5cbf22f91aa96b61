"""Every command of the shell against a running control plane: tables, JSON, exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.serving import COMMAND, Serving, run_synapse, serving, serving_environment
from tests.fakes.control_plane import write_model
from tests.fakes.stage import Behaviour, write_engine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serving]:
    models = tmp_path / "models"
    write_model(models / "Alpha-7B-Q4_K_M.gguf")
    bad = write_model(models / "Beta-30B-Q8_0.gguf")
    Behaviour(exit_code=1, log=["cudaMalloc failed: out of memory"]).write(bad, None)
    write_model(models / "Gamma-7B-Q4_K_M-00001-of-00002.gguf")
    engine = write_engine(tmp_path / "llama-server", sys.executable)
    environment = serving_environment(tmp_path / "data", models) | {"LLAMA_SERVER_PATH": str(engine)}
    with serving(environment) as serve:
        yield serve


def json_of(serve: Serving, *arguments: str, code: int = 0) -> Any:
    ended = serve.synapse(*arguments, "--json")
    assert ended.returncode == code, ended.stderr
    return json.loads(ended.stdout)


ALPHA, BETA = "alpha_7b_fast", "beta_30b_powerful"


def test_models_and_what_is_enabled(serve: Serving) -> None:
    listed = serve.synapse("models")
    assert listed.returncode == 0
    head, _, *rows = listed.stdout.splitlines()
    assert head.split() == "on id name size (B) quantization tier context port status".split()
    assert "alpha_7b_fast" in rows[0] and "Alpha 7B (Q4_K_M)" in rows[0] and "stopped" in rows[0]
    assert rows[3].startswith("gamma_7b_fast: Gamma-7B-Q4_K_M-00002-of-00002.gguf is missing")
    assert [model["model_id"] for model in json_of(serve, "models")["models"]][:2] == [ALPHA, BETA]

    assert serve.synapse("enable", ALPHA, "Beta-30B-Q8_0").stdout == "Enabled 2 models\n"
    assert serve.synapse("disable", BETA).stdout == "Disabled 1 models\n"
    assert json_of(serve, "enable", "--all")["changed"] == 1
    assert json_of(serve, "disable", "--all")["changed"] == 2
    assert serve.synapse("models").stdout.splitlines()[2].split()[0] == ALPHA

    rescanned = serve.synapse("rescan")
    assert rescanned.stdout.startswith("Found 3 models: 0 new, 0 changed, 0 gone, in ")
    assert json_of(serve, "rescan")["found"] == 3


def test_servers(serve: Serving) -> None:
    assert serve.synapse("ps").stdout == "No server is running.\n"
    assert json_of(serve, "ps") == {"servers": [], "total_running": 0}

    started = serve.synapse("start", ALPHA)
    assert started.returncode == 0
    port = int(serve.environment["MODEL_PORT_RANGE_START"])
    assert started.stdout.startswith(f"{ALPHA} is running on port {port}\nStarted 1/1 servers in ")
    failed = serve.synapse("start", ALPHA, BETA)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"{BETA}: Failed to start server. Out of memory (exit code 1)")
    assert "Started 1/2 servers" in failed.stdout
    assert json_of(serve, "start", BETA, code=1)["failed"][0]["model_id"] == BETA

    table = serve.synapse("ps").stdout
    head, _, row, *_ = table.splitlines()
    assert head.split() == "id replica status port pid memory (MB) uptime (s) requests".split()
    assert row.split()[:4] == [ALPHA, "1", "running", str(port)]
    assert f"{BETA}: Failed to start server. Out of memory" in table

    log = serve.synapse("logs", ALPHA)
    assert log.stdout.startswith("I srv          main: loading model ")
    assert serve.synapse("logs", BETA, "-n", "1").stdout == "cudaMalloc failed: out of memory\n"
    assert json_of(serve, "logs", BETA, "--lines", "1")["lines"] == ["cudaMalloc failed: out of memory"]

    assert serve.synapse("stop", ALPHA, BETA).stdout == f"{ALPHA}: stopped\n{BETA}: not_running\n"
    assert [answer["status"] for answer in json_of(serve, "stop", ALPHA, "--now")] == ["not_running"]
    serve.synapse("enable", ALPHA)
    assert "Started 1/1 servers" in serve.synapse("start", "--all").stdout
    assert serve.synapse("stop", "--all").stdout == "Stopped 1 servers\n"
    assert json_of(serve, "stop", "--all")["stopped"] == 0


def test_activity(serve: Serving) -> None:
    assert serve.synapse("activity").stdout == "No request yet.\n"
    serve.synapse("start", ALPHA)
    for name in (ALPHA, "nobody", ALPHA):
        serve.http.post("/v1/chat/completions", json={"model": name})
    while len((answer := json_of(serve, "activity"))["ended"]) < 3:
        pass
    assert answer["live"] == []
    head, _, *rows = serve.synapse("activity").stdout.splitlines()
    assert head.split("  ")[0] == "  id".strip() or head.split()[:4] == ["id", "at", "model", "outcome"]
    assert [row.split()[2:4] for row in rows] == [[ALPHA, "ok"], ["nobody", "refused"], [ALPHA, "ok"]]
    assert rows[0].split()[-3:] == ["7", "3", "40.2"]
    assert len(serve.synapse("activity", "--model", ALPHA, "-n", "1").stdout.splitlines()) == 3


def test_activity_is_followed(serve: Serving) -> None:
    command = [*COMMAND, "activity", "--follow"]
    with subprocess.Popen(command, env=serve.environment, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "No request yet.\n"
        while "synapse_event_subscribers 1" not in serve.http.get("/metrics").text:
            pass
        for name in ("nobody", "somebody"):
            serve.http.post("/v1/chat/completions", json={"model": name})
            assert following.stdout.readline().split()[2:4] == [name, "refused"]
        following.send_signal(signal.SIGINT)
        assert following.wait(10) == 0


def test_doctor(serve: Serving) -> None:
    findings = {finding["subject"]: finding for finding in json_of(serve, "doctor")["findings"]}
    assert findings["engine"]["verdict"] == "ok"
    assert "0.0.9-fake" in findings["engine"]["found"]
    assert findings["models"]["found"].startswith("3 in ")
    assert findings["model"]["verdict"] == "note"
    assert findings["control plane"]["found"].startswith("running, version ")
    said = serve.synapse("doctor")
    assert said.returncode == 0 and "ok      engine: " in said.stdout


@pytest.mark.parametrize("command", [("stop",), ("logs",), ("start",), ("enable",)])
def test_an_unknown_model(serve: Serving, command: tuple[str, ...]) -> None:
    ended = serve.synapse(*command, "nobody")
    assert ended.returncode == 1
    assert ended.stderr == "Model not found: nobody\nModel does not exist in registry\n"
    assert ended.stdout == ""


USAGE = [
    ("start",),
    ("stop",),
    ("enable",),
    ("start", "x", "--all"),
    ("logs",),
    ("bogus",),
    ("ps", "--bogus"),
]


@pytest.mark.parametrize("arguments", USAGE)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = run_synapse(*arguments, environment=serving_environment(tmp_path / "data", tmp_path))
    assert ended.returncode == 2
    assert "Usage:" in ended.stderr


COMMANDS = [
    ("models",),
    ("start", "x"),
    ("enable", "x"),
    ("disable", "--all"),
    ("rescan",),
    ("logs", "x"),
    ("activity",),
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_nobody_there(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    environment = serving_environment(tmp_path / "data", tmp_path)
    ended = run_synapse(*arguments, environment=environment)
    assert ended.returncode == 1
    address = f"http://127.0.0.1:{environment['SYNAPSE_PORT']}"
    assert ended.stderr == f"No control plane answers at {address}\nStart it with: synapse serve\n"


def test_doctor_without_anything(tmp_path: Path) -> None:
    environment = serving_environment(tmp_path / "data", tmp_path / "models")
    environment |= {"LLAMA_SERVER_PATH": str(tmp_path / "none")}
    ended = run_synapse("doctor", "--json", environment=environment)
    assert ended.returncode == 1
    findings = {finding["subject"]: finding for finding in json.loads(ended.stdout)["findings"]}
    assert (findings["engine"]["verdict"], findings["engine"]["found"]) == (
        "missing",
        "llama-server not found",
    )
    assert findings["models"]["verdict"] == "missing"
    assert findings["control plane"]["verdict"] == "note"
    assert findings["data folder"]["verdict"] == "ok"
    assert not (tmp_path / "data").exists()


def test_version_and_help(tmp_path: Path) -> None:
    environment = serving_environment(tmp_path / "data", tmp_path)
    assert run_synapse("--version", environment=environment).stdout.startswith("synapse, version ")
    said = run_synapse("-h", environment=environment).stdout
    for command in "serve models ps start stop enable disable rescan logs activity doctor".split():
        assert f"\n  {command} " in said
