"""Queries under way: who may play, and how they end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.catalog.model import Tier
from synapse_engine.errors import AmbiguousModelName, Booting, ModelNotFound, NobodyToAsk
from synapse_engine.fleet import eviction
from synapse_engine.gateway import waking
from synapse_engine.gateway.errors import BadRequest
from synapse_engine.gateway.queries import BEHIND_MAX, Query
from synapse_engine.modes.steps import Done

WORD = {"choices": [{"delta": {"content": "word "}}]}


async def add(plane: ControlPlane, name: str, *, enabled: bool = True, **facts: Any) -> str:
    model_id = await plane.add(name, Behaviour(**{"events": [WORD] * 3, **facts}))
    await plane.patch(f"/api/models/{model_id}", {"enabled": enabled})
    return model_id


async def pool(plane: ControlPlane) -> dict[str, Any]:
    return {each.name: each for each in await plane.services.queries._candidates.pool()}


async def test_who_may_play(plane: ControlPlane) -> None:
    """What runs and what is enabled; a stop by a person holds one back, and says so."""
    small = await add(plane, "Qwen-7B-Q4_K_M.gguf")
    large = await add(plane, "Llama-20B-Q4_K_M.gguf", slot_tokens=1234)
    await add(plane, "Other-3B-Q4_K_M.gguf", enabled=False)
    await plane.add("Embed-1B-Q4_K_M.gguf", llama__pooling_type=1)
    await plane.start(large)
    found = await pool(plane)
    assert list(found) == [small, large]
    assert (found[small].is_up, found[small].why_not, found[small].tier) == (False, None, Tier.FAST)
    assert (found[large].is_up, found[large].tier, found[large].size_b) == (True, Tier.POWERFUL, 20.0)
    assert found[large].context_tokens == 1234
    assert found[small].context_tokens == 4096
    await plane.post(f"/api/models/servers/{large}/stop")
    held = (await pool(plane))[large]
    assert not held.is_up and "it is held" in held.why_not


async def test_who_is_named(plane: ControlPlane) -> None:
    small = await add(plane, "Qwen-7B-Q4_K_M.gguf")
    await plane.patch(f"/api/models/{small}", {"settings": {"variants": [{"name": "pirate"}]}})
    off = await add(plane, "Other-3B-Q4_K_M.gguf", enabled=False)
    await plane.http.put("/api/upstreams/box", json={"url": "http://localhost:1", "model": "m1"})
    named = await plane.services.queries._candidates.named(["pirate", off, "box", "fast"])
    assert [each.name for each in named] == ["pirate", off, "box", "fast"]
    assert [each.model_id for each in named[:2]] == [small, off]
    assert "not enabled" in (named[1].why_not or "")
    assert named[2].is_up and named[2].tier is None
    assert named[3].model_id == small
    for name, error in (("nobody", ModelNotFound), ("synapse/auto", BadRequest)):
        with pytest.raises(error):
            await plane.services.queries._candidates.named([name])
    await plane.add("b/Qwen-7B-Q4_K_M.gguf")
    with pytest.raises(AmbiguousModelName):
        await plane.services.queries._candidates.named(["Qwen-7B-Q4_K_M"])


async def test_of_several_the_one_that_is_up_is_asked_how_much_it_takes(plane: ControlPlane) -> None:
    """Though another one would be the better one."""
    await add(plane, "Better-7B-Q4_K_M.gguf")
    up = await add(plane, "Qwen-3B-Q4_K_M.gguf", slot_tokens=1234)
    await plane.start(up)
    [found] = await plane.services.queries._candidates.named(["fast"])
    assert (found.model_id, found.context_tokens) == (up, 1234)


async def test_stopped_ones_are_started_unless_that_is_off(plane: ControlPlane) -> None:
    model_id = await add(plane, "Qwen-7B-Q4_K_M.gguf")
    await plane.patch("/api/settings", {"modes_start": False})
    with pytest.raises(NobodyToAsk, match="is not to be started"):
        await plane.services.queries.prepare(Query("Hi", "simple", (model_id,)))
    asked = {"query": "Hi", "mode": "simple", "options": {"start": True}}
    assert (await plane.post("/api/query", asked)).status_code == 200
    await plane.post(f"/api/models/servers/{model_id}/stop")
    await plane.post(f"/api/models/{model_id}/release")
    await plane.patch("/api/settings", {"modes_start": None})
    refused = await plane.post("/api/query", {**asked, "options": {"start": False}})
    assert (refused.status_code, refused.json()["error"]) == (503, "No model can be asked")


async def test_it_is_played_no_faster_than_its_owner_reads(plane: ControlPlane) -> None:
    """Whoever else follows it is not waited for, and misses nothing."""
    await add(plane, "Qwen-7B-Q4_K_M.gguf", events=[WORD] * (2 * BEHIND_MAX))
    queries = plane.services.queries
    run = queries.begin(await queries.prepare(Query("Hi", "simple")), "tests")
    other = run.follow()
    await anext(other)
    owner = run.follow(is_owner=True)
    await until(lambda: len(run._steps) > BEHIND_MAX)
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert len(run._steps) == BEHIND_MAX + 1
    owned = [step async for step in owner]
    assert owned[1:] == [step async for step in other]
    assert isinstance(owned[-1], Done) and len(owned) > 2 * BEHIND_MAX


async def test_one_that_is_ended_before_it_has_begun(plane: ControlPlane) -> None:
    await add(plane, "Qwen-7B-Q4_K_M.gguf")
    queries = plane.services.queries
    run = queries.begin(await queries.prepare(Query("Hi", "simple")), "tests")
    run.cancel()
    *_, done = [step async for step in run.follow()]
    assert isinstance(done, Done) and done.status == "cancelled"
    await run.until_kept()
    assert (await plane.get(f"/api/query/{run.id}")).json()["status"] == "cancelled"


async def test_at_the_end_of_the_control_plane_all_end(tmp_path: Path, engine: Path, stage: Stage) -> None:
    """They are kept as cancelled, and ids go on."""
    async with open_control_plane(tmp_path, engine, stage) as plane:
        model_id = await add(plane, "Qwen-7B-Q4_K_M.gguf", answers_when_told=True)
        queries = plane.services.queries
        run = queries.begin(await queries.prepare(Query("Hi", "simple")), "tests")
        await until(lambda: bool(run.record.turns))
        assert model_id == run.record.turns[0].model
        await queries.close()
        assert run.record.status == "cancelled" and not queries.live
    async with open_control_plane(tmp_path, engine, stage) as plane:
        kept = (await plane.get("/api/query")).json()["queries"]
        assert [(row["id"], row["status"]) for row in kept] == [(run.id, "cancelled")]
        queries = plane.services.queries
        again = queries.begin(await queries.prepare(Query("Hi", "simple")), "tests")
        assert again.id == run.id + 1


async def test_one_that_was_being_prepared_at_the_end_is_ended_too(plane: ControlPlane) -> None:
    await add(plane, "Qwen-7B-Q4_K_M.gguf")
    queries = plane.services.queries
    prepared = await queries.prepare(Query("Hi", "simple"))
    await queries.close()
    run = queries.begin(prepared, "tests")
    await run.until_kept()
    assert run.record.status == "cancelled"
    with pytest.raises(Booting):
        await queries.prepare(Query("Hi", "simple"))


async def test_settings_are_taken_at_once(plane: ControlPlane) -> None:
    await plane.patch("/api/settings", {"queries_max": 1, "modes_seconds": 5.5})
    queries = plane.services.queries
    assert (queries.keeper.kept, queries.deadline_seconds) == (1, 5.5)
    await add(plane, "Qwen-7B-Q4_K_M.gguf")
    for query in ("One", "Two"):
        await plane.post("/api/query", {"query": query, "mode": "simple"})
    await until(lambda: not queries.live)
    assert [row["query"] for row in (await plane.get("/api/query")).json()["queries"]] == ["Two"]


async def test_memory_for_one_model_is_enough_for_two_that_play(
    tmp_path: Path, engine: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One makes room for the other; that takes its time, and the answer is there."""
    monkeypatch.setattr(waking, "RESIDENCY_SECONDS", 0.0)
    monkeypatch.setattr(eviction, "MIN_RESIDENCY_SECONDS", 0.0)
    async with open_control_plane(tmp_path, engine, stage, memory_limit_mb=40) as plane:
        first = await add(plane, "Qwen-7B-Q4_K_M.gguf")
        second = await add(plane, "Llama-20B-Q4_K_M.gguf")
        record = (await plane.post("/api/query", {"query": "Why?", "mode": "two_stage"})).json()
        assert [turn["model"] for turn in record["turns"]] == [first, second]
        assert record["status"] == "done"
        assert plane.services.fleet.servers[first].state == "stopped"
