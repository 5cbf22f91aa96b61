"""Many at once: nothing mixes, everything stays in order, and nothing is left over."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.fakes.leaks import sockets_on
from tests.fakes.raw_client import Cut, RawClient
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.fakes.rig import until
from tests.fakes.wire import Ended, within
from tests.gateway.conformance.bed import Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = 20
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(asked: bytes, number: int) -> bytes:
    return b"data: %d of %b\n\n" % (number, asked)


async def stream(connection: UpstreamConnection, request: Request) -> None:
    """What was asked, again and again, in pieces that fit no event."""
    contents = [event(request.body, number) for number in range(EVENTS)]
    framed = STREAM + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in contents) + b"0\r\n\r\n"
    dice = random.Random(request.body)
    at = 0
    while at < len(framed):
        size = dice.randrange(1, 400)
        await connection.send(framed[at : at + size])
        at += size


async def assert_stream(client: RawClient, asked: bytes) -> None:
    answer = await client.answer()
    assert answer.body == b"".join(event(asked, number) for number in range(EVENTS))


async def test_200_streams_at_once(bed: Bed) -> None:
    bed.upstream.serve(stream)
    bodies = [bed.body(number=number, stream=True) for number in range(200)]

    async def ask(body: bytes) -> None:
        client = bed.client()
        await client.send(bed.post(body=body))
        await assert_stream(client, body)

    await asyncio.gather(*(ask(body) for body in bodies))
    assert bed.active == 0


async def test_50_clients_with_several_requests_each(bed: Bed) -> None:
    """Relayed ones and others, sent at once."""
    bed.upstream.serve(stream)

    async def ask(number: int) -> None:
        bodies = [bed.body(client=number, request=request) for request in range(4)]
        client = bed.client()
        between = bed.get(path="/health")
        await client.send(between.join(bed.post(body=body) for body in bodies))
        for body in bodies:
            if body is not bodies[0]:
                assert (await client.answer()).json()["status"] == "ok"
            await assert_stream(client, body)

    await asyncio.gather(*(ask(number) for number in range(50)))


def own_connections(bed: Bed) -> int:
    """Of clients and servers; our own ends are closed by then."""
    return sockets_on({bed.plane.settings.port, bed.actor.port})


async def test_whatever_they_do_nothing_is_left(bed: Bed) -> None:
    """A mixture of everything, with the dice always thrown the same."""
    before = own_connections(bed)
    bed.upstream.serve(break_off_at_times)
    dice = random.Random(5)
    acts = [whole, leaving_soon, half_a_request, refused, unknown, at_once]
    await asyncio.gather(*(dice.choice(acts)(bed, number) for number in range(300)))
    await bed.settle()
    async with within(2, "every connection is closed"):
        await until(lambda: own_connections(bed) <= before)
    bed.upstream.serve(stream)
    await whole(bed, 1000)


async def break_off_at_times(connection: UpstreamConnection, request: Request) -> None:
    dice = random.Random(request.body)
    try:
        if dice.random() < 0.3:
            await connection.send(STREAM + b"5\r\nhello\r\n")
            connection.reset()
        else:
            await stream(connection, request)
    except OSError:
        connection.close()


async def whole(bed: Bed, number: int) -> None:
    body = bed.body(number=number)
    client = bed.client()
    await client.send(bed.post(body=body))
    try:
        await assert_stream(client, body)
    except Cut as cut:
        assert cut.answer.body.startswith(b"hello")


async def leaving_soon(bed: Bed, number: int) -> None:
    client = bed.client()
    await client.send(bed.post(body=bed.body(number=number)))
    await asyncio.sleep(random.Random(number).random() / 20)
    (client.close if number % 2 else client.reset)()


async def half_a_request(bed: Bed, number: int) -> None:
    request = bed.post(body=bed.body(number=number))
    client = bed.client()
    await client.send(request[: number % len(request)])
    client.close()


async def refused(bed: Bed, number: int) -> None:
    client = bed.client()
    await client.send(bed.head("Content-Length: 5", "Transfer-Encoding: chunked") + b"12345")
    assert (await client.answer()).status == 400


async def unknown(bed: Bed, number: int) -> None:
    client = bed.client()
    await client.send(bed.post(body=b'{"model": "nobody"}'))
    assert (await client.answer()).status == 404


async def at_once(bed: Bed, number: int) -> None:
    client = bed.client()
    await client.send(bed.post(body=bed.body(number=number)) * 3)
    try:
        for _ in range(3):
            await assert_stream(client, bed.body(number=number))
    except (Cut, Ended):
        return
