"""Connections to a server: kept while both ends are clean, and never one that might answer for another."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.gateway.conformance.bed import OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLEAN = {
    "length": OK,
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "nothing": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "an error": b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
    "news": b"HTTP/1.1 103 Early\r\n\r\n" + OK,
}
UNCLEAN = {
    "close": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "Close among others": b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok",
    "an old server": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "surplus": OK + b"x",
    "two answers": OK + OK,
}


async def answer_to(bed: Bed, connection: UpstreamConnection, reply: bytes) -> None:
    client = bed.client()
    await client.send(bed.post())
    await connection.request()
    await connection.send(reply)
    await client.answer()
    client.close()


@pytest.mark.parametrize("case", CLEAN)
async def test_a_clean_one_is_used_again(bed: Bed, case: str) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(CLEAN[case])
    await client.answer()
    for _ in range(3):
        await answer_to(bed, connection, CLEAN[case])
    assert bed.upstream.opened == 1


@pytest.mark.parametrize("case", UNCLEAN)
async def test_an_unclean_one_is_not(bed: Bed, case: str) -> None:
    """The relay closes it, whether the server does or not."""
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(UNCLEAN[case])
    assert (await client.answer()).body == b"ok"
    await connection.left()
    _, again = await bed.exchange(bed.post(), OK)
    assert (again.body, bed.upstream.opened) == (b"ok", 2)


async def test_as_many_as_are_used_at_once(bed: Bed) -> None:
    async def echo(connection: UpstreamConnection, request: Request) -> None:
        await connection.reply(request.body)

    bed.upstream.serve(echo)
    clients = [bed.client() for _ in range(8)]
    for _ in range(3):
        await asyncio.gather(*(client.send(bed.post()) for client in clients))
        for client in clients:
            assert (await client.answer()).status == 200
    assert bed.upstream.opened <= 8


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_one_that_the_server_closed_while_it_was_kept(bed: Bed, how: str) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(OK)
    await client.answer()
    (connection.close if how == "closed" else connection.reset)()
    await client.send(bed.post())
    second = await bed.upstream.connection()
    await second.request()
    await second.send(OK)
    assert (await client.answer()).body == b"ok"


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_one_that_the_server_closes_just_then(bed: Bed, how: str, size: int) -> None:
    """Nobody can have read the request, so it is sent again, whole, and the client does not notice."""
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(OK)
    await client.answer()
    body = bed.body(text="x" * size)
    await client.send(bed.post(body=body))
    await connection.head()
    (connection.close if how == "closed" else connection.reset)()
    second = await bed.upstream.connection()
    assert (await second.request()).body == body
    await second.send(OK)
    assert (await client.answer()).body == b"ok"
    assert bed.upstream.opened == 2


async def test_it_is_sent_again_only_once(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(OK)
    await client.answer()
    await client.send(bed.post())
    for _ in range(2):
        await connection.request()
        connection.close()
        if bed.upstream.opened == 1:
            connection = await bed.upstream.connection()
    assert (await client.answer()).status == 502
    assert bed.upstream.opened == 2


async def test_on_a_new_one_it_is_not_sent_again(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post())
    connection.close()
    assert (await client.answer()).status == 502
    assert bed.upstream.opened == 1


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_once_an_answer_has_begun_it_is_not_sent_again(bed: Bed, begun: bytes) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(OK)
    await client.answer()
    await client.send(bed.post())
    await connection.request()
    await connection.send(begun)
    connection.close()
    assert (await client.answer()).status == 502
    assert bed.upstream.opened == 1


async def test_a_client_that_has_left_is_not_asked_again_for(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(OK)
    await client.answer()
    await client.send(bed.post())
    await connection.request()
    client.close()
    await bed.assert_freed(connection)
    assert bed.upstream.opened == 1


async def restart(bed: Bed) -> None:
    """The model's server is another process afterwards, on the same port."""
    (await bed.plane.post(f"/api/models/servers/{bed.model_id}/stop")).raise_for_status()
    port = bed.actor.port
    bed.actor = await bed.plane.start(bed.model_id)
    assert bed.actor.port == port


async def test_those_of_an_earlier_process_are_not_used(bed: Bed) -> None:
    """They may be open still, and so may what answers there."""
    client, connection, seen = await bed.ask(bed.post())
    await connection.send(OK)
    await client.answer()
    await restart(bed)
    await client.send(bed.post())
    second = await bed.upstream.connection()
    again = await second.request()
    assert again.one("authorization") != seen.one("authorization")
    await second.send(OK)
    assert (await client.answer()).status == 200
    assert not connection.waiting()


async def test_a_server_that_takes_no_connection(bed: Bed) -> None:
    bed.actor.tell("refuse")
    await bed.actor.saw("refusing")
    client = bed.client()
    try:
        for _ in range(2):
            await client.send(bed.post())
            answer = await client.answer()
            assert answer.status == 502
            assert answer.json()["error"]["code"] == "upstream_failed"
        assert bed.active == 0
    finally:
        await restart(bed)
    await client.send(bed.post())
    connection = await bed.upstream.connection()
    await connection.request()
    await connection.send(OK)
    assert (await client.answer()).status == 200
