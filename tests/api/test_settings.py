"""Settings on the wire: what they are, where they come from, and changes that take effect at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.listener import listening
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour, Stage

SERVERS = "/api/models/servers"


async def settings_of(plane: ControlPlane) -> dict[str, dict[str, Any]]:
    answer = (await plane.get("/api/settings")).json()
    return {setting["field"]: setting for setting in answer["settings"]}


async def test_every_setting_is_told(plane: ControlPlane) -> None:
    told = await settings_of(plane)
    assert told["queue_max"] == {
        "field": "queue_max",
        "name": "SYNAPSE_QUEUE_MAX",
        "value": 256,
        "default": 256,
        "saved": None,
        "source": "default",
        "description": "How many requests may wait for a model; four times as many in all.",
        "can_change": True,
        "is_secret": False,
        "form": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
    }
    assert told["loading_news"]["form"]["enum"] == ["comments", "reasoning", "off"]
    assert (told["port"]["source"], told["port"]["can_change"]) == ("flag", False)
    assert told["scan_paths"]["value"] == [str(plane.models)]
    assert told["data_dir"]["value"] == str(plane.settings.data_dir)


async def test_secrets_are_not_told(tmp_path: Path, engine: Path, stage: Stage) -> None:
    keys: dict[str, Any] = {"api_key": "s3cret", "hf_token": "hf_s3cret"}
    async with open_control_plane(tmp_path, engine, stage, **keys) as plane:
        plane.http.headers["Authorization"] = "Bearer s3cret"
        answer = await plane.get("/api/settings")
        assert "s3cret" not in answer.text
        told = await settings_of(plane)
        assert [(told[f]["value"], told[f]["is_secret"]) for f in keys] == [("********", True)] * 2
    async with open_control_plane(tmp_path, engine, stage) as plane:
        told = await settings_of(plane)
        assert [(told[f]["value"], told[f]["is_secret"]) for f in keys] == [(None, True)] * 2


async def test_a_change_is_told_saved_and_in_effect(
    plane: ControlPlane, tmp_path: Path, engine: Path, stage: Stage
) -> None:
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        answer = await plane.patch("/api/settings", {"refresh_seconds": 7})
        assert answer.status_code == 200
        event = await listener.next("settings")
        assert event.data == answer.json()
    changed = (await settings_of(plane))["refresh_seconds"]
    assert (changed["value"], changed["saved"], changed["source"]) == (7, 7, "saved")
    assert (await plane.get("/api/system")).json()["refresh_seconds"] == 7
    assert answer.json()["saved_in"] == str(plane.settings.data_dir / "settings.json")
    async with open_control_plane(tmp_path, engine, stage, booted=False) as later:
        assert (await settings_of(later))["refresh_seconds"]["value"] == 7
    back = await plane.patch("/api/settings", {"refresh_seconds": None})
    assert back.status_code == 200
    assert (await settings_of(plane))["refresh_seconds"]["source"] == "default"


async def test_what_a_flag_says_goes_before(plane: ControlPlane) -> None:
    answer = (await plane.patch("/api/settings", {"restart_max": 3})).json()
    assert answer["notices"] == [
        "SYNAPSE_RESTART_MAX is given by a flag of `synapse serve`, which goes before what is saved here."
    ]
    told = (await settings_of(plane))["restart_max"]
    assert (told["value"], told["saved"], told["source"]) == (0, 3, "flag")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"port": 9000}, "Invalid request"),
        ({"queue_max": -1}, "Invalid request"),
        ({"restart_window_seconds": 0}, "Bad value for SYNAPSE_RESTART_WINDOW_SECONDS"),
        ({"loading_news": "loud"}, "Invalid request"),
    ],
)
async def test_what_cannot_be_taken(plane: ControlPlane, change: dict[str, Any], error: str) -> None:
    refused = await plane.patch("/api/settings", {"evict": False, **change})
    assert (refused.status_code, refused.json()["error"]) == (422, error)
    assert (await settings_of(plane))["evict"]["value"] is True


async def test_a_memory_limit_holds_from_now_on(plane: ControlPlane) -> None:
    first = await plane.add("Qwen-7B-Q4_K_M.gguf")
    second = await plane.add("Llama-8B-Q4_K_M.gguf")
    await plane.start(first)
    (await plane.patch("/api/settings", {"memory_limit_mb": 40})).raise_for_status()
    (device,) = (await plane.get("/api/system")).json()["devices"]
    assert device["limit_mb"] == 40
    refused = await plane.post(f"{SERVERS}/{second}/start")
    assert refused.status_code == 507
    (await plane.patch("/api/settings", {"memory_limit_mb": None})).raise_for_status()
    await plane.start(second)


async def test_requests_may_start_models_or_not_from_now_on(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    chat = {"model": model_id, "messages": [{"role": "user", "content": "Hi"}]}
    (await plane.patch("/api/settings", {"on_demand": False})).raise_for_status()
    assert (await plane.post("/v1/chat/completions", chat)).status_code == 503
    (await plane.patch("/api/settings", {"on_demand": True})).raise_for_status()
    assert (await plane.post("/v1/chat/completions", chat)).status_code == 200


async def test_idle_stops_from_now_on(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    chat = {"model": model_id, "messages": [{"role": "user", "content": "Hi"}]}
    assert (await plane.post("/v1/chat/completions", chat)).status_code == 200
    (await plane.patch("/api/settings", {"idle_stop_seconds": 0.1})).raise_for_status()
    server = plane.services.fleet.servers[model_id]
    await until(lambda: server.state.name == "STOPPED")


async def test_how_long_a_stop_waits_from_now_on(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(ignores_sigterm=True))
    await plane.start(model_id)
    (await plane.patch("/api/settings", {"stop_timeout_seconds": 0.1})).raise_for_status()
    stopped = (await plane.post(f"{SERVERS}/{model_id}/stop")).json()
    assert (stopped["status"], stopped["shutdown_time_seconds"] < 5) == ("stopped", True)


async def test_everybody_has_what_was_changed(plane: ControlPlane) -> None:
    changes: dict[str, Any] = {
        "start_concurrency": 1,
        "drain_seconds": 1,
        "probe_seconds": 2,
        "restart_window_seconds": 3,
        "log_max_mb": 4,
        "activity_max": 5,
        "queue_max": 6,
        "queue_seconds": 7,
        "loading_news": "off",
        "body_max_mb": 8,
        "keep_servers": True,
        "evict": False,
    }
    (await plane.patch("/api/settings", changes)).raise_for_status()
    services, gateway = plane.services, plane.services.gateway
    assert (services.limits.drain_seconds, services.limits.probe_seconds) == (1, 2)
    assert services.restart_limits.window_seconds == 3
    assert (services.logs.max_bytes, services.recorder.kept) == (4_000_000, 5)
    assert (gateway.lines.queue_max, gateway.lines.queue_seconds) == (6, 7)
    assert (gateway.news.manner, gateway.body_max_bytes) == ("off", 8_000_000)
    assert (services.settings.keep_servers, services.fleet.budget.admission.may_evict) == (True, False)
