"""Requests over real HTTP: while they are in flight, once they have ended, and who hears of it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.listener import listening
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.gateway.upstream import Connection, Place

CHAT = "/v1/chat/completions"
STREAM = Behaviour(streams_when_told=True)


async def ended(plane: ControlPlane, query: str = "") -> list[dict[str, Any]]:
    """The records, all of what has ended."""
    await until(lambda: not plane.services.recorder.activity.live)
    await plane.services.recorder.flush()
    calls: list[dict[str, Any]] = (await plane.get(f"/api/activity{query}")).json()["calls"]
    return calls


async def live(plane: ControlPlane) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = (await plane.get("/api/activity/live")).json()["calls"]
    return calls


async def test_one_that_was_answered(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.start(model_id)
    headers = {"User-Agent": "tester/1"}
    response = await plane.http.post(CHAT, json={"model": "Qwen-7B-Q4_K_M"}, headers=headers)
    (call,) = await ended(plane)
    assert call["model_id"] == call["server_id"] == model_id
    assert (call["asked"], call["variant"], call["dialect"]) == ("Qwen-7B-Q4_K_M", None, "openai")
    assert (call["path"], call["client"], call["stream"]) == (CHAT, "127.0.0.1 tester/1", False)
    assert (call["outcome"], call["status"], call["error"]) == ("ok", 200, None)
    assert 0 <= call["queue_seconds"] <= call["first_byte_seconds"] <= call["total_seconds"] < 10
    assert (call["load_seconds"], call["prompt_tokens"], call["cached_tokens"]) == (0, 7, 2)
    assert (call["output_tokens"], call["prompt_per_second"], call["output_per_second"]) == (3, 90.5, 40.25)
    assert call["bytes_in"] == len(response.request.content)
    assert call["bytes_out"] == len(response.content)


@pytest.mark.parametrize(
    ("name", "status", "model_id", "words"),
    [
        ("nobody", 404, None, "Model not found: nobody"),
        ("Qwen-7B-Q4_K_M", 503, "qwen_7b_fast", "Model is not running"),
        (5, 400, None, ""),
    ],
)
async def test_one_that_we_refused(
    plane: ControlPlane, name: object, status: int, model_id: str | None, words: str
) -> None:
    await plane.add("Qwen-7B-Q4_K_M.gguf")
    assert (await plane.post(CHAT, {"model": name})).status_code == status
    (call,) = await ended(plane)
    assert (call["outcome"], call["status"], call["model_id"]) == ("refused", status, model_id)
    assert words in call["error"]
    assert call["first_byte_seconds"] is None


async def test_one_whose_server_broke_off(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(answers_when_told=True))
    actor = await plane.start(model_id)
    asking = asyncio.create_task(plane.post(CHAT, {"model": model_id}))
    await actor.saw("request")
    actor.tell("cut")
    assert (await asking).status_code == 502
    (call,) = await ended(plane)
    assert (call["outcome"], call["status"], call["model_id"]) == ("server_lost", 502, model_id)
    assert "did not answer" in call["error"]


async def test_one_whose_client_left(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", STREAM)
    actor = await plane.start(model_id)
    async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
        await anext(response.aiter_raw())
    await actor.saw("client left")
    (call,) = await ended(plane)
    assert (call["outcome"], call["status"], call["stream"]) == ("client_left", 200, True)


async def test_one_in_flight_is_seen_and_cancelled(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", STREAM)
    actor = await plane.start(model_id)
    async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
        pieces = response.aiter_raw()
        await anext(pieces)
        (call,) = await live(plane)
        assert (call["model_id"], call["stage"], call["stream"]) == (model_id, "answering", True)
        assert 0 < call["first_byte_seconds"] <= call["seconds"]
        assert call["bytes_out"] > 0
        cancelled = await plane.http.delete(f"/api/activity/{call['id']}")
        assert cancelled.json() == {"message": "Request cancelled", "id": call["id"]}
        assert b'"code":"cancelled"' in await anext(pieces)
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(pieces)
    await actor.saw("client left")
    (record,) = await ended(plane)
    assert (record["id"], record["outcome"]) == (call["id"], "cancelled")
    assert await live(plane) == []
    gone = await plane.http.delete(f"/api/activity/{call['id']}")
    assert gone.status_code == 404
    assert gone.json()["error"] == f"No request in flight: {call['id']}"


async def test_one_that_is_not_answered_yet_is_told_that_it_was_cancelled(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(answers_when_told=True))
    actor = await plane.start(model_id)
    asking = asyncio.create_task(plane.post(CHAT, {"model": model_id}))
    await actor.saw("request")
    (call,) = await live(plane)
    await plane.http.delete(f"/api/activity/{call['id']}")
    response = await asking
    assert (response.status_code, response.json()["error"]["code"]) == (503, "cancelled")
    await actor.saw("client left")


async def test_a_cancelled_one_is_not_asked_again(plane: ControlPlane) -> None:
    """The official clients ask again, after a 503 too, unless they are told not to."""
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(answers_when_told=True))
    actor = await plane.start(model_id)
    async with openai.AsyncOpenAI(base_url=f"{plane.address}/v1", api_key="none") as client:
        asking = asyncio.create_task(
            client.chat.completions.create(model=model_id, messages=[{"role": "user", "content": "Hi"}])
        )
        await actor.saw("request")
        (call,) = await live(plane)
        await plane.http.delete(f"/api/activity/{call['id']}")
        with pytest.raises(openai.InternalServerError) as told:
            await asking
    assert told.value.code == "cancelled"
    assert "retry-after" not in told.value.response.headers
    assert [call["outcome"] for call in await ended(plane)] == ["cancelled"]


async def test_a_stream_of_a_model_in_the_path_is_one(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.start(model_id)
    await plane.post(f"/upstream/{model_id}{CHAT}", {"stream": True})
    await plane.post(f"/upstream/{model_id}{CHAT}", {})
    assert [call["stream"] for call in await ended(plane)] == [False, True]


async def test_one_that_was_answered_elsewhere_than_it_was_first_given_to(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await plane.add(f"{name}-7B-Q4_K_M.gguf") for name in ("Alpha", "Beta")]
    for model_id in ids:
        await plane.patch(f"/api/models/{model_id}", {"aliases": ["either"]})
        await plane.start(model_id)
    fleet, pool = plane.services.fleet, plane.services.gateway.pool
    connect = pool.connect

    async def connect_in_vain(place: Place) -> Connection:
        monkeypatch.setattr(pool, "connect", connect)
        await fleet.stop(ids[0], now=True)
        raise place.failed("Connection refused")

    monkeypatch.setattr(pool, "connect", connect_in_vain)
    assert (await plane.post(CHAT, {"model": "either"})).json()["choices"]
    (call,) = await ended(plane)
    assert (call["outcome"], call["model_id"], call["server_id"]) == ("ok", ids[1], ids[1])


async def test_one_that_waits_is_seen_in_its_line(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(loads_when_told=True))
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    async with listening(plane.http) as listener:
        await listener.next("queue", lambda queue: not queue["lines"])
        asking = asyncio.create_task(plane.post(CHAT, {"model": model_id}))
        actor = await plane.enter(model_id)
        (line,) = (await listener.next("queue", lambda queue: queue["waiting"] == 1)).data["lines"]
        assert (line["model_id"], line["waiting"], line["in_flight"]) == (model_id, 1, 0)
        assert line["oldest_seconds"] >= 0
        shown = line
        while shown["oldest_seconds"] <= line["oldest_seconds"]:
            (shown,) = (await plane.get("/api/queue")).json()["lines"]
        (waiting,) = await live(plane)
        assert (waiting["model_id"], waiting["stage"]) == (model_id, "loading")
        # No server has come up that could be given any.
        assert shown["limit"] == 0 and not shown["is_held_back"]
        actor.tell("ready")
        assert (await asking).status_code == 200
        await listener.next("queue", lambda queue: not queue["lines"])
    (call,) = await ended(plane)
    assert call["load_seconds"] > 0
    assert call["queue_seconds"] < call["load_seconds"]


async def test_whoever_listens_hears_of_it(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", STREAM)
    actor = await plane.start(model_id)
    await plane.post(CHAT, {"model": "nobody"})
    await ended(plane)
    async with listening(plane.http) as listener:
        first = await listener.next("activity")
        assert first.id is None
        assert first.data == {"live": [], "in_flight": 0, "ended": [], "ended_count": 0}
        async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
            heard = await listener.next("activity", lambda now: now["in_flight"] == 1)
            (call,) = heard.data["live"]
            assert call["model_id"] == model_id
            if call["stage"] != "answering":
                await listener.next("activity", lambda now: now["live"][0]["stage"] == "answering")
            async with listening(plane.http) as late:
                assert (await late.next("activity")).data["live"][0]["id"] == call["id"]
            for _ in range(2):
                actor.tell("go on")
            await response.aread()
        told = (await listener.next("activity", lambda now: now["ended"])).data
        assert [found["id"] for found in told["ended"]] == [call["id"]]
        assert told["ended_count"] == 1
        assert told["live"] == [] or (await listener.next("activity")).data["live"] == []


async def test_page_by_page_and_what_is_wanted(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.patch(f"/api/models/{model_id}", {"aliases": ["mine"]})
    await plane.start(model_id)
    for name in ("mine", "nobody", "mine", "nobody", "mine"):
        await plane.post(CHAT, {"model": name})
    assert [call["asked"] for call in await ended(plane)] == ["mine", "nobody", "mine", "nobody", "mine"]
    seen, query = [], ""
    while True:
        page = (await plane.get(f"/api/activity?limit=2{query}")).json()
        seen += [call["id"] for call in page["calls"]]
        if page["next"] is None:
            break
        query = f"&before={page['next']}"
    assert seen == sorted(seen, reverse=True) and len(seen) == 5
    assert len(await ended(plane, "?model=mine")) == 3
    assert len(await ended(plane, f"?model={model_id}&outcome=ok&dialect=openai")) == 3
    assert len(await ended(plane, "?outcome=refused")) == 2
    assert await ended(plane, "?model=nobody") == []
    assert await ended(plane, "?dialect=ollama") == []
    for query in ("limit=0", "limit=1001", "before=x", f"before={1 << 64}", "outcome=good"):
        assert (await plane.get(f"/api/activity?{query}")).status_code == 422


async def test_figures(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.start(model_id)
    for name in (model_id, model_id, "nobody"):
        await plane.post(CHAT, {"model": name})
    await ended(plane)
    summary = (await plane.get("/api/activity/summary?minutes=10")).json()
    assert summary["bucket_seconds"] == 5 and len(summary["buckets"]) == 120
    assert sum(bucket["requests"] for bucket in summary["buckets"]) == 3
    assert sum(bucket["errors"] for bucket in summary["buckets"]) == 1
    ours, nobody = summary["models"]
    assert (ours["model_id"], ours["requests"], ours["errors"]) == (model_id, 2, 0)
    assert (ours["prompt_tokens"], ours["output_tokens"], ours["output_per_second"]) == (14, 6, 40.25)
    assert 0 < ours["first_byte_seconds"] <= ours["first_byte_p95_seconds"]
    assert (nobody["model_id"], nobody["requests"], nobody["first_byte_seconds"]) == (None, 1, None)
    of_one = (await plane.get(f"/api/activity/summary?minutes=10&model={model_id}")).json()
    assert of_one["models"] == [ours]
    assert sum(bucket["requests"] for bucket in of_one["buckets"]) == 2


async def test_records_outlive_the_control_plane(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage) as plane:
        await plane.post(CHAT, {"model": "first"})
    async with open_control_plane(tmp_path, engine, stage) as plane:
        await plane.post(CHAT, {"model": "second"})
        second, first = await ended(plane)
        assert (second["asked"], first["asked"]) == ("second", "first")
        assert second["id"] == first["id"] + 1


async def test_the_oldest_go_first(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage, activity_max=2) as plane:
        for name in "abc":
            await plane.post(CHAT, {"model": name})
        assert [call["asked"] for call in await ended(plane)] == ["c", "b"]


async def test_a_store_that_cannot_be_written_costs_only_the_records(
    tmp_path: Path, engine: Path, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "data" / "synapse.db"
    database.mkdir(parents=True)
    async with open_control_plane(tmp_path, engine, stage) as plane:
        model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
        await plane.start(model_id)
        with caplog.at_level(logging.INFO):
            for _ in range(3):
                assert (await plane.post(CHAT, {"model": model_id})).status_code == 200
                await plane.services.recorder.flush()
        assert caplog.text.count("records are lost until that is over") == 1
        answer = await plane.get("/api/activity")
        assert (answer.status_code, answer.json()["error"]) == (500, "The records cannot be reached")
        assert (await plane.get("/api/activity/live")).json() == {"calls": []}
        metrics = (await plane.get("/metrics")).text
        assert f'synapse_output_tokens_total{{model="{model_id}"}} 9' in metrics
        database.rmdir()
        await plane.post(CHAT, {"model": model_id})
        with caplog.at_level(logging.INFO):
            assert len(await ended(plane)) == 1
        assert "Requests are recorded again" in caplog.text


async def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path, engine: Path, stage: Stage) -> None:
    database = tmp_path / "data" / "synapse.db"
    database.parent.mkdir()
    database.write_bytes(b"nonsense" * 1000)
    async with open_control_plane(tmp_path, engine, stage) as plane:
        await plane.post(CHAT, {"model": "nobody"})
        assert len(await ended(plane)) == 1
        (notice,) = (await plane.get("/api/models/registry")).json()["notices"]
        assert "The records were damaged" in notice
