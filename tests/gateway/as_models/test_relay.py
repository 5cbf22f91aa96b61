"""Modes asked for as models, over the control plane with the fake engine."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from tests.fakes.control_plane import ControlPlane
from tests.fakes.rig import until
from tests.fakes.stage import Actor, Behaviour

CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Compare TCP and UDP, and explain which one a game needs."}]
HELLO: list[dict[str, Any]] = [
    {"choices": [{"delta": {"reasoning_content": "Hm."}}]},
    {"choices": [{"delta": {"content": "Hel"}}]},
    {"choices": [{"delta": {"content": "lo"}}]},
    {"choices": [{"delta": {}, "finish_reason": "length"}]},
    {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
]
MODES = ["synapse/auto", "synapse/simple", "synapse/two_stage", "synapse/council", "synapse/debate"]


async def enabled(plane: ControlPlane, name: str = "Qwen-7B-Q4_K_M.gguf", **behaviour: Any) -> str:
    model_id = await plane.add(name, Behaviour(**{"events": HELLO, **behaviour}))
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    return model_id


def chat(plane: ControlPlane, model: str = "synapse/two_stage", **asked: Any) -> Any:
    return plane.post(CHAT, {"model": model, "messages": MESSAGES, **asked})


def lines(response: httpx.Response) -> tuple[list[dict[str, Any]], list[str]]:
    """The events of a stream that ended well, and its comments."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["x-accel-buffering"] == "no"
    blocks = response.text.split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    events = [json.loads(block.removeprefix("data: ")) for block in blocks[:-2] if block.startswith("data: ")]
    return events, [block.removeprefix(": ") for block in blocks if block.startswith(":")]


def told(events: list[dict[str, Any]], field: str) -> str:
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    return "".join(delta.get(field) or "" for delta in deltas)


async def chat_of(actor: Actor) -> dict[str, Any]:
    while True:
        seen = await actor.saw("request")
        if seen["path"] == CHAT:
            return dict(json.loads(seen["body"]))


async def test_a_whole_answer(plane: ControlPlane) -> None:
    model_id = await enabled(plane)
    response = await chat(plane, temperature=0.5)
    assert response.status_code == 200, response.text
    assert int(response.headers["content-length"]) == len(response.content)
    answer = response.json()
    (choice,) = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello", "reasoning_content": "Hm."}
    assert (choice["finish_reason"], answer["model"]) == ("length", "synapse/two_stage")
    assert answer["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    assert answer["synapse"]["query"] == 1 and "refines its own draft" in answer["synapse"]["notes"][0]
    assert (await chat_of(await plane.enter(model_id)))["temperature"] == 0.5
    record = (await plane.get("/api/query/1")).json()
    assert (record["mode"], record["options"], record["status"]) == (
        "two_stage",
        {"temperature": 0.5},
        "done",
    )
    mode, *members = (await plane.last_calls(3))[::-1]
    assert (mode["asked"], mode["model_id"], mode["outcome"]) == ("synapse/two_stage", None, "ok")
    assert mode["queue_seconds"] < 0.5
    assert [(call["asked"], call["path"]) for call in members] == [(model_id, "/api/query/1")] * 2
    assert {call["client"] for call in members} == {mode["client"]}


async def test_its_tokens_are_counted_once(plane: ControlPlane) -> None:
    """The mode's are those of its models, which have them already."""
    await enabled(plane)
    await chat(plane)
    await plane.last_calls(3)
    summary = (await plane.get("/api/activity/summary")).json()
    assert sum(bucket["output_tokens"] for bucket in summary["buckets"]) == 4


@pytest.mark.parametrize("with_usage", [True, False])
async def test_a_stream(plane: ControlPlane, with_usage: bool) -> None:
    """Of the answer word by word; of the rest only comments, which clients skip."""
    await enabled(plane)
    events, comments = lines(await chat(plane, stream=True, stream_options={"include_usage": with_usage}))
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert told(events, "content") == "Hello" and told(events, "reasoning_content") == "Hm."
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    assert {event["id"] for event in events} == {"chatcmpl-query-1"}
    usage = [event["usage"] for event in events if event.get("usage")]
    assert [each["total_tokens"] for each in usage] == ([14] if with_usage else [])
    last = events[-1 - len(usage)]
    assert (last["choices"][0]["finish_reason"], last["synapse"]["query"]) == ("length", 1)
    assert [words.partition(" (")[0] for words in comments][-2:] == ["DRAFT drafts", "REFINE refines"]


@pytest.mark.parametrize("manner", ["reasoning", "off"])
async def test_what_comes_before_the_answer(plane: ControlPlane, manner: str) -> None:
    model_id = await enabled(plane)
    await plane.patch("/api/settings", {"modes_news": manner})
    events, comments = lines(await chat(plane, stream=True))
    assert comments == [] and told(events, "content") == "Hello"
    thoughts = told(events, "reasoning_content")
    if manner == "off":
        assert thoughts == "Hm."
    else:
        assert f"**DRAFT drafts ({model_id})**\n\nHello\n\n" in thoughts
        assert thoughts.count("Hm.") == 1  # the draft's thoughts are its own
        assert "refines its own draft" in thoughts


@pytest.mark.parametrize("mode", MODES)
async def test_each_mode(plane: ControlPlane, mode: str) -> None:
    await enabled(plane)
    await enabled(plane, "Llama-20B-Q4_K_M.gguf")
    answer = (await chat(plane, mode.upper(), seed=3)).json()
    assert answer["choices"][0]["message"]["content"] == "Hello"
    events, _ = lines(await chat(plane, mode, stream=True))
    assert told(events, "content") == "Hello"


async def test_anthropics_clients(plane: ControlPlane) -> None:
    await enabled(plane)
    await plane.patch("/api/settings", {"modes_news": "reasoning"})
    asked = {"model": "synapse/two_stage", "messages": MESSAGES, "max_tokens": 99}
    whole = (await plane.post("/v1/messages", asked)).json()
    assert [block["type"] for block in whole["content"]] == ["thinking", "text"]
    assert (whole["content"][1]["text"], whole["stop_reason"]) == ("Hello", "max_tokens")
    assert (whole["usage"]["input_tokens"], whole["usage"]["output_tokens"]) == (10, 4)
    streamed = await plane.post("/v1/messages", {**asked, "stream": True})
    events = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: ")]
    kinds = [event["type"] for event in events]
    assert [line[7:] for line in streamed.text.splitlines() if line.startswith("event: ")] == kinds
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 2
    text = "".join(e["delta"]["text"] for e in events if e.get("delta", {}).get("type") == "text_delta")
    assert text == "Hello"
    refused = await plane.post("/v1/messages", {**asked, "tools": [{"name": "x"}]})
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_ollamas_clients(plane: ControlPlane) -> None:
    await enabled(plane)
    await plane.patch("/api/settings", {"modes_news": "reasoning"})
    asked = {"model": "synapse/two_stage:latest", "messages": MESSAGES, "options": {"num_predict": 9}}
    records = [json.loads(line) for line in (await plane.post("/api/chat", asked)).text.splitlines()]
    said = [record["message"] for record in records]
    assert "".join(message["content"] for message in said) == "Hello"
    thoughts = "".join(message.get("thinking", "") for message in said)
    assert "DRAFT drafts" in thoughts and thoughts.endswith("Hm.")
    assert [record["done"] for record in records] == [False] * (len(records) - 1) + [True]
    assert (records[-1]["prompt_eval_count"], records[-1]["eval_count"]) == (10, 4)
    assert records[-1]["done_reason"] == "length"
    whole = (await plane.post("/api/chat", {**asked, "stream": False})).json()
    assert whole["message"] == {"role": "assistant", "content": "Hello", "thinking": "Hm."}
    assert (whole["done"], whole["done_reason"]) == (True, "length")
    generated = await plane.post(
        "/api/generate", {"model": "synapse/simple", "prompt": "Hi", "stream": False}
    )
    assert generated.json()["response"] == "Hello"
    record = (await plane.get("/api/query/1")).json()
    assert record["options"] == {"max_tokens": 9}
    loaded = (await plane.post("/api/generate", {"model": "synapse/simple"})).json()
    assert loaded["done_reason"] == "load"
    raw = await plane.post("/api/generate", {"model": "synapse/simple", "prompt": "Hi", "raw": True})
    assert raw.status_code == 400 and "Leave out `raw`" in raw.json()["error"]
    embed = await plane.post("/api/embed", {"model": "synapse/simple", "input": "Hi"})
    assert embed.status_code == 400


async def test_refusals(plane: ControlPlane) -> None:
    nobody = await chat(plane)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (503, "nobody_to_ask")
    assert nobody.headers["retry-after"] == "1"
    assert (await plane.last_calls(1))[0]["outcome"] == "refused"
    await enabled(plane)
    tools = await chat(plane, tools=[{"type": "function"}])
    assert (tools.status_code, tools.json()["error"]["code"]) == (400, "bad_request")
    for path in ("/v1/completions", "/v1/embeddings", "/v1/responses", "/tokenize"):
        response = await plane.post(path, {"model": "synapse/council", "prompt": "Hi", "input": "Hi"})
        assert response.status_code == 400, path
    unknown = await chat(plane, "synapse/choir")
    assert unknown.status_code == 404
    member = await chat(plane, synapse={"models": ["synapse/simple"]})
    assert (member.status_code, member.json()["error"]["code"]) == (400, "bad_request")
    props = await plane.get("/props?model=synapse/council")
    assert props.status_code == 400


async def test_nobody_answers(plane: ControlPlane) -> None:
    """Whole it is an error with a status; of a stream that has begun the last event."""
    await enabled(plane, events=None, reply={"error": {"message": "too long"}}, status=400)
    whole = await chat(plane, "synapse/simple")
    assert (whole.status_code, whole.json()["error"]["code"]) == (502, "no_answer")
    assert "too long" in whole.json()["error"]["message"]
    with pytest.raises(httpx.RemoteProtocolError):
        await chat(plane, "synapse/simple", stream=True)
    pieces = []
    with pytest.raises(httpx.RemoteProtocolError):
        async with plane.http.stream(
            "POST", CHAT, json={"model": "synapse/simple", "messages": MESSAGES, "stream": True}
        ) as response:
            async for piece in response.aiter_text():
                pieces.append(piece)
    last = [block for block in "".join(pieces).split("\n\n") if block.startswith("data: ")][-1]
    assert json.loads(last[6:])["error"]["code"] == "no_answer"
    calls = [call for call in await plane.last_calls(6) if call["asked"] == "synapse/simple"]
    assert [(call["outcome"], "too long" in call["error"]) for call in calls] == [("error", True)] * 3


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_client_that_leaves_ends_it(plane: ControlPlane, is_stream: bool) -> None:
    model_id = await enabled(plane, streams_when_told=True)
    actor = await plane.start(model_id)
    asking = asyncio.create_task(chat(plane, "synapse/simple", stream=is_stream))
    await chat_of(actor)
    actor.tell("go on")
    await until(lambda: any(call.first_byte for call in plane.services.recorder.activity.live.values()))
    asking.cancel()
    async with asyncio.timeout(1):
        await actor.saw("client left")
        await until(lambda: not plane.services.queries.live)
    assert plane.services.fleet.servers[model_id].active_requests == 0
    assert {call["outcome"] for call in await plane.last_calls(2)} == {"client_left"}
    assert (await plane.get("/api/query/1")).json()["status"] == "cancelled"


async def test_a_client_that_does_not_read_is_waited_for(plane: ControlPlane) -> None:
    """Nobody goes on talking to it: what the mode may be ahead is bounded, and so is the server's stream."""
    word = {"choices": [{"delta": {"content": "x" * 10_000}}]}
    await enabled(plane, events=[word] * 3_000)
    async with plane.http.stream(
        "POST", CHAT, json={"model": "synapse/simple", "messages": MESSAGES, "stream": True}
    ) as response:
        await anext(response.aiter_raw())
        (run,) = plane.services.queries.live.values()
        steps = -1
        while steps != len(run._steps):
            steps = len(run._steps)
            await asyncio.sleep(0.2)
        assert steps < 3_000
    await until(lambda: not plane.services.queries.live)


async def test_cancelled_by_somebody_else(plane: ControlPlane) -> None:
    model_id = await enabled(plane, answers_when_told=True)
    actor = await plane.start(model_id)
    # Its context is asked for first.
    asking = asyncio.create_task(chat(plane, "synapse/simple"))
    actor.tell("go on")
    await chat_of(actor)
    assert (await plane.http.delete("/api/query/1")).json()["message"] == "Query cancelled"
    response = await asking
    assert (response.status_code, response.json()["error"]["code"]) == (409, "cancelled")
    outcomes = {call["asked"]: call["outcome"] for call in await plane.last_calls(2)}
    assert outcomes["synapse/simple"] == "cancelled"


async def test_they_are_listed_where_a_model_could_play(plane: ControlPlane) -> None:
    async def names() -> list[str]:
        return [model["id"] for model in (await plane.get("/v1/models")).json()["data"]]

    assert await names() == []
    model_id = await enabled(plane)
    assert await names() == [model_id, *MODES]
    one = (await plane.get("/v1/models/synapse/two_stage")).json()
    assert (one["id"], one["kind"], one["display_name"]) == ("synapse/two_stage", "mode", "Synapse two stage")
    header = {"anthropic-version": "2023-06-01"}
    listed = (await plane.get("/v1/models", headers=header)).json()["data"]
    assert [each["id"] for each in listed] == [model_id, *MODES]


async def test_their_names_are_theirs(plane: ControlPlane) -> None:
    model_id = await enabled(plane)
    for name in ("synapse/council", "Synapse/Auto"):
        refused = await plane.patch(f"/api/models/{model_id}", {"aliases": [name]})
        assert refused.status_code == 422
    upstream = await plane.http.put("/api/upstreams/synapse", json={"url": "http://localhost:1"})
    assert upstream.status_code == 422


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/api/chat"])
async def test_its_models_are_asked_as_urgently_as_it_was(plane: ControlPlane, path: str) -> None:
    model_id = await enabled(plane, loads_when_told=True)
    asked = {"model": "synapse/simple", "messages": MESSAGES, "max_tokens": 9}
    asking = asyncio.create_task(plane.post(path, asked, headers={"X-Synapse-Priority": "low"}))
    actor = await plane.enter(model_id)
    line = plane.services.gateway.lines.line(model_id)
    await until(lambda: bool(line.waiting))
    assert [ticket.priority for ticket in line.waiting.tickets] == [2]
    actor.tell("ready")
    assert (await asking).status_code == 200
