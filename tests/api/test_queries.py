"""`/api/query` over the control plane with the fake engine."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter
from tests.fakes.control_plane import ControlPlane
from tests.fakes.rig import until
from tests.fakes.stage import Actor, Behaviour

from synapse_engine.api.wire.queries import QueryEvents, QueryRecord

HELLO: list[dict[str, Any]] = [
    {"choices": [{"delta": {"reasoning_content": "Hm."}}]},
    {"choices": [{"delta": {"content": "Hel"}}]},
    {"choices": [{"delta": {"content": "lo"}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {
        "choices": [],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
        "timings": {"prompt_n": 3, "cache_n": 2, "prompt_per_second": 90.5, "predicted_n": 2}
        | {"predicted_per_second": 40.25},
    },
]
SMALL, LARGE = "Qwen-7B-Q4_K_M.gguf", "Llama-20B-Q4_K_M.gguf"


async def enabled(plane: ControlPlane, name: str = SMALL, **behaviour: Any) -> str:
    model_id = await plane.add(name, Behaviour(**{"events": HELLO, **behaviour}))
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    return model_id


async def chat_of(actor: Actor) -> dict[str, Any]:
    """The next question that comes to it; it is asked for its context too."""
    while True:
        seen = await actor.saw("request")
        if seen["path"] == "/v1/chat/completions":
            return dict(json.loads(seen["body"]))


def events_of(response: httpx.Response) -> list[tuple[str, Any]]:
    assert response.status_code == 200, response.text
    found = []
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_a_whole_answer(plane: ControlPlane) -> None:
    """The model comes up for it; the record has all that happened, and is kept."""
    model_id = await enabled(plane)
    response = await plane.post("/api/query", {"query": "Hi?", "mode": "simple", "options": {"seed": 7}})
    assert response.status_code == 200, response.text
    record = response.json()
    QueryRecord.model_validate(record)
    assert (record["status"], record["answer"]) == ("done", {"text": "Hello", "turn": 1, "model": model_id})
    assert (record["query"], record["mode"], record["options"]) == ("Hi?", "simple", {"seed": 7})
    (turn,) = record["turns"]
    assert (turn["text"], turn["thinking"], turn["is_answer"]) == ("Hello", "Hm.", True)
    assert turn["messages"] == [{"role": "user", "content": "Hi?"}]
    assert (turn["figures"]["output_per_second"], turn["figures"]["model_id"]) == (40.25, model_id)
    assert record["usage"] == {"prompt_tokens": 5, "cached_tokens": 2, "output_tokens": 2}
    assert record["total_seconds"] >= record["model_seconds"] > 0
    assert (await chat_of(await plane.enter(model_id)))["seed"] == 7
    await until(lambda: not plane.services.queries.live)
    assert (await plane.get(f"/api/query/{record['id']}")).json() == record
    page = (await plane.get("/api/query")).json()
    assert page["next"] is None
    assert [(row["id"], row["query"], row["answer"]) for row in page["queries"]] == [(1, "Hi?", "Hello")]
    calls = await plane.last_calls(2)
    assert [(call["asked"], call["path"], call["outcome"]) for call in calls] == [
        (model_id, "/api/query/1", "ok"),
        ("synapse/simple", "/api/query", "ok"),
    ]


async def test_its_steps_as_events(plane: ControlPlane) -> None:
    """Each is as documented, and together they are the record."""
    await enabled(plane)
    asked = {
        "query": "Why?",
        "mode": "two_stage",
        "stream": True,
        "history": [{"role": "user", "content": "A"}],
    }
    response = await plane.post("/api/query", {**asked, "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response)
    for name, data in events:
        kind: Any = QueryEvents.model_fields[name].annotation
        TypeAdapter(kind).validate_python(data)
    assert [name for name, _ in events] == (
        ["begun", "cast", "note"] + ["turn", *["text"] * 3, "said"] * 2 + ["answer", "done"]
    )
    query_id = events[0][1]["id"]
    record = (await plane.get(f"/api/query/{query_id}")).json()
    assert record["status"] == "done" and len(record["turns"]) == 2
    assert record["turns"][1]["hears"] == [1]
    assert record["turns"][0]["messages"][0] == {"role": "user", "content": "A"}
    await until(lambda: not plane.services.queries.live)
    again = events_of(await plane.get(f"/api/query/{query_id}/events"))
    assert again == [(name, data) for name, data in events if name != "text"]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        ({}, "query"),
        ({"query": "  "}, "query"),
        ({"query": "Hi", "mode": "choir"}, "mode"),
        ({"query": "Hi", "models": []}, "models"),
        ({"query": "Hi", "bogus": 1}, "bogus"),
        ({"query": "Hi", "options": {"bogus": 1}}, "options.bogus"),
        ({"query": "Hi", "options": {"temperature": 9}}, "options.temperature"),
        ({"query": "Hi", "mode": "simple", "options": {"turns": 4}}, "options.turns"),
        ({"query": "Hi", "mode": "debate", "options": {"turns": 1}}, "options.turns"),
        ({"query": "Hi", "mode": "debate", "options": {"personas": "cat_and_dog"}}, "options.personas"),
        ({"query": "Hi", "mode": "council", "options": {"members": 2}}, "options.members"),
        ({"query": "Hi", "detach": True, "stream": True}, "detach"),
        ({"query": "Hi", "detach": "later"}, "detach"),
    ],
)
async def test_what_is_refused_is_named(plane: ControlPlane, ask: dict[str, Any], words: str) -> None:
    response = await plane.post("/api/query", ask)
    assert response.status_code == 422
    assert words in response.json()["detail"]


async def test_half_a_letter_is_refused(plane: ControlPlane) -> None:
    """No file takes it, and no server."""
    await enabled(plane)
    response = await plane.http.post("/api/query", content=b'{"query": "\\ud83d?"}')
    assert response.status_code == 422
    body = b'{"model": "synapse/simple", "messages": [{"role": "user", "content": "\\ud83d?"}]}'
    response = await plane.http.post("/v1/chat/completions", content=body)
    assert response.status_code == 400


async def test_nobody_to_ask(plane: ControlPlane) -> None:
    response = await plane.post("/api/query", {"query": "Hi", "stream": True})
    assert (response.status_code, response.json()["error"]) == (503, "No model can be asked")
    unknown = await plane.post("/api/query", {"query": "Hi", "models": ["nobody"]})
    assert unknown.status_code == 404
    assert (await plane.get("/api/query")).json()["queries"] == []
    for path in ("/api/query/9", "/api/query/9/events"):
        missing = await plane.get(path)
        assert (missing.status_code, missing.json()["error"]) == (404, "No query of that number: 9")
    assert (await plane.http.delete("/api/query/9")).status_code == 404


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_client_that_leaves_ends_it(plane: ControlPlane, is_stream: bool) -> None:
    model_id = await enabled(plane, streams_when_told=True)
    actor = await plane.start(model_id)
    asked = {"query": "Hi", "mode": "simple", "stream": is_stream}
    asking = asyncio.create_task(plane.post("/api/query", asked))
    await chat_of(actor)
    actor.tell("go on")
    (run,) = plane.services.queries.live.values()
    await until(lambda: any(turn.text for turn in run.record.turns))
    asking.cancel()
    async with asyncio.timeout(1):
        await actor.saw("client left")
        await until(lambda: not plane.services.queries.live)
    record = (await plane.get("/api/query/1")).json()
    assert (record["status"], record["problem"]["error"]) == ("cancelled", "Request cancelled")
    assert record["turns"][0]["thinking"] == ""  # of the running turn nothing is kept
    outcomes = {call["path"]: call["outcome"] for call in await plane.last_calls(2)}
    assert outcomes == {"/api/query": "client_left", "/api/query/1": "client_left"}


async def test_a_detached_one_goes_on_whoever_leaves(plane: ControlPlane) -> None:
    """It is followed from its beginning as often as one likes, and played on where nobody reads."""
    model_id = await enabled(plane, streams_when_told=True)
    actor = await plane.start(model_id)
    response = await plane.post("/api/query", {"query": "Hi", "mode": "simple", "detach": True})
    assert (response.status_code, response.json()) == (202, {"id": 1})
    await chat_of(actor)
    async with plane.http.stream("GET", "/api/query/1/events") as events:
        assert await anext(events.aiter_lines()) == "event: begun"
    following = asyncio.create_task(plane.get("/api/query/1/events"))
    for _ in HELLO:
        actor.tell("go on")
    told = events_of(await following)
    assert (told[0][0], told[-1][0], told[-1][1]["status"]) == ("begun", "done", "done")
    await until(lambda: not plane.services.queries.live)
    assert (await plane.get("/api/query/1")).json()["answer"]["text"] == "Hello"
    calls = await plane.last_calls(2)
    assert [(call["asked"], call["outcome"]) for call in calls] == [
        (model_id, "ok"),
        ("synapse/simple", "ok"),
    ]


async def test_a_detached_one_is_waited_for_by_nobody(plane: ControlPlane) -> None:
    word = {"choices": [{"delta": {"content": "x"}}]}
    await enabled(plane, events=[word] * 3_000)
    await plane.post("/api/query", {"query": "Hi", "mode": "simple", "detach": True})
    await until(lambda: not plane.services.queries.live)
    assert (await plane.get("/api/query/1")).json()["answer"]["text"] == "x" * 3_000


async def test_a_detached_one_can_be_fetched_where_none_are_kept(plane: ControlPlane) -> None:
    await enabled(plane)
    await plane.patch("/api/settings", {"queries_max": 0})
    await plane.post("/api/query", {"query": "Hi", "mode": "simple", "detach": True})
    await until(lambda: not plane.services.queries.live)
    assert (await plane.get("/api/query")).json()["queries"] == []
    assert events_of(await plane.get("/api/query/1/events"))[-1][1]["status"] == "done"
    assert (await plane.get("/api/query/1")).json()["answer"]["text"] == "Hello"
    assert (await plane.http.delete("/api/query/1")).json()["message"] == "Query deleted"
    assert (await plane.get("/api/query/1")).status_code == 404


async def test_cancelling_never_deletes(plane: ControlPlane) -> None:
    actor = await plane.start(await enabled(plane, streams_when_told=True))
    await plane.post("/api/query", {"query": "Hi", "mode": "simple", "detach": True})
    await chat_of(actor)
    following = asyncio.create_task(plane.get("/api/query/1/events"))
    cancelled = await plane.post("/api/query/1/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    await actor.saw("client left")
    assert events_of(await following)[-1][1]["status"] == "cancelled"
    await until(lambda: not plane.services.queries.live)
    kept = (await plane.get("/api/query/1")).json()
    assert (kept["status"], kept["query"]) == ("cancelled", "Hi")
    assert (await plane.post("/api/query/1/cancel")).json() == kept
    assert (await plane.get("/api/query/1")).json() == kept
    assert (await plane.post("/api/query/9/cancel")).status_code == 404
    outcomes = {call["path"]: call["outcome"] for call in await plane.last_calls(2)}
    assert outcomes["/api/query"] == "cancelled"


async def test_at_the_end_all_are_cancelled_and_none_begins(plane: ControlPlane) -> None:
    actor = await plane.start(await enabled(plane, streams_when_told=True))
    await plane.post("/api/query", {"query": "Hi", "mode": "simple", "detach": True})
    await chat_of(actor)
    await plane.services.queries.close()
    assert (await plane.get("/api/query/1")).json()["status"] == "cancelled"
    assert (await plane.post("/api/query", {"query": "Hi", "detach": True})).status_code == 503


@pytest.mark.parametrize("way", ["query", "activity"])
async def test_one_that_is_deleted_under_way(plane: ControlPlane, way: str) -> None:
    model_id = await enabled(plane, streams_when_told=True)
    actor = await plane.start(model_id)
    asking = asyncio.create_task(plane.post("/api/query", {"query": "Hi", "mode": "simple", "stream": True}))
    await chat_of(actor)
    (run,) = plane.services.queries.live.values()
    await until(lambda: bool(run.record.turns[0].thinking))
    live = (await plane.get("/api/activity/live")).json()["calls"]
    assert [call["asked"] for call in live] == ["synapse/simple", model_id]
    path = "/api/query/1" if way == "query" else f"/api/activity/{live[0]['id']}"
    deleted = await plane.http.delete(path)
    assert deleted.json()["message"] in ("Query cancelled", "Request cancelled")
    name, done = events_of(await asking)[-1]
    assert (name, done["status"]) == ("done", "cancelled")
    await actor.saw("client left")
    await until(lambda: not plane.services.queries.live)
    assert (await plane.http.delete("/api/query/1")).json() == {"message": "Query deleted", "id": 1}
    assert (await plane.get("/api/query/1")).status_code == 404
