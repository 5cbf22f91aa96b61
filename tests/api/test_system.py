"""What the control plane says of itself, and what every route answers that is asked wrongly."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.stage import Stage

import synapse_engine
from synapse_engine.launch.engine import install_command


async def test_health(plane: ControlPlane) -> None:
    assert (await plane.get("/health")).json() == {"status": "ok"}
    assert (await plane.get("/health/ready")).json() == {"status": "ready"}


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/v1/models"])
async def test_a_head_is_a_get_without_its_body(plane: ControlPlane, path: str) -> None:
    head, get = await plane.http.head(path), await plane.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_system(plane: ControlPlane, engine: Path) -> None:
    answer = (await plane.get("/api/system")).json()
    assert answer["version"] == synapse_engine.__version__
    version = "0.0.9-fake (build 9, commit 1234567)"
    install = answer["engine"].pop("install")
    assert install == install_command(platform.system(), platform.machine(), sys.executable)
    assert answer["engine"] == {"found": True, "path": str(engine), "version": version, "problem": None}
    (ram,) = answer["devices"]
    assert (ram["name"], ram["kind"]) == ("RAM", "ram")
    assert 0 < ram["free_mb"] < ram["total_mb"]
    folder = plane.settings.data_dir
    assert answer["paths"] == {
        "data_dir": str(folder),
        "registry": str(folder / "model_registry.json"),
        "logs": str(folder / "logs"),
        "scan_paths": [str(plane.models)],
    }
    assert answer["api_key_required"] is False
    assert (answer["refresh_seconds"], answer["uptime_seconds"] >= 0) == (30.0, True)


async def test_no_such_route_and_no_such_method(plane: ControlPlane) -> None:
    response = await plane.get("/api/nothing/here")
    assert response.status_code == 404
    assert response.json() == {
        "error": "Not found",
        "detail": "There is no /api/nothing/here here; /docs lists what there is.",
    }
    response = await plane.http.delete("/api/models/registry")
    assert (response.status_code, response.json()["error"]) == (405, "Method not allowed")
    assert "GET" in response.headers["allow"]


async def test_guarded_over_http(tmp_path: Path, engine: Path, stage: Stage) -> None:
    allowed = ("https://app.example",)
    async with open_control_plane(
        tmp_path, engine, stage, api_key="s3cret", allowed_origins=allowed
    ) as plane:
        assert (await plane.get("/api/system")).status_code == 401
        assert (await plane.get("/health")).status_code == 200
        key = {"Authorization": "Bearer s3cret"}
        answer = await plane.get("/api/system", headers=key)
        assert answer.json()["api_key_required"] is True
        assert (await plane.get("/api/system", headers=key | {"Host": "evil.example"})).status_code == 403
        foreign = await plane.get("/api/system", headers=key | {"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert "access-control-allow-origin" not in foreign.headers
        preflight = {
            "Origin": allowed[0],
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization, content-type",
        }
        answer = await plane.http.options("/api/models/x", headers=preflight)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == allowed[0]
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        answer = await plane.get("/api/system", headers=key | {"Origin": allowed[0]})
        assert answer.headers["access-control-allow-origin"] == allowed[0]


async def test_the_key_is_nowhere_to_be_read(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage, api_key="s3cret") as plane:
        plane.http.headers["X-Api-Key"] = "s3cret"
        model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
        await plane.start(model_id)
        for path in ("/api/system", "/api/models/registry", "/api/models/servers", "/openapi.json"):
            assert "s3cret" not in (await plane.get(path)).text
        for folder, _, files in os.walk(plane.settings.data_dir):
            assert not any(b"s3cret" in Path(folder, name).read_bytes() for name in files)
