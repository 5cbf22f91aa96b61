"""Models as JSON that is kept: never another than what is so now."""

from __future__ import annotations

from tests.fakes.control_plane import ControlPlane
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour

from synapse_engine.api.wire.models import RegistryOut


async def assert_fresh(plane: ControlPlane) -> None:
    """The registry says of each model what is said of it alone, which nobody keeps."""
    answer = await plane.get("/api/models/registry")
    assert RegistryOut.model_validate_json(answer.content).model_dump(mode="json") == answer.json()
    for model in answer.json()["models"]:
        alone = (await plane.get(f"/api/models/{model['model_id']}")).json()
        assert alone | model == alone


async def test_every_change_of_a_model_is_in_the_registry(plane: ControlPlane) -> None:
    await assert_fresh(plane)
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.add("Llama-3B-Q4_K_M.gguf", Behaviour(exit_code=3))
    await assert_fresh(plane)
    await plane.patch(f"/api/models/{model_id}", {"enabled": True, "tier": "powerful", "aliases": ["q"]})
    await assert_fresh(plane)
    actor = await plane.start(model_id)
    await assert_fresh(plane)
    edited = await plane.patch(f"/api/models/{model_id}", {"settings": {"ctx_size": 1024}})
    assert edited.json()["restart_required"]
    await assert_fresh(plane)
    actor.die()
    await until(lambda: plane.services.fleet.servers[model_id].failure is not None)
    await assert_fresh(plane)
    assert (await plane.post("/api/models/servers/llama_3b_fast/start")).status_code == 500
    await assert_fresh(plane)
    await plane.post(f"/api/models/servers/{model_id}/stop")
    await assert_fresh(plane)
    plane.path("Qwen-7B-Q4_K_M.gguf").unlink()
    await plane.post("/api/models/rescan")
    await assert_fresh(plane)
    missing = (await plane.get(f"/api/models/{model_id}")).json()["missing"]
    assert missing


async def test_what_has_not_changed_is_not_written_again(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.get("/api/models/registry")
    before = plane.services.rows[model_id]
    await plane.post("/api/models/rescan")
    await plane.get("/api/models/registry")
    assert plane.services.rows[model_id] is before
