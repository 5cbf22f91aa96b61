"""Clients that leave: whatever was begun for them ends at once, at the server too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.fakes.raw_client import RawClient
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.fakes.rig import until
from tests.fakes.wire import within
from tests.gateway.conformance.bed import OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"body_max_mb": 100}
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"9\r\ndata: 1\n\n\r\n"
LEAVING = [RawClient.close, RawClient.reset, RawClient.shut]
Leave = Callable[[RawClient], None]

leaving = pytest.mark.parametrize("leave", LEAVING, ids=lambda leave: leave.__name__)


@leaving
async def test_before_a_request(bed: Bed, leave: Leave) -> None:
    leave(bed.client())
    await bed.assert_unreached()


@leaving
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
async def test_within_the_head(bed: Bed, leave: Leave, share: float) -> None:
    client = bed.client()
    head = bed.head("Content-Length: 5")
    await client.send(head[: int(len(head) * share)])
    leave(client)
    await bed.assert_unreached()


@leaving
@pytest.mark.parametrize("size", [50, 3_000_000])
async def test_within_the_body(bed: Bed, leave: Leave, size: int) -> None:
    client = bed.client()
    await client.send(bed.post(body=bed.body(text="x" * size))[:-10])
    leave(client)
    await bed.assert_unreached()


@leaving
async def test_within_a_body_in_chunks(bed: Bed, leave: Leave) -> None:
    client = bed.client()
    await client.send(
        bed.head("Transfer-Encoding: chunked") + b"%x\r\n%b\r\n" % (len(bed.body()), bed.body())
    )
    leave(client)
    await bed.assert_unreached()


@leaving
async def test_before_the_body_that_was_asked_for(bed: Bed, leave: Leave) -> None:
    client = bed.client()
    await client.send(bed.head("Expect: 100-continue", "Content-Length: 9"))
    assert (await client.begin()).status == 100
    leave(client)
    await bed.assert_unreached()


@leaving
async def test_while_it_waits(bed: Bed, leave: Leave) -> None:
    client, connection, _ = await bed.ask(bed.post())
    assert bed.active == 1
    leave(client)
    await bed.assert_freed(connection)


@leaving
async def test_while_its_body_is_on_its_way(bed: Bed, leave: Leave) -> None:
    """More than fits on the way, and the server does not read."""
    client = bed.client()
    await client.send(bed.post(body=bed.body(text="x" * 20_000_000)))
    connection = await bed.upstream.connection()
    assert bed.active == 1
    leave(client)
    async with within(0.5, "the lease is freed"):
        await until(lambda: bed.active == 0)
    await connection.end()


@leaving
async def test_between_head_and_body_of_the_answer(bed: Bed, leave: Leave) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(STREAM)
    await client.begin()
    leave(client)
    await bed.assert_freed(connection)


@leaving
async def test_within_an_answer(bed: Bed, leave: Leave) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(STREAM + EVENT)
    await client.begin()
    assert await client.chunk() == b"data: 1\n\n"
    leave(client)
    await bed.assert_freed(connection)


@pytest.mark.parametrize("leave", [RawClient.close, RawClient.reset], ids=["close", "reset"])
async def test_while_it_does_not_read(bed: Bed, leave: Leave) -> None:
    client = bed.client(receive_buffer_bytes=1 << 16)
    await client.send(bed.post())
    connection = await bed.upstream.connection()
    await connection.request()
    await connection.send(STREAM)
    await connection.pour(EVENT * 1_500_000, stall_seconds=0.2)
    leave(client)
    async with within(0.5, "the lease is freed"):
        await until(lambda: bed.active == 0)
    await connection.end()


@leaving
async def test_with_more_requests_behind(bed: Bed, leave: Leave) -> None:
    """None of these is begun any more."""
    client, connection, _ = await bed.ask(bed.post() + bed.post() + bed.get(path="/health") + bed.post())
    leave(client)
    await bed.assert_freed(connection)
    assert bed.upstream.opened == 1


@leaving
async def test_with_part_of_a_request_behind(bed: Bed, leave: Leave) -> None:
    client, connection, _ = await bed.ask(bed.post() + bed.post()[:-5])
    leave(client)
    await bed.assert_freed(connection)
    assert bed.upstream.opened == 1


@leaving
async def test_with_others_before_and_behind(bed: Bed, leave: Leave) -> None:
    """The application, too, is told of it, whichever of its answers it is at work on."""

    async def never_answer(connection: UpstreamConnection, request: Request) -> None:
        await connection.end()

    bed.upstream.serve(never_answer)
    for number in range(10):
        client = bed.client()
        await client.send(bed.get(path="/v1/models") * number + bed.post() + bed.get(path="/health") * 3)
        leave(client)


@leaving
async def test_between_two_answers(bed: Bed, leave: Leave) -> None:
    client, connection, _ = await bed.ask(bed.post() + bed.post())
    await connection.send(OK)
    await client.answer()
    await connection.request()
    leave(client)
    await bed.assert_freed(connection)


@leaving
async def test_after_its_answer(bed: Bed, leave: Leave) -> None:
    """The connection to the server is the next one's."""
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(OK)
    await client.answer()
    leave(client)
    second = bed.client()
    await second.send(bed.post())
    await connection.request()
    await connection.send(OK)
    assert (await second.answer()).status == 200
    assert bed.upstream.opened == 1


async def test_just_as_the_answer_comes(bed: Bed) -> None:
    """It is not passed on to anybody else."""

    async def answer(connection: UpstreamConnection, request: Request) -> None:
        if request.body == bed.body(number=1):
            first.close()
        await connection.reply(request.body)

    bed.upstream.serve(answer)
    for _ in range(20):
        first, second = bed.client(), bed.client()
        await first.send(bed.post(body=bed.body(number=1)))
        await second.send(bed.post(body=bed.body(number=2)))
        assert (await second.answer()).body == bed.body(number=2)


async def test_many_at_once(bed: Bed) -> None:
    """Those too that were still waiting for their turn."""
    asked = asyncio.Event()

    async def leave_them_waiting(connection: UpstreamConnection, request: Request) -> None:
        asked.set()
        if request.body != bed.body(mark=1):
            await connection.end()
        else:
            await connection.reply(b"ok")

    bed.upstream.serve(leave_them_waiting)
    clients = [bed.client() for _ in range(100)]
    await asyncio.gather(*(client.send(bed.post()) for client in clients))
    await asked.wait()
    for number, client in enumerate(clients):
        LEAVING[number % 2](client)
    async with within(1, "every lease is freed"):
        await until(lambda: bed.active == 0)
    client = bed.client()
    await client.send(bed.post(body=bed.body(mark=1)))
    assert (await client.answer()).body == b"ok"
