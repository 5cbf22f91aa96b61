"""`/api/doctor`: what the running control plane finds wrong, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.hub import open_hub
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour, Stage


async def findings_of(plane: ControlPlane) -> dict[str, list[dict[str, str]]]:
    """By subject, without what the machine and the checkout decide."""
    answer = (await plane.get("/api/doctor")).json()
    found: dict[str, list[dict[str, str]]] = {}
    for finding in answer["findings"]:
        found.setdefault(finding["subject"], []).append(finding)
    assert answer["verdict"] in {finding["verdict"] for finding in answer["findings"]}
    return found


async def test_all_is_well(plane: ControlPlane) -> None:
    await plane.add("Qwen-7B-Q4_K_M.gguf")
    found = await findings_of(plane)
    assert found["engine"][0]["verdict"] == "ok"
    assert found["models"] == [
        {"subject": "models", "verdict": "ok", "found": f"1 in {plane.models}", "advice": ""}
    ]
    assert found["ports"][0]["found"] == "4 for 0 enabled models"
    assert found["memory"][0]["found"].startswith("RAM: ")
    assert found.keys() == {"engine", "models", "data folder", "memory", "ports", "page"}


async def test_what_is_missing(tmp_path: Path, stage: Stage) -> None:
    engines: dict[str, Any] = {"engines": {"cuda": tmp_path / "no-cuda"}, "insecure": True, "host": "0.0.0.0"}
    async with open_control_plane(tmp_path, tmp_path / "no-engine", stage, **engines) as plane:
        answer = (await plane.get("/api/doctor")).json()
        found = await findings_of(plane)
    assert answer["verdict"] == "missing"
    default, cuda = found["engine"]
    assert (default["verdict"], default["found"]) == ("missing", "llama-server not found")
    assert "pip install" in default["advice"]
    assert (cuda["verdict"], cuda["found"]) == ("note", "cuda: llama-server not found")
    assert found["models"][0]["verdict"] == "missing"
    assert "synapse pull" in found["models"][0]["advice"]
    assert "SYNAPSE_API_KEY" in found["access"][0]["advice"]


async def test_what_is_wrong_with_models_and_folders(plane: ControlPlane, tmp_path: Path) -> None:
    gone = await plane.add("Gone-1B-Q4_K_M.gguf")
    await plane.add("Cut-7B-Q4_K_M-00001-of-00002.gguf")
    more = tmp_path / "more"
    more.mkdir()
    await plane.post("/api/folders", {"path": str(more)})
    for n in range(4):
        await plane.add(f"M{n}-1B-Q4_K_M.gguf")
    await plane.post("/api/models/enable", {"enabled": True})
    plane.path("broken.gguf").write_bytes(b"no model")
    plane.path("Gone-1B-Q4_K_M.gguf").unlink()
    more.rmdir()
    await plane.post("/api/models/rescan")
    found = await findings_of(plane)
    cut, missing = found["model"]
    assert "00002-of-00002.gguf is missing" in cut["found"]
    assert (gone in missing["found"], missing["advice"]) == (True, "Bring it back, or disable it.")
    assert any("broken.gguf" in file["found"] for file in found["file"])
    assert found["folder"][0]["found"] == str(more)
    assert found["ports"][0]["verdict"] == "note"


async def test_what_is_wrong_with_servers(plane: ControlPlane) -> None:
    behaviour = Behaviour(exit_code=1, log=["cudaMalloc failed: out of memory"])
    model_id = await plane.add("Bad-7B-Q4_K_M.gguf", behaviour)
    assert (await plane.post(f"/api/models/servers/{model_id}/start")).status_code == 500
    (server,) = (await findings_of(plane))["server"]
    assert server["found"].startswith(f"{model_id}: ")
    assert server["advice"]


async def test_what_is_wrong_with_downloads(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_hub() as hub:
        hub.add("org/lies", {"l-Q8_0.gguf": b"as promised"})
        hub.sends["l-Q8_0.gguf"] = b"other bytes"
        settings: dict[str, Any] = {"hf_endpoint": hub.endpoint}
        async with open_control_plane(tmp_path, engine, stage, **settings) as plane:
            await plane.post("/api/downloads", {"repo": "org/lies"})
            (download,) = plane.services.downloads.all
            await until(lambda: not download.is_under_way)
            (finding,) = (await findings_of(plane))["download"]
    assert finding["found"] == "org/lies: The download is broken"
    assert "SHA-256" in finding["advice"]
