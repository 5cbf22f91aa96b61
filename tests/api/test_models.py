"""The registry over HTTP: list, one, edit, enable, rescan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane, write_model
from tests.fakes.stage import Stage
from tests.gguf_files import write_llama

MODEL_FIELDS = set(
    "model_id display_name family version variant architecture size_b quantization tier tier_is_override kind"
    " capabilities context_length file_path file_size_mb shards repo enabled port port_is_pinned aliases"
    " settings settings_verified estimated_memory_mb measured_memory_mb missing problem status last_error"
    " restart_required".split()
)


async def test_the_registry(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    plane.path("broken.gguf").write_bytes(b"not a model")
    await plane.post("/api/models/rescan")
    answer = (await plane.get("/api/models/registry")).json()
    assert set(answer) >= set(
        "models scan_paths last_scan scan_seconds scanning port_range skipped notices".split()
    )
    (model,) = answer["models"]
    assert set(model) >= MODEL_FIELDS
    expected = {
        "model_id": "qwen_7b_fast",
        "display_name": "Qwen 7B (Q4_K_M)",
        "tier": "fast",
        "kind": "chat",
        "quantization": "Q4_K_M",
        "context_length": 4096,
        "enabled": False,
        "port": None,
        "port_is_pinned": False,
        "settings": {},
        "settings_verified": True,
        "missing": False,
        "problem": None,
        "status": "stopped",
        "last_error": None,
        "restart_required": False,
        "file_path": str(plane.path("Qwen-7B-Q4_K_M.gguf")),
    }
    assert {name: model[name] for name in expected} == expected
    assert model_id == "qwen_7b_fast"
    assert answer["scan_paths"] == [str(plane.models)]
    assert answer["last_scan"].endswith("Z") and answer["scan_seconds"] > 0
    assert answer["port_range"] == {
        "start": plane.settings.port_range_start,
        "end": plane.settings.port_range_end,
    }
    (skipped,) = answer["skipped"]
    assert skipped["path"] == str(plane.path("broken.gguf")) and skipped["reason"]
    one = (await plane.get(f"/api/models/{model_id}")).json()
    assert {name: one[name] for name in model} == model


async def test_one_model_with_what_its_header_says(plane: ControlPlane) -> None:
    path = plane.path("Tiny-Llama-1B-F32.gguf")
    write_llama(path)
    await plane.post("/api/models/rescan")
    one = (await plane.get("/api/models/tiny_llama_1b_fast")).json()
    assert one["files"] == [str(path)]
    assert one["parameter_count"] > 0 and one["weights_mb"] > 0
    assert (one["projector"], one["draft"], one["adapters"], one["expert_weights_mb"]) == (None, None, [], 0)
    shape = one["shape"]
    assert (shape["layers"], shape["experts"], shape["is_recurrent"]) == (2, None, False)
    assert shape["key_length"] * shape["heads"] == shape["embedding_length"]
    assert shape["vocabulary_size"] > 0


async def test_an_unknown_model(plane: ControlPlane) -> None:
    expected = {
        "error": "Model not found: invalid_model_id",
        "detail": "Model does not exist in registry",
    }
    for method, path, body in (
        ("GET", "/api/models/invalid_model_id", None),
        ("PATCH", "/api/models/invalid_model_id", {"enabled": True}),
        ("POST", "/api/models/enable", {"enabled": True, "model_ids": ["invalid_model_id"]}),
        ("POST", "/api/models/servers/invalid_model_id/start", None),
        ("POST", "/api/models/servers/invalid_model_id/stop", None),
        ("GET", "/api/models/servers/invalid_model_id", None),
        ("GET", "/api/models/servers/invalid_model_id/logs", None),
        ("POST", "/api/models/servers/start-all", {"model_ids": ["invalid_model_id"]}),
    ):
        response = await plane.http.request(method, path, json=body)
        assert (response.status_code, response.json()) == (404, expected), path


async def test_every_field_can_be_chosen_and_put_back(plane: ControlPlane) -> None:
    path = f"/api/models/{await plane.add('Qwen-7B-Q4_K_M.gguf')}"
    for edit, shown in (
        ({"enabled": True}, {"enabled": True}),
        ({"enabled": None}, {"enabled": False}),
        ({"tier": "powerful"}, {"tier": "powerful", "tier_is_override": True}),
        ({"tier": None}, {"tier": "fast", "tier_is_override": False}),
        ({"port": 9123}, {"port": 9123, "port_is_pinned": True}),
        ({"port": None}, {"port": 9123, "port_is_pinned": False}),
        ({"aliases": [" one ", "two", "one"]}, {"aliases": ["one", "two"]}),
        ({"aliases": None}, {"aliases": []}),
        ({"settings": {"ctx_size": 512, "mmap": False}}, {"settings": {"ctx_size": 512, "mmap": False}}),
        ({"settings": {"threads": 2}}, {"settings": {"ctx_size": 512, "mmap": False, "threads": 2}}),
        ({"settings": {"ctx_size": None}}, {"settings": {"mmap": False, "threads": 2}}),
        ({"settings": None}, {"settings": {}}),
        ({"settings": {"extra_args": ["--jinja"], "env": {"A": "b"}, "autostart": True}}, {}),
        ({}, {"enabled": False}),
        ({"enabled": True, "tier": "balanced"}, {"enabled": True, "tier": "balanced"}),
    ):
        response = await plane.patch(path, edit)
        answer = response.json()
        assert response.status_code == 200, (edit, answer)
        assert {name: answer[name] for name in shown} == shown
        one = (await plane.get(path)).json()
        assert {name: one[name] for name in answer} == answer
    assert answer["settings"] == {"extra_args": ["--jinja"], "env": {"A": "b"}, "autostart": True}


REFUSED: list[tuple[Any, str]] = [
    ({"bogus": 1}, "body.bogus"),
    ({"enabled": "perhaps"}, "body.enabled"),
    ({"tier": "huge"}, "body.tier"),
    ({"port": "x"}, "body.port"),
    ({"port": 1023}, "Port out of range: 1023"),
    ({"port": 0}, "Port out of range: 0"),
    ({"port": 65_536}, "Port out of range: 65536"),
    ({"aliases": "x"}, "body.aliases"),
    ({"aliases": [""]}, "Bad alias"),
    ({"settings": []}, "body.settings"),
    ({"settings": {"port": 1}}, "Reserved setting: port"),
    ({"settings": {"host": "0.0.0.0"}}, "Reserved setting: host"),
    ({"settings": {"model": "x"}}, "Reserved setting: model"),
    ({"settings": {"api_key": "x"}}, "Reserved setting: api_key"),
    ({"settings": {"alias": "x"}}, "Reserved setting: alias"),
    ({"settings": {"extra_args": ["--port", "1"]}}, "Reserved setting: extra_args --port"),
    ({"settings": {"env": {"LLAMA_API_KEY": "x"}}}, "Reserved setting: env.LLAMA_API_KEY"),
    ({"settings": {"bogus": 1}}, "Unknown setting: bogus"),
    ({"settings": {"extra_args": ["--bogus"]}}, "Unknown setting: extra_args --bogus"),
    ({"settings": {"extra_args": "x"}}, "body.settings.extra_args"),
    ({"settings": {"replicas": 65}}, "body.settings.replicas"),
    ({"settings": {"idle_stop_seconds": -1}}, "body.settings.idle_stop_seconds"),
    ({"settings": {"engine": "nowhere"}}, "Unknown engine: nowhere"),
    ({"settings": {"ctx_size": {"a": 1}}}, "Bad value for ctx_size"),
    ({"settings": {"mmap": 3}}, "Bad value for mmap"),
    ([], "body"),
]


async def test_what_cannot_be_taken_is_named_and_changes_nothing(plane: ControlPlane) -> None:
    path = f"/api/models/{await plane.add('Qwen-7B-Q4_K_M.gguf')}"
    before = (await plane.get(path)).json()
    for edit, named in REFUSED:
        if isinstance(edit, dict):
            edit = {"tier": "powerful", **edit}
        response = await plane.patch(path, edit)
        answer = response.json()
        assert response.status_code == 422, (edit, answer)
        assert set(answer) == {"error", "detail"}
        assert named in f"{answer['error']}: {answer['detail']}", answer
    for content in (b"{", b"", b'{"settings": {"device": "\\ud800"}}', b'{"aliases": ["\\ud800"]}'):
        response = await plane.http.patch(path, content=content, headers={"Content-Type": "application/json"})
        assert response.status_code == 422, content
        assert set(response.json()) == {"error", "detail"}
    assert (await plane.get(path)).json() == before


async def test_a_port_is_pinned_once(plane: ControlPlane) -> None:
    first, second = await plane.add("Alpha-7B-Q4_K_M.gguf"), await plane.add("Beta-7B-Q4_K_M.gguf")
    await plane.patch(f"/api/models/{first}", {"port": 9123})
    response = await plane.patch(f"/api/models/{second}", {"port": 9123})
    assert response.status_code == 409
    assert response.json()["error"] == f"Port 9123 is pinned to {first}"
    assert (await plane.patch(f"/api/models/{first}", {"port": 9123})).status_code == 200
    await plane.patch(f"/api/models/{first}", {"port": None})
    assert (await plane.patch(f"/api/models/{second}", {"port": 9123})).status_code == 200


async def test_without_an_engine_settings_are_stored_unverified(
    tmp_path: Path, engine: Path, stage: Stage
) -> None:
    async with open_control_plane(tmp_path, tmp_path / "none", stage) as plane:
        path = f"/api/models/{await plane.add('Qwen-7B-Q4_K_M.gguf')}"
        answer = (await plane.patch(path, {"settings": {"whatever": 1}})).json()
        assert (answer["settings"], answer["settings_verified"]) == ({"whatever": 1}, False)
        response = await plane.patch(path, {"settings": {"port": 1}})
        assert response.json()["error"] == "Reserved setting: port"


async def test_choices_outlive_the_control_plane(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage) as plane:
        path = f"/api/models/{await plane.add('Qwen-7B-Q4_K_M.gguf')}"
        chosen = {
            "enabled": True,
            "tier": "powerful",
            "port": 9123,
            "aliases": ["a"],
            "settings": {"threads": 2},
        }
        await plane.patch(path, chosen)
    async with open_control_plane(tmp_path, engine, stage, booted=False) as plane:
        answer = (await plane.get(path)).json()
        assert {name: answer[name] for name in chosen} == chosen


async def test_a_registry_that_cannot_be_written(plane: ControlPlane) -> None:
    path = f"/api/models/{await plane.add('Qwen-7B-Q4_K_M.gguf')}"
    plane.services.folder.registry.with_name("model_registry.json.tmp").mkdir()
    response = await plane.patch(path, {"enabled": True})
    assert (response.status_code, response.json()["error"]) == (507, "Could not save")
    assert not (await plane.get(path)).json()["enabled"]


async def test_an_edit_of_a_running_one_says_that_it_needs_a_restart(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.start(model_id)
    path = f"/api/models/{model_id}"
    assert not (await plane.patch(path, {"enabled": True})).json()["restart_required"]
    answer = (await plane.patch(path, {"settings": {"threads": 2}})).json()
    assert answer["restart_required"] and answer["status"] == "running"
    assert not (await plane.patch(path, {"settings": None})).json()["restart_required"]


async def test_enable(plane: ControlPlane) -> None:
    small = await plane.add("Alpha-7B-Q4_K_M.gguf")
    large = await plane.add("Beta-30B-Q4_K_M.gguf")
    broken = await plane.add("Gamma-7B-Q4_K_M-00001-of-00002.gguf")

    async def enable(**ask: Any) -> tuple[str, int, list[str]]:
        answer = (await plane.post("/api/models/enable", ask)).json()
        return answer["message"], answer["changed"], [model["model_id"] for model in answer["models"]]

    assert await enable(enabled=True, tier="powerful") == ("Enabled 1 models", 1, [large])
    assert await enable(enabled=True) == ("Enabled 1 models", 1, [small, large])
    assert await enable(enabled=True, model_ids=[broken]) == ("Enabled 1 models", 1, [broken])
    assert await enable(enabled=False, model_ids=[small, "nobody"][:1]) == ("Disabled 1 models", 1, [small])
    assert await enable(enabled=False) == ("Disabled 2 models", 2, [small, large, broken])
    assert await enable(enabled=False, model_ids=[]) == ("Disabled 0 models", 0, [])
    for bad in ({}, {"enabled": True, "bogus": 1}, {"enabled": True, "tier": "huge"}):
        assert (await plane.post("/api/models/enable", bad)).status_code == 422


async def test_rescan(plane: ControlPlane) -> None:
    write_model(plane.path("Alpha-7B-Q4_K_M.gguf"))
    write_model(plane.path("Beta-7B-Q4_K_M.gguf"))
    answer = (await plane.post("/api/models/rescan")).json()
    seconds = answer.pop("scan_seconds")
    assert 0 < seconds < 5
    assert answer == {"message": "Found 2 models", "found": 2, "added": 2, "removed": 0, "changed": 0}
    plane.path("Alpha-7B-Q4_K_M.gguf").unlink()
    answer = (await plane.post("/api/models/rescan")).json()
    assert (answer["found"], answer["added"], answer["removed"]) == (1, 0, 1)
    assert (await plane.get("/api/models/alpha_7b_fast")).json()["missing"]


async def test_a_name_that_means_several(plane: ControlPlane) -> None:
    ids = [await plane.add("Alpha-7B-Q4_K_M.gguf"), await plane.add("Beta-7B-Q4_K_M.gguf")]
    for model_id in ids:
        await plane.patch(f"/api/models/{model_id}", {"aliases": ["both"]})
    expected = {
        "error": "Ambiguous model name: both",
        "detail": f"It could mean: {', '.join(ids)}",
    }
    for method, path in (("GET", "/api/models/both"), ("POST", "/api/models/servers/both/start")):
        response = await plane.http.request(method, path)
        assert (response.status_code, response.json()) == (409, expected)


@pytest.mark.parametrize("name", ["Qwen-7B-Q4_K_M", "QWEN_7b_fast", "Qwen 7B (Q4_K_M)"])
async def test_other_names(plane: ControlPlane, name: str) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    assert (await plane.get(f"/api/models/{name}")).json()["model_id"] == model_id
