"""Requests passed to a server and answers passed back, as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour, Stage

CHAT = "/v1/chat/completions"


async def words(response: httpx.Response) -> AsyncIterator[Any]:
    async for line in response.aiter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            data = json.loads(line.removeprefix("data: "))
            yield data["word"] if "word" in data else data["error"]["code"]


def active(plane: ControlPlane, model_id: str) -> int:
    return plane.services.fleet.servers[model_id].active_requests


async def test_the_body_passes_unchanged(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    actor = await plane.start(model_id)
    body = b'{ "model":"Qwen_7B_FAST" ,\n "unknown": [1, 2.50], "messages":[{"content":"\\u00e9 \xc3\xa9"}] }'
    response = await plane.http.post(CHAT, content=body)
    assert response.status_code == 200
    assert response.json()["choices"][0]["message"]["content"] == f"{model_id} at your service"
    seen = await actor.saw("request")
    assert seen["body"].encode("latin-1") == body
    assert (seen["method"], seen["path"]) == ("POST", CHAT)


@pytest.mark.parametrize(
    "path",
    [
        CHAT,
        "/v1/completions",
        "/v1/embeddings",
        "/v1/chat/completions/input_tokens",
        "/v1/responses/input_tokens",
        "/responses/input_tokens",
    ],
)
async def test_every_endpoint(plane: ControlPlane, path: str) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    actor = await plane.start(model_id)
    assert (await plane.post(path, {"model": model_id})).status_code == 200
    assert (await actor.saw("request"))["path"] == path


@pytest.mark.parametrize("query", ["?a=1&b=%2Fx%26y&a=2", "?q=%C3%A9+z", "?plain"])
async def test_the_query_is_kept_as_it_is(plane: ControlPlane, query: str) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    actor = await plane.start(model_id)
    await plane.post(CHAT + query, {"model": model_id})
    assert (await actor.saw("request"))["path"] == CHAT + query


async def test_headers_of_the_connection_stay_on_it(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    actor = await plane.start(model_id)
    headers = {
        "Connection": "keep-alive, X-Mine",
        "X-Mine": "1",
        "X-Kept": "2",
        "TE": "trailers",
        "Cookie": "session=1",
        "Origin": plane.address,
        "Expect": "100-continue",
        "Proxy-Authorization": "Basic eDp5",
        "User-Agent": "tester/1",
    }
    asked = {"model": model_id, "stream": True}
    async with plane.http.stream("POST", CHAT, json=asked, headers=headers) as r:
        await r.aread()
        assert "x-hop" not in r.headers
        assert "access-control-allow-origin" not in r.headers
        assert "keep-alive" not in r.headers
        assert r.headers["content-type"] == "text/event-stream"
        assert len(r.headers.get_list("server")) <= 1 and "llama.cpp" not in r.headers.get("server", "")
    seen = dict((await actor.saw("request"))["headers"])
    assert seen["x-kept"] == "2" and seen["user-agent"] == "tester/1"
    for name in ("x-mine", "te", "cookie", "origin", "expect", "proxy-authorization"):
        assert name not in seen
    assert seen["host"] == f"127.0.0.1:{actor.port}"
    assert seen["content-type"] == "application/json"


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key"])
async def test_our_key_stays_here_and_the_servers_own_goes_up(
    tmp_path: Path, engine: Path, stage: Stage, header: str
) -> None:
    async with open_control_plane(tmp_path, engine, stage, api_key="s3cret") as plane:
        plane.http.headers[header] = "Bearer s3cret" if header == "Authorization" else "s3cret"
        model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
        actor = await plane.start(model_id)
        assert (await plane.post(CHAT, {"model": model_id})).status_code == 200
        seen = (await actor.saw("request"))["headers"]
        own = plane.services.fleet.lease(model_id).api_key
        assert [value for name, value in seen if name == "authorization"] == [f"Bearer {own}"]
        assert "s3cret" not in json.dumps(seen)
        assert "s3cret" not in " ".join(actor.argv)
        assert own not in " ".join(actor.argv)


async def test_a_stream_passes_chunk_by_chunk(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(streams_when_told=True, chunks=3))
    actor = await plane.start(model_id)
    async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
        answer = words(response)
        assert await anext(answer) == 0  # the second is not sent before it is told
        assert active(plane, model_id) == 1
        for number in (1, 2):
            actor.tell("go on")
            assert await anext(answer) == number
        assert [word async for word in answer] == []
    await until(lambda: active(plane, model_id) == 0)


async def test_a_client_that_leaves_a_stream_ends_it_upstream(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(streams_when_told=True))
    actor = await plane.start(model_id)
    async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
        await anext(words(response))
    async with asyncio.timeout(0.5):
        await actor.saw("client left")
        await until(lambda: active(plane, model_id) == 0)


async def test_a_client_that_leaves_before_the_answer_ends_it_upstream(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(answers_when_told=True))
    actor = await plane.start(model_id)
    asking = asyncio.create_task(plane.post(CHAT, {"model": model_id}))
    await actor.saw("request")
    asking.cancel()
    async with asyncio.timeout(0.5):
        await actor.saw("client left")
        await until(lambda: active(plane, model_id) == 0)


async def test_a_client_that_leaves_within_its_own_body(
    plane: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    await plane.add("Qwen-7B-Q4_K_M.gguf")
    _, writer = await asyncio.open_connection("127.0.0.1", plane.settings.port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{")
    await writer.drain()
    await plane.get("/health")
    writer.close()
    await writer.wait_closed()
    await plane.get("/health")
    assert "Traceback" not in caplog.text


async def test_a_server_that_breaks_off_cuts_the_answer_too(plane: ControlPlane) -> None:
    """A clean end would pass half an answer off as a whole one."""
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(streams_when_told=True))
    actor = await plane.start(model_id)
    async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
        answer = words(response)
        await anext(answer)
        actor.tell("cut")
        assert await anext(answer) == "upstream_failed"
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(answer)
    await until(lambda: active(plane, model_id) == 0)


async def test_a_server_that_dies_within_an_answer_cuts_it_and_is_failed(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(streams_when_told=True))
    actor = await plane.start(model_id)
    async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
        answer = words(response)
        await anext(answer)
        actor.die(1)
        assert await anext(answer) == "upstream_failed"
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(answer)
    await until(lambda: plane.services.fleet.servers[model_id].state == "failed")


async def test_a_server_that_dies_before_its_answer_is_a_502(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(answers_when_told=True))
    actor = await plane.start(model_id)
    asking = asyncio.create_task(plane.post(CHAT, {"model": model_id}))
    await actor.saw("request")
    actor.die(1)
    response = await asking
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_failed"
    assert response.json()["error"]["type"] == "server_error"


async def test_a_stop_lets_a_stream_end_whole(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(streams_when_told=True, chunks=2))
    actor = await plane.start(model_id)
    async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
        answer = words(response)
        await anext(answer)
        stop = asyncio.create_task(plane.post(f"/api/models/servers/{model_id}/stop"))
        await until(lambda: plane.services.fleet.servers[model_id].state == "stopping")
        refused = await plane.post(CHAT, {"model": model_id})
        assert refused.status_code == 503
        actor.tell("go on")
        assert [word async for word in answer] == [1]
    assert (await stop).json()["status"] == "stopped"


async def test_stop_now_cuts_a_stream(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(streams_when_told=True))
    await plane.start(model_id)
    async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
        answer = words(response)
        await anext(answer)
        await plane.post(f"/api/models/servers/{model_id}/stop?now=true")
        assert await anext(answer) == "upstream_failed"
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(answer)


async def test_many_at_once_do_not_mix(plane: ControlPlane) -> None:
    ids = [await plane.add(f"Model{n}-7B-Q4_K_M.gguf") for n in range(3)]
    for model_id in ids:
        await plane.start(model_id)
    asked = [(model_id, number) for number in range(20) for model_id in ids]
    answers = await asyncio.gather(*(plane.post(CHAT, {"model": m, "n": n}) for m, n in asked))
    for (model_id, number), answer in zip(asked, answers, strict=True):
        assert answer.json()["asked"] == {"model": model_id, "n": number}
        assert answer.json()["choices"][0]["message"]["content"] == f"{model_id} at your service"


async def test_a_large_body_passes(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    actor = await plane.start(model_id)
    response = await plane.post(CHAT, {"model": model_id, "text": "x" * 3_000_000})
    assert response.status_code == 200
    assert len(response.json()["asked"]["text"]) == 3_000_000
    assert len((await actor.saw("request"))["body"]) > 3_000_000


async def test_a_restarted_server_is_reached_at_once(plane: ControlPlane) -> None:
    """Connections to the one before are not used again."""
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    for _ in range(2):
        await plane.start(model_id)
        assert (await plane.post(CHAT, {"model": model_id})).status_code == 200
        await plane.post(f"/api/models/servers/{model_id}/stop")
