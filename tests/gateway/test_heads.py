"""Heads that come again: only what is the same to the byte, alone and whole is taken for the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.fakes.control_plane import ControlPlane
from tests.fakes.stage import Actor

from synapse_engine.gateway.endpoints import find_endpoint
from synapse_engine.gateway.heads import AnswerHead, RequestHead, find_repeated

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\nAccept: */*\r\n\r\n"


def message(body: bytes, head: bytes = HEAD) -> bytes:
    return head % len(body) + body


class TestFinding:
    def test_a_whole_message_with_a_length(self) -> None:
        repeated = find_repeated(message(b"{}"))
        assert repeated is not None
        assert repeated.body_of(message(b"another body")) == b"another body"
        assert repeated.body_of(message(b"")) == b""

    @pytest.mark.parametrize(
        "data",
        [
            message(b"{}")[:-1],
            message(b"{}") + b"x",
            message(b"{}") * 2,
            b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"POST / HTTP/1.1\r\nX: 1\r\n Content-Length: 2\r\n\r\n{}",
            b"POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}",
            b"POST / HTTP/1.1\r\nContent-Length: 2, 2\r\n\r\n{}",
            b"POST / HTTP/1.1\r\nContent-Length: 0000000002\r\n\r\n{}",
            b"POST / HTTP/1.1\r\nX: y\r\n\r\nContent-Length: 0\r\n",
            b"\r\n\r\n" + message(b"{}"),
            b"",
        ],
    )
    def test_nothing_else(self, data: bytes) -> None:
        assert find_repeated(data) is None


class TestTheNext:
    @pytest.mark.parametrize(
        "data",
        [
            message(b"{}", HEAD.replace(b"here", b"there")),
            message(b"{}", HEAD.replace(b"*/*", b"*/* ")),
            message(b"{}", HEAD.replace(b"%d", b" %d")),
            message(b"{}", HEAD.replace(b"%d", b"%d ")),
            message(b"{}", HEAD.replace(b"%d", b"-%d")),
            message(b"{}", HEAD.replace(b"%d", b"0x%d")),
            message(b"{}", HEAD.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")),
            message(b"{}")[:-1],
            message(b"{}") + b"x",
            message(b"{}") * 2,
            HEAD.replace(b"%d", b"") + b"{}",
            HEAD.replace(b"%d", b"1" * 10),
            HEAD.replace(b"%d", "٣".encode()) + b"abc",
            HEAD[:20],
            b"",
        ],
    )
    def test_anything_else_is_left_to_the_parser(self, data: bytes) -> None:
        repeated = find_repeated(message(b"{}"))
        assert repeated is not None
        assert repeated.body_of(data) is None


@pytest.mark.parametrize("name", ["transfer-encoding", "expect", "upgrade"])
def test_what_is_framed_or_treated_otherwise_does_not_come_again(name: str) -> None:
    assert request_head({b"host": b"here"}).may_come_again
    assert not request_head({b"host": b"here", name.encode(): b"x"}).may_come_again
    assert not request_head({b"host": b"here"}, keep_alive=False).may_come_again
    assert not request_head({b"host": b"here"}, is_old=True).may_come_again


def request_head(fields: dict[bytes, bytes], *, keep_alive: bool = True, is_old: bool = False) -> RequestHead:
    url = b"/v1/chat/completions?a=b"
    endpoint = find_endpoint(b"POST", url)
    assert endpoint is not None
    headers = list(fields.items())
    return RequestHead(
        endpoint,
        b"POST",
        url,
        headers,
        fields,
        client="here",
        refusal=None,
        keep_alive=keep_alive,
        is_old=is_old,
    )


def test_what_is_worked_out_of_heads() -> None:
    head = request_head(
        {b"host": b"here", b"x-synapse-priority": b"low", b"authorization": b"Bearer x", b"accept": b"*/*"}
    )
    assert (head.path, head.priority) == ("/v1/chat/completions", 2)
    assert head.lines == b"x-synapse-priority: low\r\naccept: */*\r\n"
    headers = [(b"server", b"llama.cpp"), (b"content-type", b"text/event-stream; charset=utf-8")]
    answer = AnswerHead(200, b"Fine", headers, dict(headers))
    assert answer.lines == b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    assert answer.is_stream
    assert AnswerHead(299, b"Odd", [], {}).lines == b"HTTP/1.1 299 Odd\r\n"


class Client:
    """One connection, bytes as they are."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, actor: Actor
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.host = host
        self.actor = actor
        self.model_id = actor.argv[actor.argv.index("--alias") + 1]

    def request(self, body: bytes) -> bytes:
        return message(body, HEAD.replace(b"here", self.host.encode()))

    def numbered(self, number: int) -> bytes:
        return self.request(json.dumps({"model": self.model_id, "n": number}).encode())

    async def ask(self, body: bytes) -> Any:
        self.writer.write(self.request(body))
        return await self.answer()

    async def answer(self) -> Any:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        return json.loads(await self.reader.readexactly(int(length.split(b":")[1])))

    async def number(self) -> int:
        """Of the request that the next answer is for."""
        number: int = (await self.answer())["asked"]["n"]
        return number


@pytest.fixture
async def client(plane: ControlPlane) -> AsyncIterator[Client]:
    actor = await plane.start(await plane.add("Qwen-7B-Q4_K_M.gguf"))
    url = plane.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    yield Client(reader, writer, f"{url.host}:{url.port}", actor)
    writer.close()
    await writer.wait_closed()


class TestOnOneConnection:
    """The second request and all after it have the first one's head."""

    async def test_every_request_gets_its_own_answer(self, client: Client) -> None:
        for number in range(5):
            body = {"model": client.model_id, "n": number, "pad": "x" * 7**number}
            assert (await client.ask(json.dumps(body).encode()))["asked"] == body
            seen = await client.actor.saw("request")
            assert json.loads(seen["body"]) == body
            assert dict(seen["headers"])["content-length"] == str(len(seen["body"]))

    async def test_one_in_pieces_or_with_the_next_at_its_heels(self, client: Client) -> None:
        client.writer.write(client.numbered(0))
        assert await client.number() == 0
        client.writer.write(client.numbered(1)[:-3])
        await client.writer.drain()
        client.writer.write(client.numbered(1)[-3:] + client.numbered(2) + client.numbered(3))
        assert [await client.number() for _ in range(3)] == [1, 2, 3]
        client.writer.write(client.numbered(4) + client.numbered(5)[:9])
        assert await client.number() == 4
        client.writer.write(client.numbered(5)[9:])
        assert await client.number() == 5

    async def test_a_refused_one_and_a_good_one_after_it(self, client: Client, plane: ControlPlane) -> None:
        good = json.dumps({"model": client.model_id}).encode()
        assert "asked" in await client.ask(good)
        assert "error" in await client.ask(b"{]")
        assert "error" in await client.ask(b'{"model": "nobody"}')
        assert "asked" in await client.ask(good)
        assert not plane.services.gateway.activity.live
