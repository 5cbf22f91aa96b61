"""Memory on the wire: plans, refusals, what is needed and what was measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.stage import Stage

SERVERS = "/api/models/servers"


@pytest.fixture
async def tight(tmp_path: Path, engine: Path, stage: Stage) -> AsyncIterator[ControlPlane]:
    """Memory for one of the models at a time."""
    async with open_control_plane(tmp_path, engine, stage, memory_limit_mb=40) as plane:
        yield plane


async def test_a_refusal(tight: ControlPlane) -> None:
    first = await tight.add("Qwen-7B-Q4_K_M.gguf")
    second = await tight.add("Llama-8B-Q4_K_M.gguf")
    await tight.start(first)
    response = await tight.post(f"{SERVERS}/{second}/start")
    assert response.status_code == 507
    body = response.json()
    assert body.keys() == {"error", "detail"}
    assert body["error"] == "Not enough memory"
    assert f"{first} would have to stop" in body["detail"]
    forced = await tight.post(f"{SERVERS}/{second}/start?force=true")
    assert (forced.status_code, forced.json()["status"]) == (200, "started")


async def test_those_of_a_start_all_that_do_not_fit_are_listed(tight: ControlPlane) -> None:
    ids = [await tight.add(f"Qwen-{size}B-Q4_K_M.gguf") for size in (2, 7)]
    response = await tight.post(f"{SERVERS}/start-all", {"model_ids": ids})
    body = response.json()
    assert (response.status_code, body["message"]) == (200, "Started 1/2 servers")
    (failed,) = body["failed"]
    assert failed["error"] == "Not enough memory"


async def test_a_plan(tight: ControlPlane) -> None:
    model_id = await tight.add("Qwen-7B-Q4_K_M.gguf")
    plan = (await tight.get(f"/api/models/{model_id}/plan")).json()
    (ram,) = plan["devices"]
    assert (plan["fits"], plan["evicts"], plan["detail"], plan["notice"]) == (True, [], None, None)
    assert plan["needed_mb"] == pytest.approx(sum(plan["estimate"].values()), abs=1)
    assert (ram["name"], ram["kind"], ram["limit_mb"], ram["needed_mb"]) == (
        "RAM",
        "ram",
        40.0,
        plan["needed_mb"],
    )
    assert (plan["free_mb"], ram["free_mb"], ram["reserved_mb"]) == (40.0, 40.0, 0.0)
    assert tight.services.fleet.servers == {}


async def test_a_plan_that_does_not_fit(tight: ControlPlane) -> None:
    first = await tight.add("Qwen-7B-Q4_K_M.gguf")
    second = await tight.add("Llama-8B-Q4_K_M.gguf")
    await tight.start(first)
    plan = (await tight.get(f"/api/models/{second}/plan")).json()
    assert (plan["fits"], plan["evicts"]) == (False, [])
    assert "would have to stop" in plan["detail"]
    assert (await tight.get("/api/models/nobody/plan")).status_code == 404


async def test_estimated_and_measured(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    model = (await plane.get(f"/api/models/{model_id}")).json()
    assert model["estimated_memory_mb"] > 16
    assert model["measured_memory_mb"] is None
    await plane.start(model_id)
    async with asyncio.timeout(10):
        while model["measured_memory_mb"] is None:
            model = (await plane.get(f"/api/models/{model_id}")).json()
    (server,) = (await plane.get(SERVERS)).json()["servers"]
    assert model["measured_memory_mb"] == pytest.approx(server["memory_used_mb"], rel=0.1)
    plan = (await plane.get(f"/api/models/{model_id}/plan")).json()
    assert (plan["is_measured"], plan["needed_mb"]) == (True, model["measured_memory_mb"])


async def test_a_servers_memory_is_there_as_soon_as_it_runs(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.start(model_id)
    server = (await plane.get(f"{SERVERS}/{model_id}")).json()
    assert 0 < server["memory_private_mb"] <= server["memory_used_mb"]


async def test_devices_and_pinned_are_taken(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    settings = {"devices": "cpu", "pinned": True}
    response = await plane.patch(f"/api/models/{model_id}", {"settings": settings})
    assert response.json()["settings"] == settings
    actor = await plane.start(model_id)
    assert actor.argv[actor.argv.index("--device") + 1] == "none"


async def test_a_plan_with_other_settings(plane: ControlPlane) -> None:
    facts: dict[str, Any] = {
        "llama__block_count": 4,
        "llama__embedding_length": 256,
        "llama__attention__head_count": 4,
    }
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", llama__context_length=32_768, **facts)
    path = f"/api/models/{model_id}/plan"
    await plane.patch(f"/api/models/{model_id}", {"settings": {"ctx_size": 8192, "threads": 2}})
    saved = (await plane.get(path)).json()
    asked = {"ctx_size": 16_384, "parallel": 2, "cache_type_k": "q8_0", "threads": None}
    plan = (await plane.post(path, {"settings": asked})).json()
    assert (saved["context_tokens"], saved["slots"], saved["request_tokens"]) == (8192, 1, 8192)
    assert (plan["context_tokens"], plan["slots"], plan["request_tokens"]) == (16_384, 2, 8192)
    # Twice the tokens, each with keys of 1.0625 and values of 2 bytes instead of 2 and 2.
    assert plan["estimate"]["kv_cache_mb"] == pytest.approx(
        saved["estimate"]["kv_cache_mb"] * 2 * 3.0625 / 4, abs=0.1
    )
    assert saved["settings"]["threads"] == 2
    assert "threads" not in plan["settings"]
    # Nothing was saved.
    assert (await plane.get(f"/api/models/{model_id}")).json()["settings"] == {
        "ctx_size": 8192,
        "threads": 2,
    }
    assert (await plane.get(path)).json()["estimate"] == saved["estimate"]


async def test_a_plan_with_all_settings_cleared(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", llama__context_length=32_768)
    await plane.patch(f"/api/models/{model_id}", {"settings": {"ctx_size": 8192}})
    plan = (await plane.post(f"/api/models/{model_id}/plan", {"settings": None})).json()
    assert plan["context_tokens"] == 32_768
    unchanged = (await plane.post(f"/api/models/{model_id}/plan", {})).json()
    assert unchanged["context_tokens"] == 8192


async def test_a_plan_with_settings_that_cannot_be_taken(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    path = f"/api/models/{model_id}/plan"
    for body, error in (
        ({"settings": {"no_such_option": 1}}, "Unknown setting: no_such_option"),
        ({"settings": {"port": 1}}, "Reserved setting: port"),
        ({"enabled": True}, "Invalid request"),
    ):
        refused = await plane.post(path, body)
        assert (refused.status_code, refused.json()["error"]) == (422, error)
    assert (await plane.post("/api/models/nobody/plan", {})).status_code == 404
