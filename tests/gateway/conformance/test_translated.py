"""Ollama's words, which are not passed on but translated: the same care for both connections."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from tests.fakes.raw_client import Answer, RawClient
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.fakes.wire import Ended
from tests.gateway.conformance.bed import OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHAT = "/api/chat"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def event(word: str | None = None, **more: Any) -> bytes:
    delta = {"content": word} if word else {}
    choice = {"index": 0, "delta": delta, "finish_reason": None if word else "stop"}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


WORDS = ["Hel", "lo", " wörld"]
END = chunk(event()) + chunk(b"data: [DONE]\n\n") + chunk(b"")
WHOLE = STREAM + b"".join(chunk(event(word)) for word in WORDS) + END


def asked(bed: Bed, *, stream: bool = True) -> bytes:
    body = bed.body(messages=[{"role": "user", "content": "Hi"}], stream=stream)
    return bed.post("Content-Type: application/json", body=body, path=CHAT)


def said(answer: Answer) -> str:
    """All its records' words; the last one says that it is done."""
    records = [json.loads(line) for line in answer.body.splitlines()]
    assert [record["done"] for record in records] == [False] * (len(records) - 1) + [True]
    return "".join(record["message"]["content"] for record in records)


async def test_every_byte_by_itself(bed: Bed) -> None:
    request = asked(bed)
    client, connection, seen = await bed.ask(*(request[at : at + 1] for at in range(len(request))))
    assert seen.one("authorization") and seen.one("host") == f"127.0.0.1:{bed.actor.port}"
    await connection.send(*(WHOLE[at : at + 1] for at in range(len(WHOLE))))
    answer = await client.answer()
    assert (answer.status, answer.one("content-type")) == (200, "application/x-ndjson")
    assert said(answer) == "Hello wörld"


async def test_cut_in_two_at_every_byte(bed: Bed) -> None:
    positions = iter(range(1, len(WHOLE)))

    async def answer_in_two(connection: UpstreamConnection, request: Request) -> None:
        at = next(positions)
        await connection.send(WHOLE[:at], WHOLE[at:])

    bed.upstream.serve(answer_in_two)
    client = bed.client()
    for at in range(1, len(WHOLE)):
        await client.send(asked(bed))
        assert said(await client.answer()) == "Hello wörld", f"cut at {at}"
    assert bed.upstream.opened == 1


async def test_a_record_does_not_wait_for_the_next(bed: Bed) -> None:
    client, connection, _ = await bed.ask(asked(bed))
    await connection.send(STREAM + chunk(event("Hel")))
    answer = await client.begin()
    assert json.loads(await client.chunk())["message"]["content"] == "Hel"
    await connection.send(chunk(event("lo")))
    assert json.loads(await client.chunk())["message"]["content"] == "lo"
    await connection.send(END)
    await client.finish(answer)
    assert json.loads(answer.body)["done"]


FAILURES = {
    "no answer": b"",
    "half a head": b"HTTP/1.1 200 OK\r\n",
    "no http": b"nonsense\r\n\r\n",
    "a head that is huge": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("case", FAILURES)
async def test_a_server_that_does_not_answer(bed: Bed, case: str, stream: bool) -> None:
    client, connection, _ = await bed.ask(asked(bed, stream=stream))
    await connection.send(FAILURES[case])
    connection.shut()
    answer = await client.answer()
    assert (answer.status, list(answer.json())) == (502, ["error"])
    await connection.end()
    await client.send(bed.get(path="/health"))
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("how", ["closed", "reset", "senseless"])
async def test_a_server_that_breaks_off(bed: Bed, how: str) -> None:
    """The last record says so: nobody takes what came for all of it."""
    client, connection, _ = await bed.ask(asked(bed))
    await connection.send(STREAM + chunk(event("Hel")))
    answer = await client.begin()
    assert json.loads(await client.chunk())["message"]["content"] == "Hel"
    if how == "senseless":
        await connection.send(b"nonsense\r\n")
    (connection.reset if how == "reset" else connection.close)()
    with contextlib.suppress(Ended):  # it may be cut behind that record
        await client.finish(answer)
    assert list(json.loads(answer.body)) == ["error"]


async def test_a_server_that_refuses(bed: Bed) -> None:
    client, connection, _ = await bed.ask(asked(bed))
    await connection.reply(b'{"error": {"message": "too long", "code": 400}}', status="400 Bad Request")
    answer = await client.answer()
    assert answer.status == 400
    assert "too long" in answer.json()["error"]


@pytest.mark.parametrize("leave", [RawClient.close, RawClient.reset, RawClient.shut])
@pytest.mark.parametrize("sent", [b"", STREAM, STREAM + chunk(event("Hel"))])
async def test_a_client_that_leaves(bed: Bed, leave: Any, sent: bytes) -> None:
    client, connection, _ = await bed.ask(asked(bed))
    await connection.send(sent)
    leave(client)
    await bed.assert_freed(connection)


async def test_a_client_that_does_not_read(bed: Bed) -> None:
    """Neither does anybody for it."""
    client = bed.client(receive_buffer_bytes=1 << 16)
    await client.send(asked(bed))
    connection = await bed.upstream.connection()
    await connection.request()
    many = chunk(event("x" * 10_000)) * 4_000
    await connection.send(STREAM)
    assert await connection.pour(many, stall_seconds=0.5) < len(many) // 2
    client.reset()


async def test_among_others_on_one_connection(bed: Bed) -> None:
    async def answer(connection: UpstreamConnection, request: Request) -> None:
        await connection.send(WHOLE if b"messages" in request.body else OK)

    bed.upstream.serve(answer)
    client = bed.client()
    others = bed.get(path="/api/version") + bed.post()
    await client.send(bed.post() + asked(bed) + others + asked(bed, stream=False))
    assert (await client.answer()).body == b"ok"
    assert said(await client.answer()) == "Hello wörld"
    assert (await client.answer()).json()["version"]
    assert (await client.answer()).body == b"ok"
    assert (await client.answer()).json()["message"]["content"] == "Hello wörld"
