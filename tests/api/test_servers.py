"""The server calls over HTTP: their shapes, messages and errors, word for word."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil
from tests.fakes.control_plane import ControlPlane, open_control_plane, write_model
from tests.fakes.listener import listening
from tests.fakes.rig import is_alive, until
from tests.fakes.stage import Behaviour, Stage
from tests.fakes.strangers import stranger

SERVERS = "/api/models/servers"
SERVER_FIELDS = set(
    "model_id replica display_name tier status port pid url node uptime_seconds memory_used_mb"
    " memory_private_mb progress eta_seconds active_requests restarts last_error started_at".split()
)


def without_time(response: httpx.Response, field: str) -> Any:
    body = response.json()
    assert 0 <= body.pop(field) < 10
    return body


async def test_start_and_stop(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    port = plane.settings.port_range_start
    started = {
        "message": "Server started for qwen_7b_fast",
        "model_id": "qwen_7b_fast",
        "display_name": "Qwen 7B (Q4_K_M)",
        "port": port,
        "status": "started",
    }
    response = await plane.post(f"{SERVERS}/{model_id}/start")
    assert response.status_code == 200
    assert without_time(response, "startup_time_seconds") == started
    again = await plane.post(f"{SERVERS}/{model_id}/start")
    assert again.json() == started | {"status": "already_running", "startup_time_seconds": 0.0}
    stopped = {
        "message": "Server stopped for qwen_7b_fast",
        "model_id": "qwen_7b_fast",
        "display_name": "Qwen 7B (Q4_K_M)",
        "status": "stopped",
    }
    response = await plane.post(f"{SERVERS}/{model_id}/stop")
    assert response.status_code == 200
    assert without_time(response, "shutdown_time_seconds") == stopped
    response = await plane.post(f"{SERVERS}/{model_id}/stop")
    assert without_time(response, "shutdown_time_seconds") == stopped | {"status": "not_running"}


async def test_start_without_waiting(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(loads_when_told=True))
    response = await plane.post(f"{SERVERS}/{model_id}/start?wait=false")
    assert response.status_code == 202
    assert response.json() == {
        "message": "Server starting for qwen_7b_fast",
        "model_id": "qwen_7b_fast",
        "display_name": "Qwen 7B (Q4_K_M)",
        "port": None,
        "status": "starting",
        "startup_time_seconds": 0.0,
    }
    (await plane.enter(model_id)).tell("ready")
    assert (await plane.post(f"{SERVERS}/{model_id}/start")).json()["status"] in (
        "started",
        "already_running",
    )
    response = await plane.post(f"{SERVERS}/{model_id}/start?wait=false")
    assert (response.status_code, response.json()["status"]) == (200, "already_running")


async def test_a_stop_cancels_a_start(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(loads_when_told=True))
    starts = [asyncio.create_task(plane.post(f"{SERVERS}/{model_id}/start")) for _ in range(2)]
    await plane.enter(model_id)
    assert (await plane.post(f"{SERVERS}/{model_id}/stop")).json()["status"] == "stopped"
    for start in starts:
        response = await start
        assert (response.status_code, response.json()["error"]) == (409, "Start cancelled")


async def test_a_client_that_leaves_does_not_end_its_start(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(loads_when_told=True))
    start = asyncio.create_task(plane.post(f"{SERVERS}/{model_id}/start"))
    actor = await plane.enter(model_id)
    start.cancel()
    await asyncio.wait({start})
    actor.tell("ready")
    await until(lambda: plane.services.fleet.servers[model_id].state == "ready")


async def test_stop_now(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(ignores_sigterm=True))
    actor = await plane.start(model_id)
    response = await plane.post(f"{SERVERS}/{model_id}/stop?now=true")
    assert response.json()["shutdown_time_seconds"] < 5
    assert not is_alive(actor.pid)


async def test_a_failed_start(plane: ControlPlane) -> None:
    line = "llama_model_load: error loading model: unknown model architecture: 'new'"
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(exit_code=1, log=[line]))
    response = await plane.post(f"{SERVERS}/{model_id}/start")
    body = response.json()
    assert (response.status_code, body["error"]) == (500, "Failed to start server")
    assert body["detail"].startswith("This engine does not know the architecture new (exit code 1). Last log")
    assert body["detail"].endswith(line)
    model = (await plane.get(f"/api/models/{model_id}")).json()
    assert model["status"] == "failed"
    assert {key: model["last_error"][key] for key in ("error", "detail")} == body
    (server,) = (await plane.get(SERVERS)).json()["servers"]
    assert (server["status"], server["pid"], server["last_error"]) == ("failed", None, model["last_error"])
    assert (await plane.post(f"{SERVERS}/{model_id}/stop")).json()["status"] == "not_running"
    assert (await plane.get(f"/api/models/{model_id}")).json()["status"] == "stopped"


async def test_a_taken_pinned_port(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    port = plane.settings.port_range_end
    await plane.patch(f"/api/models/{model_id}", {"port": port})
    async with stranger(port):
        response = await plane.post(f"{SERVERS}/{model_id}/start")
    me = psutil.Process().name()
    assert response.status_code == 500
    assert response.json() == {
        "error": "Failed to start server",
        "detail": f"Port {port} already in use by {me} (pid {os.getpid()})",
    }


async def test_a_start_that_takes_too_long(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage, max_startup_seconds=0.3) as plane:
        model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(loads_when_told=True))
        response = await plane.post(f"{SERVERS}/{model_id}/start")
        assert (response.status_code, response.json()["error"]) == (504, "Failed to start server")
        assert "Still loading after 0 s" in response.json()["detail"]
        assert "loading model" in response.json()["detail"]


async def test_a_vanished_file_and_a_broken_one(plane: ControlPlane) -> None:
    gone = await plane.add("Alpha-7B-Q4_K_M.gguf")
    broken = await plane.add("Beta-7B-Q4_K_M-00001-of-00002.gguf")
    plane.path("Alpha-7B-Q4_K_M.gguf").unlink()
    response = await plane.post(f"{SERVERS}/{gone}/start")
    assert (response.status_code, response.json()["error"]) == (404, f"Model file not found: {gone}")
    assert str(plane.path("Alpha-7B-Q4_K_M.gguf")) in response.json()["detail"]
    response = await plane.post(f"{SERVERS}/{broken}/start")
    assert (response.status_code, response.json()["error"]) == (500, "Failed to start server")
    assert "Beta-7B-Q4_K_M-00002-of-00002.gguf" in response.json()["detail"]


async def test_no_engine(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, tmp_path / "none", stage) as plane:
        model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
        response = await plane.post(f"{SERVERS}/{model_id}/start")
        assert (response.status_code, response.json()["error"]) == (503, "llama-server not found")
        assert str(tmp_path / "none") in response.json()["detail"]
        assert "pip install" in response.json()["detail"]
        system = (await plane.get("/api/system")).json()
        assert (system["engine"]["found"], system["engine"]["path"]) == (False, None)
        assert str(tmp_path / "none") in system["engine"]["problem"]


async def test_start_all_and_stop_all(plane: ControlPlane) -> None:
    good = await plane.add("Alpha-7B-Q4_K_M.gguf")
    bad = await plane.add("Beta-7B-Q4_K_M.gguf", Behaviour(exit_code=1, log=["out of memory"]))
    other = await plane.add("Gamma-30B-Q4_K_M.gguf")
    assert without_time(await plane.post(f"{SERVERS}/start-all"), "startup_time_seconds") == {
        "message": "Started 0/0 servers",
        "started": 0,
        "total": 0,
        "models": [],
        "failed": [],
    }
    await plane.post("/api/models/enable", {"enabled": True})
    answer = without_time(await plane.post(f"{SERVERS}/start-all"), "startup_time_seconds")
    assert (answer["message"], answer["started"], answer["total"]) == ("Started 2/3 servers", 2, 3)
    names = {good: "Alpha 7B (Q4_K_M)", other: "Gamma 30B (Q4_K_M)"}
    assert [(m["model_id"], m["display_name"]) for m in answer["models"]] == list(names.items())
    assert {m["port"] for m in answer["models"]} <= set(range(plane.settings.port_range_start, 65_536))
    (failed,) = answer["failed"]
    assert set(failed) == {"model_id", "display_name", "error", "detail"}
    assert (failed["model_id"], failed["error"]) == (bad, "Failed to start server")
    assert failed["detail"].startswith("Out of memory")
    answer = (await plane.post(f"{SERVERS}/start-all", {"tier": "powerful"})).json()
    assert (answer["message"], [m["model_id"] for m in answer["models"]]) == ("Started 1/1 servers", [other])
    answer = (await plane.post(f"{SERVERS}/start-all", {"model_ids": [bad]})).json()
    assert (answer["message"], answer["started"]) == ("Started 0/1 servers", 0)
    assert without_time(await plane.post(f"{SERVERS}/stop-all"), "shutdown_time_seconds") == {
        "message": "Stopped 2 servers",
        "stopped": 2,
        "failed": [],
    }
    assert (await plane.post(f"{SERVERS}/stop-all")).json()["message"] == "Stopped 0 servers"
    assert (await plane.get(SERVERS)).json() == {"servers": [], "total_running": 0}
    for bad_ask in ({"bogus": 1}, {"tier": "huge"}, {"model_ids": "x"}):
        assert (await plane.post(f"{SERVERS}/start-all", bad_ask)).status_code == 422


async def test_the_list_and_one(plane: ControlPlane) -> None:
    running = await plane.add("Alpha-7B-Q4_K_M.gguf")
    loading = await plane.add("Beta-7B-Q4_K_M.gguf", Behaviour(loads_when_told=True))
    stopped = await plane.add("Gamma-7B-Q4_K_M.gguf")
    actor = await plane.start(running)
    await plane.post(f"{SERVERS}/{loading}/start?wait=false")
    loader = await plane.enter(loading)
    answer = (await plane.get(SERVERS)).json()
    assert answer["total_running"] == 1
    one, other = answer["servers"]
    assert set(one) == set(other) >= SERVER_FIELDS
    assert (one["model_id"], one["status"], one["pid"], one["port"]) == (
        running,
        "running",
        actor.pid,
        actor.port,
    )
    assert (one["url"], one["node"], one["progress"]) == (f"http://127.0.0.1:{actor.port}", "local", 1.0)
    assert one["memory_used_mb"] > 1 and 0 < one["memory_private_mb"] <= one["memory_used_mb"]
    assert (one["uptime_seconds"], one["active_requests"], one["restarts"]) == (0, 0, 0)
    assert one["started_at"].endswith("Z")
    assert (other["model_id"], other["status"], other["pid"]) == (loading, "starting", loader.pid)
    assert (await plane.get(f"{SERVERS}/{running}")).json()["pid"] == actor.pid
    none = (await plane.get(f"{SERVERS}/{stopped}")).json()
    assert set(none) >= SERVER_FIELDS
    assert (none["status"], none["pid"], none["url"], none["memory_used_mb"]) == ("stopped", None, None, 0.0)


async def test_logs(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(log=[f"line {n}" for n in range(300)]))
    path = f"{SERVERS}/{model_id}/logs"
    assert (await plane.get(path)).json() == {"model_id": model_id, "lines": []}
    await plane.start(model_id)
    lines = (await plane.get(path)).json()["lines"]
    assert (len(lines), lines[-1]) == (200, "line 299")
    assert (await plane.get(f"{path}?tail=2")).json()["lines"] == ["line 298", "line 299"]
    assert len((await plane.get(f"{path}?tail=1000")).json()["lines"]) == 301
    for tail in ("0", "-1", "x", "100001"):
        assert (await plane.get(f"{path}?tail={tail}")).status_code == 422


async def test_while_it_boots(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage, booted=False) as plane:
        model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
        for path in (f"{model_id}/start", f"{model_id}/stop", "start-all", "stop-all"):
            response = await plane.post(f"{SERVERS}/{path}")
            assert response.status_code == 503
            assert response.json() == {
                "error": "Server manager not initialized",
                "detail": "Backend service not ready",
            }
        for path in ("/api/models/registry", SERVERS, f"/api/models/{model_id}", "/api/system", "/health"):
            assert (await plane.get(path)).status_code == 200
        assert (await plane.get("/health/ready")).status_code == 503
        await plane.boot()
        assert (await plane.get("/health/ready")).json() == {"status": "ready"}
        await plane.start(model_id)


async def test_autostart(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage) as plane:
        model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
        await plane.patch(f"/api/models/{model_id}", {"settings": {"autostart": True}})
        write_model(plane.path("Other-7B-Q4_K_M.gguf"))
    async with open_control_plane(tmp_path, engine, stage) as plane:
        assert [s["model_id"] for s in (await plane.get(SERVERS)).json()["servers"]] == [model_id]


def is_second_running(data: Any) -> bool:
    return (data["replica"], data["status"]) == (2, "running")


async def test_every_replica_is_a_row_and_the_model_counts_once(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(log=["ready to serve"]))
    assert (await plane.patch(f"/api/models/{model_id}", {"settings": {"replicas": 2}})).status_code == 200
    async with listening(plane.http) as listener:
        await plane.start(model_id)
        heard = await listener.next(
            "server", lambda data: (data["replica"], data["status"]) == (2, "running")
        )
    listed = (await plane.get(SERVERS)).json()
    assert [(row["model_id"], row["replica"]) for row in listed["servers"]] == [(model_id, 1), (model_id, 2)]
    assert listed["total_running"] == 1
    assert listed["servers"][1]["port"] == heard.data["port"] != listed["servers"][0]["port"]
    log = (await plane.get(f"{SERVERS}/{model_id}/logs?replica=2")).json()
    assert "ready to serve" in log["lines"]
    second = (await plane.enter(model_id)).pid
    os.kill(second, signal.SIGKILL)
    server = plane.services.fleet.servers[f"{model_id}#2"]
    await until(lambda: server.state == "failed")
    rows = (await plane.get(SERVERS)).json()["servers"]
    assert [row["status"] for row in rows] == ["running", "failed"]
    assert rows[0]["degraded"].startswith("1 of 2 replicas run. Replica 2: Server ended by itself.")
    assert (await plane.get(f"/api/models/{model_id}")).json()["status"] == "running"
    stopped = (await plane.post(f"{SERVERS}/stop-all")).json()
    assert (stopped["message"], stopped["stopped"]) == ("Stopped 1 servers", 1)
