"""Which models a client may pick, in OpenAI's, Anthropic's and llama-server's shape."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from typing import Any

from tests.fakes.control_plane import ControlPlane
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour

CHAT = "/v1/chat/completions"
ANTHROPIC = {"anthropic-version": "2023-06-01"}


async def models(plane: ControlPlane) -> dict[str, dict[str, Any]]:
    answer = (await plane.get("/v1/models")).json()
    assert answer["object"] == "list"
    return {model["id"]: model for model in answer["data"] if model["kind"] != "mode"}


async def enable(plane: ControlPlane, model_id: str, **choices: Any) -> None:
    (await plane.patch(f"/api/models/{model_id}", {"enabled": True, **choices})).raise_for_status()


async def test_a_variant_is_a_name_to_pick(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    variants = [{"name": "pirate"}, {"name": "llama-8b"}]
    await enable(plane, model_id, aliases=["mine"], settings={"variants": variants})
    assert list(await models(plane)) == [model_id, "pirate", "llama-8b"]
    # A model of that name goes first.
    await plane.add("Llama-8B.gguf")
    listed = await models(plane)
    assert list(listed) == [model_id, "pirate", f"{model_id}:llama-8b"]
    assert listed[model_id]["aliases"] == ["mine"] and listed[model_id]["variant_of"] is None
    assert listed["pirate"]["aliases"] == [] and listed["pirate"]["variant_of"] == model_id
    for name in listed:
        assert (await plane.get(f"/v1/models/{name}")).json() == listed[name]


async def test_two_variants_of_one_name_are_listed_in_full(plane: ControlPlane) -> None:
    ids = [await plane.add(f"{name}-7B-Q4_K_M.gguf") for name in ("Alpha", "Beta")]
    for model_id in ids:
        await enable(plane, model_id, settings={"variants": [{"name": "pirate"}]})
    assert list(await models(plane)) == [ids[0], f"{ids[0]}:pirate", ids[1], f"{ids[1]}:pirate"]


async def test_the_context_is_one_requests(plane: ControlPlane) -> None:
    """Of a model that does not run as it would be, of one that runs as its server says."""
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(slot_tokens=1234), llama__context_length=8192)
    await enable(plane, model_id, settings={"ctx_size": 8192, "parallel": 4})
    listed = (await models(plane))[model_id]
    assert listed["context_length"] == listed["meta"]["n_ctx"] == 2048
    assert listed["meta"]["n_ctx_train"] == 8192
    actor = await plane.start(model_id)
    for _ in range(2):
        listed = (await models(plane))[model_id]
        assert (listed["status"], listed["context_length"], listed["meta"]["n_ctx"]) == (
            "running",
            1234,
            1234,
        )
    # Once for each start.
    assert [(await actor.saw("request"))["path"], actor.count("request")] == ["/props", 0]


async def test_several_that_want_to_know_ask_once(plane: ControlPlane) -> None:
    """And whoever leaves takes the answer from nobody."""
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(slot_tokens=1234, answers_when_told=True))
    actor = await plane.start(model_id)
    first, *others = [asyncio.create_task(models(plane)) for _ in range(4)]
    assert (await actor.saw("request"))["path"] == "/props"
    contexts = plane.services.gateway.contexts
    learning = [asyncio.create_task(contexts.learn([model_id])) for _ in range(2)]
    await asyncio.sleep(0)
    learning.pop().cancel()
    first.cancel()
    actor.tell("go on")
    for listed in await asyncio.gather(*others):
        assert listed[model_id]["context_length"] == 1234
    await asyncio.gather(*learning)
    assert actor.count("request") == 0


async def test_no_slot_has_more_than_the_model_was_trained_for(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", llama__context_length=4096)
    await enable(plane, model_id, settings={"ctx_size": 65536})
    assert (await models(plane))[model_id]["context_length"] == 4096


async def test_created_is_the_files_own_time(plane: ControlPlane) -> None:
    """So that it stays the same over scans; where there is no file nothing is known."""
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await enable(plane, model_id, settings={"variants": [{"name": "pirate"}]})
    os.utime(plane.path("Qwen-7B-Q4_K_M.gguf"), (1_700_000_000, 1_700_000_000))
    for _ in range(2):
        await plane.services.scanner.rescan()
        listed = (await plane.get("/v1/models")).json()["data"]
        times = {model["id"]: model["created"] for model in listed}
        assert times[model_id] == times["pirate"] == 1_700_000_000
        assert times["synapse/auto"] == 0
        assert (await plane.get("/v1/models/pirate")).json()["created"] == 1_700_000_000
    theirs = (await plane.get(f"/v1/models/{model_id}", headers=ANTHROPIC)).json()
    assert theirs["created_at"] == "2023-11-14T22:13:20+00:00"


async def test_one_by_any_name(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    for name in ("Qwen-7B-Q4_K_M", "qwen_7b_fast", "Qwen 7B (Q4_K_M)"):
        assert (await plane.get(f"/v1/models/{name}")).json()["id"] == model_id
    unknown = await plane.get("/v1/models/org/nobody:Q4_K_M")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


async def test_anthropics_clients_get_their_own_shape(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await enable(plane, model_id, settings={"variants": [{"name": "pirate"}]})
    answer = (await plane.get("/v1/models?limit=1", headers=ANTHROPIC)).json()
    assert (answer["has_more"], answer["first_id"]) == (False, model_id)
    model, variant, *modes = answer["data"]
    assert answer["last_id"] == modes[-1]["id"] == "synapse/debate"
    assert (model["type"], model["display_name"]) == ("model", "Qwen 7B (Q4_K_M)")
    assert variant["display_name"] == "Qwen 7B (Q4_K_M), pirate"
    assert datetime.fromisoformat(model["created_at"]).tzinfo is not None
    assert (await plane.get(f"/v1/models/{model_id}", headers=ANTHROPIC)).json() == model
    for path in ("/v1/models/nobody", "/v1/files"):
        unknown = await plane.get(path, headers=ANTHROPIC)
        assert unknown.status_code == 404
        assert (unknown.json()["type"], unknown.json()["error"]["type"]) == ("error", "not_found_error")


async def test_an_empty_list_of_anthropics(plane: ControlPlane) -> None:
    answer = (await plane.get("/v1/models", headers=ANTHROPIC)).json()
    assert answer == {"data": [], "has_more": False, "first_id": None, "last_id": None}


# llama-server's router.


async def routers(plane: ControlPlane) -> dict[str, dict[str, Any]]:
    answer = (await plane.get("/models")).json()
    assert answer["object"] == "list"
    return {model["id"]: model for model in answer["data"] if model["kind"] != "mode"}


async def test_load_and_unload(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(loads_when_told=True))
    await enable(plane, model_id)
    assert (await routers(plane))[model_id]["status"] == {"value": "unloaded", "args": []}
    assert (await plane.post("/models/load", {"model": "Qwen-7B-Q4_K_M"})).json() == {"success": True}
    actor = await plane.enter(model_id)
    status = (await routers(plane))[model_id]["status"]
    assert status["value"] == "loading" and "--model" in status["args"]
    actor.tell("ready")
    await until(lambda: plane.services.fleet.servers[model_id].state == "ready")
    assert (await routers(plane))[model_id]["status"]["value"] == "loaded"
    again = await plane.post("/models/load", {"model": model_id})
    assert again.status_code == 400 and "already running" in again.json()["error"]["message"]
    assert (await plane.post("/models/unload", {"model": model_id})).json() == {"success": True}
    assert plane.services.fleet.servers[model_id].state == "stopped"
    # Not held: requests may start it.
    assert not plane.services.registry.get(model_id).choices.held
    again = await plane.post("/models/unload", {"model": model_id})
    assert again.status_code == 400 and "not running" in again.json()["error"]["message"]


async def test_one_that_cannot_be_loaded(plane: ControlPlane) -> None:
    assert (await plane.post("/models/load", {"model": "nobody"})).status_code == 404
    for body in (b"", b"{}", b'{"model": 1}', b"[" * 50_000):
        refused = await plane.http.post("/models/load", content=body)
        assert refused.status_code == 400 and "No model named" in refused.json()["error"]["message"]
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(exit_code=1))
    await enable(plane, model_id)
    await plane.post("/models/load", {"model": model_id})
    await until(lambda: plane.services.fleet.servers[model_id].state == "failed")
    status = (await routers(plane))[model_id]["status"]
    assert (status["value"], status["failed"]) == ("unloaded", True)


async def test_props_are_the_routers_or_a_models(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(slot_tokens=1234))
    await enable(plane, model_id)
    assert (await plane.get("/props")).json()["role"] == "router"
    for path in ("/props", "/slots"):
        unloaded = await plane.get(f"{path}?model={model_id}&autoload=false")
        assert unloaded.status_code == 400 and "not loaded" in unloaded.json()["error"]["message"]
    assert model_id not in plane.services.fleet.servers
    props = (await plane.get(f"/props?model={model_id}")).json()
    assert props["default_generation_settings"] == {"n_ctx": 1234}
    assert (await plane.get(f"/props?model={model_id}&autoload=false")).json() == props
    assert (await plane.get("/slots")).status_code == 422


async def test_our_own_questions_use_a_connection_again(plane: ControlPlane) -> None:
    """The one that requests use, too."""
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await enable(plane, model_id)
    actor = await plane.start(model_id)
    await plane.get("/v1/models")
    for path in ("/props", "/slots"):
        assert (await plane.get(f"{path}?model={model_id}&autoload=false")).status_code == 200
    assert (await plane.post(CHAT, {"model": model_id})).status_code == 200
    seen = [await actor.saw("request") for _ in range(4)]
    assert [request["path"] for request in seen] == ["/props", "/props", "/slots", CHAT]
    assert len({request["client_port"] for request in seen}) == 1
