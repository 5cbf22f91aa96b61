"""Ollama's endpoints over the control plane with the fake engine."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour, Stage

HELLO: list[dict[str, Any]] = [
    {"choices": [{"delta": {"role": "assistant", "content": None}}]},
    {"choices": [{"delta": {"content": "Hel"}}]},
    {"choices": [{"delta": {"content": "lo"}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {
        "choices": [],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
        "timings": {"prompt_n": 5, "cache_n": 0, "prompt_ms": 1.5, "predicted_n": 2, "predicted_ms": 3.0},
    },
]
MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def greeter(plane: ControlPlane) -> str:
    """An enabled model that says hello."""
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(events=HELLO))
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    return model_id


def records(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def problem(response: httpx.Response) -> str:
    body = response.json()
    assert list(body) == ["error"]
    assert isinstance(body["error"], str)
    return str(body["error"])


async def test_a_chat_is_streamed_as_records(plane: ControlPlane, greeter: str) -> None:
    """The model comes up for it, and the last record counts."""
    asked = {"model": f"{greeter}:latest", "messages": MESSAGES, "options": {"num_predict": 9}}
    response = await plane.post("/api/chat", asked)
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.headers["x-accel-buffering"] == "no"
    *parts, last = records(response)
    assert [part["message"] for part in parts] == [
        {"role": "assistant", "content": "Hel"},
        {"role": "assistant", "content": "lo"},
    ]
    assert all(part["model"] == f"{greeter}:latest" and not part["done"] for part in parts)
    assert last["message"] == {"role": "assistant", "content": ""}
    assert (last["done"], last["done_reason"]) == (True, "stop")
    assert (last["prompt_eval_count"], last["eval_count"], last["eval_duration"]) == (5, 2, 3_000_000)
    assert 0 < last["load_duration"] <= last["total_duration"]
    seen = await (await plane.enter(greeter)).saw("request")
    assert seen["path"] == "/v1/chat/completions"
    assert json.loads(seen["body"])["max_tokens"] == 9
    call = await plane.last_call()
    assert (call["dialect"], call["path"], call["outcome"]) == ("ollama", "/api/chat", "ok")
    assert (call["model_id"], call["asked"], call["stream"]) == (greeter, f"{greeter}:latest", True)
    assert (call["prompt_tokens"], call["output_tokens"]) == (5, 2)


async def test_a_chat_in_one(plane: ControlPlane, greeter: str) -> None:
    response = await plane.post("/api/chat", {"model": greeter, "messages": MESSAGES, "stream": False})
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.content)
    answer = response.json()
    assert answer["message"] == {"role": "assistant", "content": "Hello"}
    assert (answer["done"], answer["eval_count"]) == (True, 2)


async def test_a_prompt(plane: ControlPlane, greeter: str) -> None:
    parts = records(await plane.post("/api/generate", {"model": greeter, "prompt": "Hi"}))
    assert [part["response"] for part in parts] == ["Hel", "lo", ""]
    whole = await plane.post("/api/generate", {"model": greeter, "prompt": "Hi", "stream": False})
    assert whole.json()["response"] == "Hello"


async def test_what_is_loaded_answers_without_a_name(plane: ControlPlane, greeter: str) -> None:
    await plane.start(greeter)
    answer = await plane.post("/api/chat", {"messages": MESSAGES, "stream": False})
    assert answer.json()["model"] == greeter


@pytest.mark.parametrize("name", ["loaded:latest", "fast:latest", "Auto:latest"])
async def test_any_name_may_have_the_tag(plane: ControlPlane, greeter: str, name: str) -> None:
    await plane.start(greeter)
    answer = await plane.post("/api/chat", {"model": name, "messages": MESSAGES, "stream": False})
    assert answer.json()["message"]["content"] == "Hello", answer.text


async def test_an_answer_that_is_gone_on_with(plane: ControlPlane, greeter: str) -> None:
    begun = [*MESSAGES, {"role": "assistant", "content": "He"}]
    for is_stream in (True, False):
        asked = {"model": greeter, "messages": begun, "stream": is_stream}
        told = records(await plane.post("/api/chat", asked))
        assert "".join(record["message"]["content"] for record in told) == "llo"


async def test_a_variant_brings_its_own(plane: ControlPlane, greeter: str) -> None:
    variant = {"name": "pirate", "system_prompt": "Arr.", "sampling": {"temperature": 0.1, "top_k": 5}}
    await plane.patch(f"/api/models/{greeter}", {"settings": {"variants": [variant]}})
    actor = await plane.start(greeter)
    asked = {"model": "pirate:latest", "messages": MESSAGES, "options": {"top_k": 1}}
    records(await plane.post("/api/chat", asked))
    body = json.loads((await actor.saw("request"))["body"])
    assert body["messages"][0] == {"role": "system", "content": "Arr."}
    assert (body["temperature"], body["top_k"]) == (0.1, 1)
    assert (await plane.last_call())["variant"] == "pirate"


async def test_no_prompt_loads_and_no_keeping_unloads(plane: ControlPlane, greeter: str) -> None:
    empty: list[tuple[str, dict[str, Any]]] = [("/api/generate", {}), ("/api/chat", {"messages": []})]
    for path, body in empty:
        (loaded,) = records(await plane.post(path, {"model": greeter, **body}))
        assert (loaded["done"], loaded["done_reason"]) == (True, "load")
        assert plane.services.fleet.servers[greeter].state == "ready"
        (unloaded,) = records(await plane.post(path, {"model": greeter, "keep_alive": 0, **body}))
        assert unloaded["done_reason"] == "unload"
        assert plane.services.fleet.servers[greeter].state == "stopped"
        assert not plane.services.registry.get(greeter).choices.held
    assert (await (await plane.enter(greeter)).saw("sigterm"))["event"] == "sigterm"


async def test_keep_alive_is_kept(plane: ControlPlane, greeter: str) -> None:
    server = None
    for said, seconds in ((None, None), ("5m", 300.0), (None, 300.0), (-1, math.inf), (0, 0.0)):
        await plane.post("/api/chat", {"model": greeter, "messages": MESSAGES, "keep_alive": said})
        server = plane.services.fleet.servers[greeter]
        assert server.keep_alive_seconds == seconds
    assert server is not None
    await until(lambda: server.state == "stopped")
    refused = await plane.post("/api/chat", {"model": greeter, "messages": MESSAGES, "keep_alive": "soon"})
    assert refused.status_code == 400 and problem(refused).startswith("Bad keep_alive: soon")


async def test_embeddings(plane: ControlPlane) -> None:
    data = [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [0.6, 0.8]}]
    reply = {"data": data, "usage": {"prompt_tokens": 7}}
    model_id = await plane.add("Embed-7B-Q4_K_M.gguf", Behaviour(reply=reply))
    actor = await plane.start(model_id)
    answer = (await plane.post("/api/embed", {"model": model_id, "input": ["a", "b"]})).json()
    assert answer["embeddings"] == [[0.6, 0.8], [0.0, 1.0]]
    assert (answer["model"], answer["prompt_eval_count"]) == (model_id, 7)
    assert json.loads((await actor.saw("request"))["body"])["input"] == ["a", "b"]
    short = (await plane.post("/api/embed", {"model": model_id, "input": "a", "dimensions": 1})).json()
    assert short["embeddings"] == [[1.0], [0.0]]
    older = (await plane.post("/api/embeddings", {"model": model_id, "prompt": "a"})).json()
    assert older == {"embedding": [0.6, 0.8]}
    for path, field in (("/api/embed", "embeddings"), ("/api/embeddings", "embedding")):
        assert (await plane.post(path, {"model": model_id})).json()[field] == []


async def test_a_client_that_leaves_ends_it_upstream(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(events=HELLO, streams_when_told=True))
    actor = await plane.start(model_id)
    asked = {"model": model_id, "messages": MESSAGES}
    actor.tell("go on")
    async with plane.http.stream("POST", "/api/chat", json=asked) as response:
        await anext(response.aiter_lines())
        assert plane.services.fleet.servers[model_id].active_requests == 1
    async with asyncio.timeout(0.5):
        await actor.saw("client left")
        await until(lambda: plane.services.fleet.servers[model_id].active_requests == 0)
    assert (await plane.last_call())["outcome"] == "client_left"


@pytest.mark.parametrize("is_loading", [True, False])
async def test_a_client_that_leaves_before_the_answer(plane: ControlPlane, is_loading: bool) -> None:
    """While the model loads it leaves the line; while the server works, the server is told."""
    behaviour = Behaviour(events=HELLO, loads_when_told=is_loading, answers_when_told=not is_loading)
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", behaviour)
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    asked = {"model": model_id, "messages": MESSAGES, "stream": False}
    asking = asyncio.create_task(plane.post("/api/chat", asked))
    actor = await plane.enter(model_id)
    line = plane.services.gateway.lines.line(model_id)
    if is_loading:
        await until(lambda: len(line.waiting) == 1)
    else:
        await actor.saw("request")
    asking.cancel()
    async with asyncio.timeout(0.5):
        await until(lambda: not line.waiting and not line.in_flight)
        if not is_loading:
            await actor.saw("client left")
    actor.tell("ready")
    assert (await plane.last_call())["outcome"] == "client_left"


async def test_one_that_is_cancelled_is_told_so(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(events=HELLO, streams_when_told=True))
    actor = await plane.start(model_id)
    activity = plane.services.gateway.activity
    for is_stream in (True, False):
        asked = {"model": model_id, "messages": MESSAGES, "stream": is_stream}
        asking = asyncio.create_task(plane.post("/api/chat", asked))
        await actor.saw("request")
        if is_stream:
            actor.tell("go on")
            await until(lambda: any(call.bytes_out for call in activity.live.values()))
        activity.cancel(next(iter(activity.live)))
        response = await asking
        assert response.status_code == (200 if is_stream else 409)
        assert "Request cancelled" in json.loads(response.text.splitlines()[-1])["error"]
        assert (await plane.last_call())["outcome"] == "cancelled"
    await until(lambda: plane.services.fleet.servers[model_id].active_requests == 0)


async def test_a_server_that_breaks_off_is_the_last_record(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(events=HELLO, streams_when_told=True))
    actor = await plane.start(model_id)
    asking = asyncio.create_task(plane.post("/api/chat", {"model": model_id, "messages": MESSAGES}))
    await actor.saw("request")
    actor.tell("go on")
    await until(lambda: any(call.bytes_out for call in plane.services.gateway.activity.live.values()))
    actor.tell("cut")
    part, last = records(await asking)
    assert part["message"]["content"] == "Hel"
    assert last["error"].startswith("The model's server did not answer. It closed the connection")
    assert (await plane.last_call())["outcome"] == "server_lost"


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_servers_error_in_ollamas_shape(plane: ControlPlane, is_stream: bool) -> None:
    reply = {"error": {"code": 400, "message": "too long", "type": "x"}}
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(reply=reply, status=400))
    await plane.start(model_id)
    response = await plane.post("/api/chat", {"model": model_id, "messages": MESSAGES, "stream": is_stream})
    assert response.status_code == 400
    assert problem(response) == "The model's server refused. too long"
    call = await plane.last_call()
    assert (call["outcome"], call["status"]) == ("error", 400)


async def test_an_error_within_a_stream(plane: ControlPlane) -> None:
    events = [*HELLO[:2], {"error": {"code": 500, "message": "lost", "type": "server_error"}}]
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(events=events))
    await plane.start(model_id)
    part, last = records(await plane.post("/api/chat", {"model": model_id, "messages": MESSAGES}))
    assert (part["message"]["content"], last) == ("Hel", {"error": "The model's server refused. lost"})


async def test_refusals(plane: ControlPlane) -> None:
    unknown = await plane.post("/api/chat", {"model": "nobody:latest", "messages": MESSAGES})
    assert unknown.status_code == 404 and problem(unknown).startswith("Model not found: nobody")
    assert (await plane.last_call())["outcome"] == "refused"
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    disabled = await plane.post("/api/generate", {"model": model_id, "prompt": "Hi"})
    assert disabled.status_code == 503 and "not enabled" in problem(disabled)
    assert disabled.headers["retry-after"] == "1"
    bad = await plane.http.post("/api/chat", content=b"{")
    assert bad.status_code == 400 and problem(bad).startswith("The body is not the JSON")


async def test_large_bodies(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage, body_max_mb=3) as plane:
        model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(events=HELLO))
        actor = await plane.start(model_id)
        asked = {
            "model": model_id,
            "messages": [{"role": "user", "content": "?", "images": ["x" * 2_000_000]}],
        }
        records(await plane.post("/api/chat", asked))
        assert len((await actor.saw("request"))["body"]) > 2_000_000
        refused = await plane.post("/api/chat", {"model": model_id, "prompt": "x" * 3_000_000})
        assert refused.status_code == 413 and problem(refused).startswith("The body is too large")


# Lists.


async def test_the_lists(plane: ControlPlane, greeter: str) -> None:
    await plane.patch(f"/api/models/{greeter}", {"settings": {"variants": [{"name": "pirate"}]}})
    models = (await plane.get("/api/tags")).json()["models"]
    modes = [f"synapse/{mode}:latest" for mode in ("auto", "simple", "two_stage", "council", "debate")]
    assert [model["name"] for model in models] == [f"{greeter}:latest", "pirate:latest", *modes]
    assert {len(digest) for digest in {model["digest"] for model in models}} == {64}
    assert len({model["digest"] for model in models}) == len(models)
    assert {frozenset(model) for model in models} == {frozenset(models[0])}
    assert {frozenset(model["details"]) for model in models} == {frozenset(models[0]["details"])}
    assert models[0]["details"]["quantization_level"] == "Q4_K_M"
    assert models[0]["modified_at"].startswith("20")
    assert (await plane.get("/api/ps")).json() == {"models": []}
    await plane.start(greeter)
    (running,) = (await plane.get("/api/ps")).json()["models"]
    assert (running["name"], running["context_length"]) == (f"{greeter}:latest", 4096)
    # A person's is for ever.
    assert running["expires_at"].startswith("2318")


async def test_one_that_requests_started_expires(plane: ControlPlane, greeter: str) -> None:
    await plane.post("/api/generate", {"model": greeter, "keep_alive": "1h"})
    (running,) = (await plane.get("/api/ps")).json()["models"]
    assert not running["expires_at"].startswith("2318")
    fleet = plane.services.fleet
    assert 3590 < fleet.idle_stops.left_seconds(fleet.servers_of(greeter)) <= 3600


@pytest.mark.parametrize("field", ["model", "name"])
async def test_what_a_model_is(plane: ControlPlane, greeter: str, field: str) -> None:
    shown = (await plane.post("/api/show", {field: f"{greeter}:latest"})).json()
    assert shown["capabilities"] == ["completion"]
    assert shown["model_info"]["general.architecture"] == "llama"
    assert shown["model_info"]["llama.context_length"] == 4096
    assert shown["parameters"] == "num_ctx 4096"
    unknown = await plane.post("/api/show", {field: "nobody"})
    assert unknown.status_code == 404 and problem(unknown).startswith("Model not found: nobody")


@pytest.mark.parametrize("name", ["synapse/council", "box/far", "box/far:7b"])
async def test_what_has_no_file_here_is_listed_shown_and_pulled(
    plane: ControlPlane, greeter: str, name: str
) -> None:
    """Clients offer what the list has, and look at it and pull it before they ask it."""
    box = {"url": "http://127.0.0.1:9/v1", "model": name.removeprefix("box/")}
    (await plane.http.put("/api/upstreams/box", json=box)).raise_for_status()
    names = [model["name"] for model in (await plane.get("/api/tags")).json()["models"]]
    (tagged,) = [each for each in names if each.removesuffix(":latest") == name]
    for asked in (name, tagged):
        shown = await plane.post("/api/show", {"model": asked})
        assert shown.status_code == 200, shown.text
        assert shown.json()["capabilities"] == ["completion"]
        assert records(await plane.post("/api/pull", {"model": asked})) == [{"status": "success"}]


@pytest.mark.parametrize("path", ["/", "/api/tags", "/api/version"])
async def test_alive(plane: ControlPlane, path: str) -> None:
    """Clients that only want to know whether somebody is there ask for no body."""
    response = await plane.http.head(path)
    assert (response.status_code, response.content) == (200, b"")


async def test_the_version(plane: ControlPlane) -> None:
    assert (await plane.get("/api/version")).json()["version"].count(".") == 2


async def test_nothing_is_downloaded(plane: ControlPlane, greeter: str) -> None:
    assert records(await plane.post("/api/pull", {"model": f"{greeter}:latest"})) == [{"status": "success"}]
    refused = await plane.post("/api/pull", {"model": "llama3.2"})
    assert refused.status_code == 501 and "MODEL_SCAN_PATH" in problem(refused)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/create"),
        ("POST", "/api/copy"),
        ("POST", "/api/push"),
        ("DELETE", "/api/delete"),
        ("POST", "/api/blobs/sha256:0"),
    ],
)
async def test_what_only_ollama_does_is_refused_in_its_shape(
    plane: ControlPlane, method: str, path: str
) -> None:
    response = await plane.http.request(method, path, json={"model": "x"})
    assert response.status_code == 501
    assert "is not offered here. " in problem(response)


async def test_a_wrong_method_is_refused_in_its_shape(plane: ControlPlane) -> None:
    response = await plane.get("/api/chat")
    assert response.status_code == 405 and problem(response).startswith("Method not allowed")
