"""A server that fails: said in the words of the client's dialect, or the answer is cut and looks like it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from tests.fakes.raw_client import Cut
from tests.fakes.wire import Ended
from tests.gateway.conformance.bed import CHAT, OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ANTHROPIC_KINDS = {
    400: "invalid_request_error",
    404: "not_found_error",
    502: "api_error",
    504: "timeout_error",
    599: "api_error",
}


def assert_openai(status: int, body: Any) -> None:
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["type"] == ("invalid_request_error" if status < 500 else "server_error")


def assert_anthropic(status: int, body: Any) -> None:
    assert set(body) == {"type", "error"}
    assert body["type"] == "error"
    assert set(body["error"]) == {"type", "message"}
    assert body["error"]["type"] == ANTHROPIC_KINDS[status]


def assert_ours(status: int, body: Any) -> None:
    assert set(body) == {"error", "detail"}
    assert isinstance(body["error"], str)


DIALECTS = {
    CHAT: assert_openai,
    "/v1/completions": assert_openai,
    "/v1/embeddings": assert_openai,
    "/v1/rerank": assert_openai,
    "/v1/responses": assert_openai,
    "/v1/messages": assert_anthropic,
    "/v1/messages/count_tokens": assert_anthropic,
}
shaped = pytest.mark.parametrize(("path", "assert_shape"), DIALECTS.items(), ids=DIALECTS)
Shape = Callable[[int, Any], None]


@shaped
async def test_each_is_passed_on(bed: Bed, path: str, assert_shape: Shape) -> None:
    seen, answer = await bed.exchange(bed.post(path=f"{path}?a=1"), OK)
    assert (seen.target, answer.body) == (f"{path}?a=1", b"ok")


ERROR = {"code": 400, "message": "request (9031 tokens) exceeds the available context size", "type": "x"}


def refusal(status: int, body: bytes) -> bytes:
    head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


@shaped
async def test_the_servers_own_error(bed: Bed, path: str, assert_shape: Shape) -> None:
    """It knows OpenAI's alone, which pass as they are; the connection goes on with requests like it."""
    body = json.dumps({"error": ERROR}).encode()
    client, connection, _ = await bed.ask(bed.post(path=path))
    for _ in range(3):
        await connection.send(refusal(400, body))
        answer = await client.answer()
        assert (answer.status, answer.one("content-type")) == (400, "application/json")
        if assert_shape is assert_openai:
            assert answer.body == body
        else:
            assert_anthropic(400, answer.json())
            assert "exceeds the available context" in answer.json()["error"]["message"]
        await client.send(bed.post(path=path))
        await connection.request()
    await connection.send(OK)
    assert (await client.answer()).body == b"ok"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refusal(404, b"File Not Found"), "File Not Found"),
        (refusal(504, b"too slow"), "too slow"),
        (refusal(599, b"odd"), "odd"),
        (
            b"HTTP/1.1 404 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n5\r\n here\r\n0\r\n\r\n",
            "not here",
        ),
        (b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", "refused"),
    ],
)
async def test_any_error_of_the_server_gets_anthropics_shape(bed: Bed, reply: bytes, words: str) -> None:
    _, answer = await bed.exchange(bed.post(path="/v1/messages"), reply)
    assert answer.status == int(reply.split()[1])
    assert_anthropic(answer.status, answer.json())
    assert words in answer.json()["error"]["message"]


async def test_an_error_that_breaks_off_is_no_answer(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post(path="/v1/messages"))
    await connection.send(b"HTTP/1.1 400 X\r\nContent-Length: 9\r\n\r\n{")
    connection.close()
    answer = await client.answer()
    assert answer.status == 502
    assert_anthropic(502, answer.json())


def sse(name: str, **content: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **content})}\n\n".encode()


@pytest.mark.parametrize(
    ("first", "is_repaired"),
    [
        (sse("content_block_start", index=0), True),
        (sse("message_delta", usage={"output_tokens": 0}), True),
        (sse("message_start", message={}), False),
        (sse("error", error={}), False),
        (sse("ping"), False),
    ],
)
async def test_a_stream_of_anthropics_has_its_start(bed: Bed, first: bytes, is_repaired: bool) -> None:
    """llama-server leaves it out where the first character takes several tokens, or there is none."""
    rest = sse("message_stop")
    reply = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (first, rest)]
    request = bed.post(path="/v1/messages", body=bed.body(stream=True))
    _, answer = await bed.exchange(request, STREAM, *reply, b"0\r\n\r\n")
    assert answer.body.endswith(first + rest)
    start = answer.body.removesuffix(first + rest)
    assert bool(start) is is_repaired
    if is_repaired:
        name, _, data = start.decode().partition("\ndata: ")
        assert name == "event: message_start" and start.endswith(b"\n\n")
        message = json.loads(data)["message"]
        assert (message["role"], message["model"], message["content"]) == ("assistant", bed.model_id, [])
        assert set(message["usage"]) == {"input_tokens", "output_tokens"}


@shaped
async def test_no_answer(bed: Bed, path: str, assert_shape: Shape) -> None:
    client, connection, _ = await bed.ask(bed.post(path=path))
    connection.close()
    answer = await client.answer()
    assert (answer.status, answer.one("content-type")) == (502, "application/json")
    assert_shape(502, answer.json())
    await client.send(bed.get(path="/health"))
    assert (await client.answer()).status == 200


@shaped
async def test_no_such_model(bed: Bed, path: str, assert_shape: Shape) -> None:
    client = bed.client()
    await client.send(bed.post(path=path, body=b'{"model": "nobody"}'))
    answer = await client.answer()
    assert answer.status == 404
    assert_shape(404, answer.json())
    assert "nobody" in answer.body.decode()


@shaped
async def test_no_sense(bed: Bed, path: str, assert_shape: Shape) -> None:
    client = bed.client()
    await client.send(bed.post(path=path, body=b"{"))
    answer = await client.answer()
    assert answer.status == 400
    assert_shape(400, answer.json())


@shaped
async def test_no_http(bed: Bed, path: str, assert_shape: Shape) -> None:
    client = bed.client()
    await client.send(bed.head("Content-Length: x", path=path))
    answer = await client.answer()
    assert answer.status == 400
    assert_shape(400, answer.json())


async def test_ollamas_shape(bed: Bed) -> None:
    client = bed.client()
    await client.send(bed.head("Content-Length: x", path="/api/chat"))
    answer = await client.answer()
    assert answer.status == 400
    assert list(answer.json()) == ["error"]
    assert isinstance(answer.json()["error"], str)


async def test_elsewhere_it_is_our_own_shape(bed: Bed) -> None:
    client = bed.client()
    await client.send(bed.head("Content-Length: x", path="/api/models/rescan"))
    answer = await client.answer()
    assert answer.status == 400
    assert_ours(400, answer.json())


@pytest.mark.parametrize("path", ["/upstream/nobody/props", "/upstream/nobody"])
async def test_no_such_model_in_a_path(bed: Bed, path: str) -> None:
    client = bed.client()
    await client.send(bed.get(path=path))
    answer = await client.answer()
    assert answer.status == 404
    assert "nobody" in answer.body.decode()


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


async def cut(bed: Bed, path: str, *parts: bytes) -> bytes:
    """What of a stream comes to the client where the server breaks off behind these parts."""
    client, connection, _ = await bed.ask(bed.post(path=path))
    await connection.send(*parts)
    connection.close()
    with pytest.raises(Cut) as caught:
        await client.answer()
    return caught.value.answer.body


@shaped
async def test_a_stream_that_breaks_off_says_so(bed: Bed, path: str, assert_shape: Shape) -> None:
    """In an event of the dialect's own; and then it is cut, without the end that a whole one has."""
    body = await cut(bed, path, STREAM + chunk(b'data: {"word": 1}\n\n'))
    first, event = body.decode().split("\n\n", 1)
    assert first == 'data: {"word": 1}'
    lines = event.strip("\n").split("\n")
    if assert_shape is assert_anthropic:
        assert lines.pop(0) == "event: error"
    assert len(lines) == 1 and event.endswith("\n\n")
    error = json.loads(lines[0].removeprefix("data: "))
    assert_shape(502, error)


@pytest.mark.parametrize(
    "half", [b'data: {"wo', b'data: {"word": 2}\n', b"event: x\ndata: 1\n", b"da", b": comment"]
)
async def test_a_stream_that_breaks_off_within_an_event(bed: Bed, half: bytes) -> None:
    """Readers must not take the two for one."""
    body = await cut(bed, CHAT, STREAM + chunk(b"data: 1\n\n") + chunk(half))
    events = [event.strip("\n") for event in body.decode().strip("\n").split("\n\n")]
    assert events[0] == "data: 1"
    assert_openai(502, json.loads(events[-1].removeprefix("data: ")))
    assert len(events) == 3


async def test_a_stream_that_breaks_off_at_its_head(bed: Bed) -> None:
    body = await cut(bed, CHAT, STREAM)
    assert_openai(502, json.loads(body.decode().removeprefix("data: ")))


async def test_what_is_no_stream_is_only_cut(bed: Bed) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert await cut(bed, CHAT, head + chunk(b'{"a": ')) == b'{"a": '


async def test_a_stream_with_a_length_is_only_cut(bed: Bed) -> None:
    """There is no room for an event in what it says it has."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 90\r\n\r\n"
    assert await cut(bed, CHAT, head + b"data: 1\n\n") == b"data: 1\n\n"


async def test_a_stream_for_an_old_client_is_reset(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post(version="1.0"))
    await connection.send(STREAM + chunk(b"data: 1\n\n"))
    await client.begin()
    assert await client.exactly(9) == b"data: 1\n\n"
    connection.close()
    ended = await client.end()
    assert ended.how == "reset"


async def test_a_whole_stream_has_nothing_added(bed: Bed) -> None:
    _, answer = await bed.exchange(bed.post(), STREAM + chunk(b"data: [DONE]\n\n") + chunk(b""))
    assert answer.body == b"data: [DONE]\n\n"


async def test_a_senseless_stream_says_so(bed: Bed) -> None:
    body = await cut(bed, CHAT, STREAM + chunk(b"data: 1\n\n"), b"nonsense\r\n")
    first, event = body.decode().split("\n\n", 1)
    assert first == "data: 1"
    assert_openai(502, json.loads(event.removeprefix("data: ")))


async def test_a_defect_of_ours_ends_the_request(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = bed.plane.services.gateway
    monkeypatch.setattr(gateway.names, "find", Mock(side_effect=RuntimeError("a defect")))
    written: list[object] = []
    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "call_exception_handler", lambda context: written.append(context["exception"]))
        client = bed.client()
        await client.send(bed.post())
        with pytest.raises(Ended):
            await client.answer()
    assert [str(error.__context__) for error in written if isinstance(error, Exception)] == ["a defect"]
    assert not gateway.activity.live
