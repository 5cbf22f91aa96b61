"""Much to carry and nobody to take it: memory stays as it is, and whoever is slow slows only their own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.fakes.wire import PATIENCE_SECONDS, Wire
from tests.gateway.conformance.bed import OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEGABYTE = 1_000_000
PIECE = bytes(range(256)) * (MEGABYTE // 256)
GROWTH_BYTES = 20 * MEGABYTE
# What the system's own buffers on the way may swallow.
IN_BETWEEN_BYTES = 20 * MEGABYTE
STALL_SECONDS = 0.3


@contextmanager
def bounded_memory() -> Iterator[None]:
    """This process, relay, client and server in one, may grow by no more than GROWTH_BYTES meanwhile."""
    gc.collect()
    process, done = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()
    assert peak - before < GROWTH_BYTES, f"grown by {(peak - before) / MEGABYTE:.0f} MB"


async def drain(wire: Wire, count: int) -> int:
    """The check sum of that many bytes, none of which is kept."""
    check = 0
    while count:
        data = await wire.some(count)
        check = zlib.crc32(data, check)
        count -= len(data)
    return check


def check_of(pieces: int, before: bytes = b"", after: bytes = b"") -> int:
    check = zlib.crc32(before)
    for _ in range(pieces):
        check = zlib.crc32(PIECE, check)
    return zlib.crc32(after, check)


async def warm_up(bed: Bed) -> None:
    """So that what any first request brings into memory is there."""
    for _ in range(3):
        client, connection, _ = await bed.ask(bed.post(body=bed.body(text="x" * 2 * MEGABYTE)))
        await connection.reply(b"x" * MEGABYTE, "Connection: close")
        await client.answer()
        client.close()


@pytest.mark.parametrize("form", ["length", "chunks"])
async def test_a_request_of_100_megabytes(bed: Bed, form: str) -> None:
    begin, end = b'{"model": "%b", "image": "' % bed.model_id.encode(), b'"}'
    piece = b"i" * len(PIECE)
    length = len(begin) + 100 * len(piece) + len(end)
    await warm_up(bed)
    client = bed.client()

    async def send() -> None:
        if form == "length":
            await client.send(bed.head(f"Content-Length: {length}"), begin, *[piece] * 100, end)
            return
        await client.send(bed.head("Transfer-Encoding: chunked"))
        for part in [begin, *[piece] * 100, end]:
            await client.send(b"%x\r\n" % len(part), part, b"\r\n")
        await client.send(b"0\r\n\r\n")

    with bounded_memory():
        sending = asyncio.create_task(send())
        connection = await bed.upstream.connection()
        assert (await connection.head()).length == length
        check = await drain(connection, length)
        await sending
    expected = zlib.crc32(begin)
    for _ in range(100):
        expected = zlib.crc32(piece, expected)
    assert check == zlib.crc32(end, expected)
    await connection.send(OK)
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("form", ["length", "end"])
async def test_an_answer_of_100_megabytes(bed: Bed, form: str) -> None:
    await warm_up(bed)
    line = b"Content-Length: %d\r\n" % (100 * len(PIECE)) if form == "length" else b""
    client, connection, _ = await bed.ask(bed.post(version="1.0"))

    async def send() -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n", *[PIECE] * 100)
        connection.shut()

    with bounded_memory():
        sending = asyncio.create_task(send())
        assert (await client.begin()).status == 200
        assert await drain(client, 100 * len(PIECE)) == check_of(100)
        await sending
    assert (await client.end()).received == b""


async def test_who_does_not_read_is_not_read_for(bed: Bed) -> None:
    """The server can send no more than fits on the way; and once it is read, all of it is there."""
    await warm_up(bed)
    client = bed.client(receive_buffer_bytes=1 << 16)
    await client.send(bed.post())
    connection = await bed.upstream.connection()
    await connection.request()
    data = PIECE * 64
    with bounded_memory():
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data))
        sent = await connection.pour(data, stall_seconds=STALL_SECONDS)
        assert sent < IN_BETWEEN_BYTES
        assert bed.active == 1
        sending = asyncio.create_task(connection.pour(memoryview(data)[sent:], stall_seconds=5))
        assert (await client.begin()).length == len(data)
        assert await drain(client, len(data)) == check_of(64)
        assert await sending == len(data) - sent


async def test_a_server_that_does_not_read_costs_no_memory(bed: Bed) -> None:
    await warm_up(bed)
    begin, end = b'{"model": "%b", "image": "' % bed.model_id.encode(), b'"}'
    piece = b"i" * MEGABYTE
    length = len(begin) + 64 * MEGABYTE + len(end)
    client = bed.client()
    with bounded_memory():
        await client.send(bed.head(f"Content-Length: {length}"), begin, *[piece] * 64, end)
        connection = await bed.upstream.connection()
        await asyncio.sleep(STALL_SECONDS)  # all that can be sent has been
        assert (await connection.head()).length == length
        check = await drain(connection, length)
    expected = zlib.crc32(begin)
    for _ in range(64):
        expected = zlib.crc32(piece, expected)
    assert check == zlib.crc32(end, expected)
    await connection.send(OK)
    assert (await client.answer()).status == 200


async def test_a_slow_reader_gets_everything(bed: Bed) -> None:
    client = bed.client(receive_buffer_bytes=4096)
    await client.send(bed.post())
    connection = await bed.upstream.connection()
    await connection.request()
    events = [b"data: %d %b\n\n" % (number, b"x" * 500) for number in range(1_000)]
    stream = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    sending = asyncio.create_task(connection.pour(head + stream, stall_seconds=5))
    answer = await client.begin()
    while chunk := await client.chunk():
        answer.body += chunk
        await asyncio.sleep(0)
    assert answer.body == b"".join(events)
    await sending


async def test_a_slow_writer_is_waited_for(bed: Bed) -> None:
    body = bed.body(text="x" * 2_000)
    request = bed.post(body=body)
    client = bed.client()
    for at in range(0, len(request), 50):
        await client.send(request[at : at + 50])
        await asyncio.sleep(0.002)
    connection = await bed.upstream.connection()
    assert (await connection.request()).body == body
    await connection.send(OK)
    assert (await client.answer()).status == 200


async def test_one_that_does_not_read_holds_up_nobody_else(bed: Bed) -> None:
    async def answer(connection: UpstreamConnection, request: Request) -> None:
        if b"much" not in request.body:
            await connection.reply(request.body)
            return
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(much))
        with contextlib.suppress(OSError):  # it is the test that ends it
            await connection.pour(much, stall_seconds=PATIENCE_SECONDS)
        connection.close()

    much = PIECE * 64
    bed.upstream.serve(answer)
    stuck = [bed.client(receive_buffer_bytes=1 << 16) for _ in range(4)]
    for client in stuck:
        await client.send(bed.post(body=bed.body(much=True)))
    for number in range(50):
        client = bed.client()
        await client.send(bed.post(body=bed.body(number=number)))
        assert (await client.answer()).body == bed.body(number=number)
    for client in stuck:
        client.reset()


async def test_requests_without_end_before_the_first_is_answered(bed: Bed) -> None:
    """They wait at the client."""
    requests = bed.post() * 200_000
    client, connection, _ = await bed.ask(bed.post())
    with bounded_memory():
        sent = await client.pour(requests, stall_seconds=STALL_SECONDS)
    assert sent < IN_BETWEEN_BYTES
    client.reset()
    connection.reset()
