"""How long is waited: not for a request that does not go on, but for an answer as long as it takes."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.raw_client import RawClient
from tests.fakes.wire import PATIENCE_SECONDS, within
from tests.gateway.conformance.bed import CHAT, OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT_SECONDS = 0.3
TIMES = {
    "synapse_engine.gateway.protocol.STALL_SECONDS": SHORT_SECONDS,
    "synapse_engine.listening.KEEP_ALIVE_SECONDS": SHORT_SECONDS,
}
LONG_SECONDS = 3 * SHORT_SECONDS
PATHS = [CHAT, "/api/models/enable"]


async def timed_out(client: RawClient) -> None:
    async with within(PATIENCE_SECONDS, "it is told and closed"):
        answer = await client.answer()
        assert (answer.status, answer.one("connection")) == (408, "close")
        assert (await client.end()).received == b""


async def test_a_head_that_does_not_go_on(bed: Bed) -> None:
    async def begin(path: str, share: float) -> None:
        client = bed.client()
        head = bed.head(path=path)
        await client.send(head[: int(len(head) * share) + 1])
        await timed_out(client)

    await asyncio.gather(*(begin(path, share) for path in PATHS for share in (0.0, 0.1, 0.5, 0.95)))
    await bed.assert_unreached()


async def test_a_head_that_goes_on_for_ever(bed: Bed) -> None:
    """A byte now and then does not keep a connection."""
    client = bed.client()
    await client.send(bed.head()[:-2] + b"X: ")

    async def drip() -> None:
        while True:
            await client.send(b"x")
            await asyncio.sleep(SHORT_SECONDS / 5)

    dripping = asyncio.create_task(drip())
    await timed_out(client)
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    await bed.assert_unreached()


@pytest.mark.parametrize("line", ["Content-Length: 50", "Transfer-Encoding: chunked"])
async def test_a_body_that_does_not_go_on(bed: Bed, line: str) -> None:
    async def begin(path: str, body: bytes) -> None:
        client = bed.client()
        await client.send(bed.head(line, path=path) + body)
        await timed_out(client)

    await asyncio.gather(*(begin(path, body) for path in PATHS for body in (b"", b"5", b"5\r\n{")))
    await bed.assert_unreached()


async def test_a_body_that_was_asked_for_and_does_not_come(bed: Bed) -> None:
    client = bed.client()
    await client.send(bed.head("Expect: 100-continue", "Content-Length: 9"))
    assert (await client.begin()).status == 100
    await timed_out(client)


async def test_a_body_that_goes_on_slowly(bed: Bed) -> None:
    request = bed.post(body=bed.body(text="x" * 200))
    client = bed.client()
    for at in range(0, len(request), len(request) // 10):
        await client.send(request[at : at + len(request) // 10])
        await asyncio.sleep(SHORT_SECONDS / 3)
    connection = await bed.upstream.connection()
    await connection.request()
    await connection.send(OK)
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("relayed", [True, False])
async def test_an_idle_connection_is_closed_without_a_word(bed: Bed, relayed: bool) -> None:
    if relayed:
        client, connection, _ = await bed.ask(bed.post())
        await connection.send(OK)
    else:
        client = bed.client()
        await client.send(bed.get(path="/health"))
    assert (await client.answer()).status == 200
    async with within(PATIENCE_SECONDS, "it is closed"):
        ended = await client.end()
    assert (ended.how, ended.received) == ("closed", b"")


async def test_a_connection_without_any_request_is_closed_without_a_word(bed: Bed) -> None:
    client = bed.client()
    async with within(PATIENCE_SECONDS, "it is closed"):
        ended = await client.end()
    assert (ended.how, ended.received) == ("closed", b"")


async def test_a_connection_in_use_is_not_idle(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(OK)
    await client.answer()
    for _ in range(4):
        await asyncio.sleep(SHORT_SECONDS / 2)
        await client.send(bed.get(path="/health"))
        assert (await client.answer()).status == 200


LONG_ANSWERS = [
    (b"", OK),
    (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 2\r\n\r\nok"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", b"k"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n"),
    (b"HTTP/1.1 103 Early\r\n\r\n", OK),
]


async def test_a_server_that_thinks_for_long_is_waited_for(bed: Bed) -> None:
    asked = [await bed.ask(bed.post()) for _ in LONG_ANSWERS]
    for (_, connection, _), (first, _) in zip(asked, LONG_ANSWERS, strict=True):
        await connection.send(first)
    await asyncio.sleep(LONG_SECONDS)
    for (client, connection, _), (_, rest) in zip(asked, LONG_ANSWERS, strict=True):
        await connection.send(rest)
        assert (await client.answer()).body == b"ok"


async def test_half_a_request_behind_one_that_takes_long(bed: Bed) -> None:
    """It is timed out once its turn has come; what is before it is not touched."""
    client, connection, _ = await bed.ask(bed.post() + bed.post()[:-5])
    await asyncio.sleep(LONG_SECONDS)
    await connection.send(OK)
    assert (await client.answer()).body == b"ok"
    async with within(PATIENCE_SECONDS, "it is told or closed"):
        ended = await client.end()
    assert not ended.received or ended.received.startswith(b"HTTP/1.1 408 ")
