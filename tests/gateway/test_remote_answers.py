"""What upstreams by URL answer, and what goes wrong there."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.fakes.control_plane import ControlPlane
from tests.fakes.ports import free_port
from tests.fakes.remote import Asked, RemoteServer, Steps, data_of, put, say
from tests.fakes.rig import until

CHAT = "/v1/chat/completions"


# Where the words are, in each dialect's shape.
SHAPES: dict[str, Callable[[Any], str]] = {
    CHAT: lambda body: body["error"]["message"] if body["error"]["code"] == "upstream_failed" else "",
    "/v1/messages": lambda body: body["error"]["message"] if body["type"] == "error" else "",
    "/tokenize": lambda body: body["error"]["message"],
    "/api/chat": lambda body: body["error"],
}


@pytest.mark.parametrize("path", SHAPES)
async def test_one_that_does_not_run(plane: ControlPlane, path: str) -> None:
    found = await put(plane, "box", f"http://127.0.0.1:{free_port()}", model="m1")
    assert found["reachable"] is False and "refused" in found["problem"]
    answer = await plane.post(path, {"model": "box", "messages": [{"role": "user", "content": "Hi"}]})
    assert answer.status_code == 502
    assert SHAPES[path](answer.json()).startswith("The upstream box did not answer. Connection refused. ")
    call = await plane.last_call()
    assert (call["model_id"], call["outcome"], call["status"]) == ("box/m1", "server_lost", 502)


async def hang_up(server: RemoteServer, asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def babble(server: RemoteServer, asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
    await asyncio.Event().wait()


@pytest.mark.parametrize(("answer", "why"), [(hang_up, "It closed the connection"), (babble, "is not HTTP")])
async def test_one_that_gives_no_answer(
    plane: ControlPlane, server: RemoteServer, answer: Any, why: str
) -> None:
    server.answer = answer
    await put(plane, "box", server.url)
    response = await plane.post(CHAT, {"model": "box"})
    assert response.status_code == 502
    assert (
        why in response.json()["error"]["message"] and "upstream box" in response.json()["error"]["message"]
    )


async def too_many(server: RemoteServer, asked: Asked, writer: asyncio.StreamWriter) -> None:
    await say(writer, {"error": {"message": "slow down"}}, "Retry-After: 7\r\n", "429 Too Many Requests")


@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
async def test_its_own_errors_pass_as_they_are(plane: ControlPlane, server: RemoteServer, path: str) -> None:
    server.answer = too_many
    await put(plane, "box", server.url)
    answer = await plane.post(path, {"model": "box"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json() == {"error": {"message": "slow down"}}
    call = await plane.last_call()
    assert (call["outcome"], call["error"]) == ("error", "slow down")


async def test_one_that_leads_back_here(plane: ControlPlane) -> None:
    await put(plane, "me", plane.address, model="me")
    answer = await plane.post(CHAT, {"model": "me"})
    assert answer.status_code == 508
    assert "The upstream me leads back here" in answer.json()["error"]["message"]
    assert len((await plane.get("/api/activity/live")).json()["calls"]) == 0


# Streams.


async def test_a_stream_passes_word_by_word(plane: ControlPlane, server: RemoteServer) -> None:
    steps = server.answer = Steps()
    await put(plane, "box", server.url)
    async with plane.http.stream("POST", CHAT, json={"model": "box", "stream": True}) as response:
        words = data_of(response)
        for word in ("one", "two"):
            steps.words.put_nowait(word)
            assert await anext(words) == word
        (live,) = (await plane.get("/api/activity/live")).json()["calls"]
        assert (live["model_id"], live["stage"]) == ("box/m1", "answering")
        steps.words.put_nowait(None)
        assert [word async for word in words] == []
    call = await plane.last_call()
    assert (call["outcome"], call["stream"]) == ("ok", True)


async def test_a_stream_that_breaks_off_says_so(plane: ControlPlane, server: RemoteServer) -> None:
    steps = server.answer = Steps()
    await put(plane, "box", server.url)
    async with plane.http.stream("POST", CHAT, json={"model": "box", "stream": True}) as response:
        words = data_of(response)
        steps.words.put_nowait("one")
        assert await anext(words) == "one"
        steps.words.put_nowait("cut")
        assert "The upstream box did not answer" in json.loads(await anext(words))["error"]["message"]
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(words)


async def test_ollamas_clients(plane: ControlPlane, server: RemoteServer) -> None:
    steps = server.answer = Steps()
    await put(plane, "box", server.url)
    for word in ("Ahoy", "!"):
        steps.words.put_nowait(json.dumps({"choices": [{"index": 0, "delta": {"content": word}}]}))
    steps.words.put_nowait(json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    steps.words.put_nowait("[DONE]")
    steps.words.put_nowait(None)
    messages = [{"role": "user", "content": "Hi"}]
    asking = {"model": "box", "messages": messages, "stream": False, "keep_alive": "5m"}
    answer = (await plane.post("/api/chat", asking)).json()
    assert (answer["model"], answer["message"]["content"], answer["done"]) == ("box", "Ahoy!", True)
    asked = await server.asked.get()
    assert (asked.path, asked.json["model"], asked.json["messages"]) == (CHAT, "m1", messages)
    assert (await plane.last_call())["model_id"] == "box/m1"


@pytest.mark.parametrize("how", ["leaves", "is cancelled"])
async def test_a_client_that_leaves_ends_it_there(
    plane: ControlPlane, server: RemoteServer, how: str
) -> None:
    steps = server.answer = Steps()
    await put(plane, "box", server.url)
    async with plane.http.stream("POST", CHAT, json={"model": "box", "stream": True}) as response:
        steps.words.put_nowait("one")
        words = data_of(response)
        await anext(words)
        if how == "is cancelled":
            (live,) = (await plane.get("/api/activity/live")).json()["calls"]
            (await plane.http.delete(f"/api/activity/{live['id']}")).raise_for_status()
            with pytest.raises(httpx.RemoteProtocolError):
                assert "cancelled" in await anext(words)
                await anext(words)
    async with asyncio.timeout(1):
        await server.left.wait()
    await until(lambda: not plane.services.recorder.activity.live)


async def test_a_connection_is_used_again_and_watched_over(plane: ControlPlane, server: RemoteServer) -> None:
    await put(plane, "box", server.url)
    for _ in range(5):
        assert (await plane.post(CHAT, {"model": "box"})).status_code == 200
    assert server.connections == 1
    (connection,) = plane.services.gateway.remotes.get("box").place.idle
    found = connection._transport.get_extra_info("socket")
    assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 20
