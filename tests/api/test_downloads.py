"""Downloads on the wire: what a repository offers, one that comes, and what a page hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.hub import COMMIT, FakeHub, open_hub
from tests.fakes.listener import listening
from tests.fakes.stage import Behaviour, Stage
from tests.gguf_files import build_file

REPO = "org/Tiny-1B-GGUF"
MODEL = build_file({"general.architecture": "llama", "llama.context_length": 4096})


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    async with open_hub() as hub:
        files = {f"Tiny-1B-{name}.gguf": MODEL + bytes(size) for name, size in (("Q8_0", 99), ("Q4_K_M", 0))}
        hub.add(REPO, {"README.md": b"#", **files})
        yield hub


@pytest.fixture
async def plane(tmp_path: Path, engine: Path, stage: Stage, hub: FakeHub) -> AsyncIterator[ControlPlane]:
    endpoint: dict[str, Any] = {"hf_endpoint": hub.endpoint}
    async with open_control_plane(tmp_path, engine, stage, memory_limit_mb=500, **endpoint) as plane:
        yield plane


async def test_what_a_repository_offers(plane: ControlPlane, hub: FakeHub) -> None:
    big = {"size": 9, "lfs": {"oid": "a" * 64, "size": 40_000_000_000, "pointerSize": 135}}
    hub.add("org/Big-70B-GGUF", {"Big-70B-Q4_K_M.gguf": b"x"}, promised={"Big-70B-Q4_K_M.gguf": big})
    found = (await plane.get("/api/downloads/search", params={"repo": f"{hub.endpoint}/{REPO}"})).json()
    assert (found["repo"], found["revision"], found["gated"]) == (REPO, COMMIT, False)
    assert found["url"] == f"{hub.endpoint}/{REPO}"
    q4, q8 = found["offers"]
    assert (q4["quantization"], q4["file"], q4["shards"]) == ("Q4_K_M", "Tiny-1B-Q4_K_M.gguf", 1)
    assert (q4["is_recommended"], q8["is_recommended"]) == (True, False)
    assert (q4["fits"], q4["fits_now"], q4["fits_gpu"], q4["fits_disk"]) == (True, True, None, True)
    assert (q4["is_here"], q4["download_id"]) == (False, None)
    assert q4["estimated_memory_mb"] == pytest.approx(300, abs=1)
    big_one = (await plane.get("/api/downloads/search", params={"repo": "org/Big-70B-GGUF"})).json()
    assert (big_one["offers"][0]["fits"], big_one["offers"][0]["size_mb"]) == (False, 40_000.0)


async def test_a_model_comes_and_appears_by_itself(plane: ControlPlane) -> None:
    async with listening(plane.http) as listener:
        snapshot = await listener.next("snapshot")
        assert snapshot.data["downloads"] == []
        begun = await plane.post("/api/downloads", {"repo": f"{REPO}:q8_0"})
        assert begun.status_code == 202
        download = begun.json()
        assert (download["repo"], download["quantization"]) == (REPO, "Q8_0")
        done = await listener.next("download", lambda news: news["status"] == "done")
        assert done.data["id"] == download["id"]
        assert (done.data["progress"], done.data["error"]) == (1.0, None)
        assert done.data["model_id"] == "tiny_1b_fast"
    model = (await plane.get("/api/models/tiny_1b_fast")).json()
    assert (model["repo"], model["missing"]) == (REPO, False)
    assert model["file_path"] == f"{done.data['folder']}/Tiny-1B-Q8_0.gguf"
    listed = (await plane.get("/api/downloads")).json()
    assert [d["status"] for d in listed["downloads"]] == ["done"]
    assert listed["folder"] == str(plane.settings.own_models)
    again = (await plane.get("/api/downloads/search", params={"repo": REPO})).json()["offers"]
    assert [(offer["is_here"], offer["download_id"]) for offer in again] == [(False, None), (True, None)]
    # By its repository's name it can be asked for and started, as any other.
    assert (await plane.get(f"/api/models/{REPO}:Q8_0")).json()["model_id"] == "tiny_1b_fast"
    Behaviour().write(Path(model["file_path"]), plane.stage.path)
    await plane.start("tiny_1b_fast")


async def test_pause_resume_and_remove(plane: ControlPlane, hub: FakeHub) -> None:
    hub.gate.clear()
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        begun = (await plane.post("/api/downloads", {"repo": REPO})).json()
        path = f"/api/downloads/{begun['id']}"
        await listener.next("download", lambda news: news["status"] == "downloading")
        offers = (await plane.get("/api/downloads/search", params={"repo": REPO})).json()["offers"]
        assert [offer["download_id"] for offer in offers] == [begun["id"], None]
        paused = await plane.http.delete(path, params={"keep": True})
        assert (paused.status_code, paused.json()["status"]) == (200, "paused")
        resumed = await plane.post(f"{path}/resume")
        assert (resumed.status_code, resumed.json()["status"]) == (202, "queued")
        removed = await plane.http.delete(path)
        assert removed.json()["status"] == "cancelled"
        await listener.next("download", lambda news: news["status"] == "cancelled")
    assert (await plane.get("/api/downloads")).json()["downloads"] == []
    for response in (await plane.http.delete(path), await plane.post(f"{path}/resume")):
        assert (response.status_code, response.json()["error"]) == (
            404,
            f"Download not found: {begun['id']}",
        )


async def test_a_failure_says_why_and_what_to_do(plane: ControlPlane, hub: FakeHub) -> None:
    hub.sends["Tiny-1B-Q4_K_M.gguf"] = MODEL[:-1] + b"x"
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        await plane.post("/api/downloads", {"repo": REPO})
        failed = (await listener.next("download", lambda news: news["status"] == "failed")).data
    assert failed["error"]["error"] == "The download is broken"
    assert "try again" in failed["error"]["detail"]
    assert failed["ended_at"] is not None


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"repo": "nonsense"}, 422, "Not a repository: nonsense"),
        ({"repo": "https://evil.example/a/b"}, 422, "Not on Hugging Face: https://evil.example/a/b"),
        ({"repo": "org/none"}, 404, "Repository not found: org/none"),
        ({"repo": f"{REPO}:Q2_K"}, 404, f"No such model in {REPO}: Q2_K"),
        ({"repo": REPO, "file": "../x.gguf"}, 404, f"No such model in {REPO}: ../x.gguf"),
        ({"repo": REPO, "bogus": 1}, 422, "Invalid request"),
        ({}, 422, "Invalid request"),
    ],
)
async def test_what_cannot_be_fetched(
    plane: ControlPlane, body: dict[str, Any], status: int, error: str
) -> None:
    response = await plane.post("/api/downloads", body)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert (await plane.get("/api/downloads")).json()["downloads"] == []


async def test_gated(plane: ControlPlane, hub: FakeHub) -> None:
    hub.add("org/gated", {"g-Q8_0.gguf": MODEL}, token="hf_right", is_gated=True)
    assert (await plane.get("/api/downloads/search", params={"repo": "org/gated"})).json()["gated"]
    response = await plane.post("/api/downloads", {"repo": "org/gated"})
    assert (response.status_code, response.json()["error"]) == (403, "org/gated is gated")


async def test_a_full_disk_is_a_507(plane: ControlPlane, hub: FakeHub) -> None:
    size = {"lfs": {"oid": "a" * 64, "size": 1 << 60, "pointerSize": 135}}
    hub.add("org/huge", {"h-Q8_0.gguf": b"x"}, promised={"h-Q8_0.gguf": size})
    response = await plane.post("/api/downloads", {"repo": "org/huge"})
    assert (response.status_code, response.json()["error"]) == (507, "Not enough room on the disk")
    (offer,) = (await plane.get("/api/downloads/search", params={"repo": "org/huge"})).json()["offers"]
    assert offer["fits_disk"] is False


async def test_progress_is_told_while_it_comes(plane: ControlPlane, hub: FakeHub) -> None:
    hub.add("org/slow", {"s-1B-Q8_0.gguf": MODEL + bytes(600_000)})
    hub.bytes_per_second = 300_000
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        await plane.post("/api/downloads", {"repo": "org/slow"})
        async with asyncio.timeout(10):
            news = await listener.next("download", lambda news: 0.3 < news["progress"] < 1)
        assert news.data["mb_per_second"] == pytest.approx(0.3, rel=0.5)
        assert news.data["eta_seconds"] == pytest.approx((1 - news.data["progress"]) * 2, abs=1.5)
        await listener.next("download", lambda news: news["status"] == "done")
