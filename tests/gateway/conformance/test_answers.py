"""Answers of a server: every framing, cut at every byte, early, with news before; and those without sense."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from tests.fakes.raw_client import Answer, Cut
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.gateway.conformance.bed import OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b'5;a="b"\r\nhello\r\n1\r\n \r\n00005\r\nworld\r\n0;c\r\nX-End: 1\r\n\r\n'
NEWS = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX-News: 1\r\n\r\n"
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
)
FORMS = {"length": LENGTH, "chunks": CHUNKS, "news": NEWS + LENGTH}


@pytest.mark.parametrize("form", FORMS)
async def test_every_byte_by_itself(bed: Bed, form: str) -> None:
    reply = FORMS[form]
    _, answer = await bed.exchange(bed.post(), *(reply[at : at + 1] for at in range(len(reply))))
    assert (answer.status, answer.body) == (200, b"hello world")
    assert not {"x-end", "x-news", "link"} & answer.names


@pytest.mark.parametrize("form", FORMS)
async def test_cut_in_two_at_every_byte(bed: Bed, form: str) -> None:
    reply = FORMS[form]
    positions = iter(range(1, len(reply)))

    async def answer_in_two(connection: UpstreamConnection, request: Request) -> None:
        at = next(positions)
        await connection.send(reply[:at], reply[at:])

    bed.upstream.serve(answer_in_two)
    client = bed.client()
    for at in range(1, len(reply)):
        await client.send(bed.post())
        assert (await client.answer()).body == b"hello world", f"cut at {at}"
    assert bed.upstream.opened == 1


async def test_without_a_length_it_goes_to_the_end_of_the_connection(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello ", b"world")
    connection.shut()
    answer = await client.answer()
    assert answer.body == b"hello world"
    await client.send(bed.get(path="/health"))  # the client's own connection need not end for that
    assert (await client.answer()).status == 200


async def test_an_old_server(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold")
    connection.shut()
    answer = await client.answer()
    assert (answer.body, answer.one("content-type")) == (b"old", "text/plain")


@pytest.mark.parametrize("body", [b"", b"x", b"\r\n0\r\n\r\n", bytes(range(256)) * 5000])
@pytest.mark.parametrize("form", ["length", "chunks", "end"])
async def test_bodies_pass_byte_for_byte(bed: Bed, body: bytes, form: str) -> None:
    client, connection, _ = await bed.ask(bed.post())
    if form == "length":
        sending = connection.reply(body)
    elif form == "chunks":
        sending = connection.send(
            CHUNKED + (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        )
    else:
        sending = connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + body)
    answering = asyncio.create_task(client.answer())
    await sending
    connection.shut()
    answer = await answering
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()
    if form == "length":
        assert answer.length == len(body)


async def test_a_packed_body_is_not_unpacked(bed: Bed) -> None:
    packed = b"\x1f\x8b\x08 whatever"
    client, connection, _ = await bed.ask(bed.post("Accept-Encoding: gzip"))
    await connection.reply(packed, "Content-Encoding: gzip")
    answer = await client.answer()
    assert (answer.body, answer.one("content-encoding")) == (packed, "gzip")


@pytest.mark.parametrize(
    "status",
    [
        "201 Created",
        "299 Odd",
        "302 Found",
        "400 Bad",
        "404 Not Found",
        "500 No",
        "503 Busy",
        "599 Odd",
        "200 ",
    ],
)
async def test_any_status_is_the_servers(bed: Bed, status: str) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.reply(b"its own", "Location: /x", "Retry-After: 7", status=status)
    answer = await client.answer()
    assert (answer.status, answer.body) == (int(status[:3]), b"its own")
    assert (answer.one("location"), answer.one("retry-after")) == ("/x", "7")


async def test_the_head_does_not_wait_for_the_body(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(CHUNKED)
    answer = await client.begin()
    assert answer.status == 200
    await connection.send(b"0\r\n\r\n")
    await client.finish(answer)


@pytest.mark.parametrize("form", ["length", "chunks", "end"])
async def test_nothing_waits_for_what_follows(bed: Bed, form: str) -> None:
    """Half a chunk neither: what is here is passed on."""
    first, second = {
        "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", b"world"),
        "chunks": (CHUNKED + b"a\r\nhello", b"world\r\n0\r\n\r\n"),
        "end": (b"HTTP/1.1 200 OK\r\n\r\nhello", b"world"),
    }[form]
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(first)
    answer = await client.begin()
    assert (await client.chunk() if answer.is_chunked else await client.exactly(5)) == b"hello"
    await connection.send(second)
    connection.shut()
    assert (await client.chunk() if answer.is_chunked else await client.exactly(5)) == b"world"
    if answer.is_chunked:
        assert await client.chunk() == b""


async def test_an_answer_before_the_request_was_read(bed: Bed) -> None:
    """An early error; the rest of the body need not go anywhere."""
    client = bed.client()
    sending = asyncio.create_task(client.send(bed.post(body=bed.body(text="x" * 8_000_000))))
    connection = await bed.upstream.connection()
    await connection.head()
    await connection.reply(b"too much", "Connection: close", status="413 Too Much")
    connection.shut()
    answer = await client.answer()
    assert (answer.status, answer.body) == (413, b"too much")
    await sending
    await connection.end()
    await client.send(bed.get(path="/health"))
    assert (await client.answer()).status == 200


async def test_an_answer_that_begins_before_the_request_was_read(bed: Bed) -> None:
    body = bed.body(text="x" * 8_000_000)
    client = bed.client()
    sending = asyncio.create_task(client.send(bed.post(body=body)))
    connection = await bed.upstream.connection()
    head = await connection.head()
    await connection.send(CHUNKED + b"5\r\nearly\r\n")
    answer = await client.begin()
    assert await client.chunk() == b"early"
    assert await connection.exactly(head.length or 0) == body
    await connection.send(b"4\r\nlate\r\n0\r\n\r\n")
    await client.read_chunks(answer)
    assert answer.body == b"late"
    await sending


async def test_more_than_was_said_is_not_passed_on(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(OK + b"surplus")
    assert (await client.answer()).body == b"ok"
    await connection.left()
    await client.send(bed.post())
    second = await bed.upstream.connection()
    await second.request()
    await second.send(OK)
    assert (await client.answer()).body == b"ok"


async def test_an_answer_that_nobody_asked_for(bed: Bed) -> None:
    """It must not be taken for the next request's."""
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(OK)
    assert (await client.answer()).body == b"ok"
    await connection.send(OK.replace(b"ok", b"no"))
    await connection.left()
    await client.send(bed.post())
    second = await bed.upstream.connection()
    await second.request()
    await second.send(OK)
    assert (await client.answer()).body == b"ok"


LESS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "within a chunk": CHUNKED + b"a\r\nhello",
    "between chunks": CHUNKED + b"5\r\nhello\r\n",
    "before the last line": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "within a trailer": CHUNKED + b"5\r\nhello\r\n0\r\nX-End: 1\r\n",
    "a size that is none": CHUNKED + b"5\r\nhello\r\nxyz\r\n",
    "a size too large": CHUNKED + b"5\r\nhello\r\nfffffffffffffffff\r\n",
    "a chunk without its end": CHUNKED + b"5\r\nhello5\r\nworld\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("case", LESS)
async def test_less_than_was_said_is_cut(bed: Bed, case: str, how: str) -> None:
    """A clean end would pass half an answer off as a whole one."""
    client, connection, _ = await bed.ask(bed.post())
    head, _, body = LESS[case].partition(b"\r\n\r\n")
    await connection.send(head + b"\r\n\r\n")
    answer = await client.begin()
    await connection.send(body)
    if answer.is_chunked:
        assert await client.chunk() == b"hello"
    else:
        assert await client.exactly(5) == b"hello"
    if how == "closed":
        connection.close()
    else:
        connection.reset()
    ended = await client.end()
    assert ended.received in (b"", b"\r\n")  # the end of a chunk, never the last chunk


def garbage(*lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b"ok"])


SENSELESS = {
    "no http": b"220 mail.example ESMTP\r\n\r\n",
    "another protocol": b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "http/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
    "a status of letters": b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok",
    "a status too short": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "a status too long": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "a status too small": b"HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok",
    "no status": b"HTTP/1.1\r\nContent-Length: 2\r\n\r\nok",
    "another version": b"HTTP/3.7 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "no colon": garbage(b"Content-Length: 2", b"nonsense"),
    "no name": garbage(b"Content-Length: 2", b": x"),
    "a space before the colon": garbage(b"Content-Length: 2", b"X-A : b"),
    "a space in a name": garbage(b"Content-Length: 2", b"X A: b"),
    "a folded line": garbage(b"Content-Length: 2", b"X-A: b", b" c"),
    "a NUL": garbage(b"Content-Length: 2", b"X-A: b\x00c"),
    "a bare CR": garbage(b"Content-Length: 2", b"X-A: b\rX-C: d"),
    "a control character": garbage(b"Content-Length: 2", b"X-A: b\x01c"),
    "a DEL": garbage(b"Content-Length: 2", b"X-A: b\x7fc"),
    "two lengths": garbage(b"Content-Length: 2", b"Content-Length: 3"),
    "a length of several": garbage(b"Content-Length: 2, 3"),
    "a negative length": garbage(b"Content-Length: -2"),
    "a length with a sign": garbage(b"Content-Length: +2"),
    "a length of letters": garbage(b"Content-Length: two"),
    "a length that is huge": garbage(b"Content-Length: 99999999999999999999999"),
    "a length and chunks": CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n")
    + b"2\r\nok\r\n0\r\n\r\n",
    "another coding": garbage(b"Transfer-Encoding: gzip", b"Content-Length: 2"),
    "codings on top of each other": garbage(b"Transfer-Encoding: gzip, chunked") + b"2\r\nok\r\n0\r\n\r\n",
    "a switch that nobody asked for": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a line": b"HTT",
    "news and then nothing": NEWS,
    "nothing": b"",
    "a head without an end": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000,
    "a line without an end": b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 200_000,
    "a head that is huge": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    + b"X-%05d: b\r\n" % 7 * 8_000
    + b"\r\nok",
}


@pytest.mark.parametrize("case", SENSELESS)
async def test_a_senseless_answer_is_a_502(bed: Bed, case: str) -> None:
    """Nothing of it is passed on; the client's connection goes on and the server's does not."""
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(SENSELESS[case])
    connection.shut()
    answer = await client.answer()
    assert_failed(answer)
    await connection.end()
    await client.send(bed.get(path="/health"))
    assert (await client.answer()).status == 200
    assert bed.upstream.opened == 1


def assert_failed(answer: Answer) -> None:
    assert answer.status == 502
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("upstream_failed", "server_error")
    assert error["message"].startswith("The model's server did not answer. ")


@pytest.mark.parametrize("case", ["no http", "a head without an end", "a line without an end"])
async def test_a_senseless_answer_is_not_waited_for_to_end(bed: Bed, case: str) -> None:
    client, connection, _ = await bed.ask(bed.post())
    sending = asyncio.create_task(connection.send(SENSELESS[case]))
    assert_failed(await client.answer())
    await connection.end()
    await asyncio.gather(sending, return_exceptions=True)


@pytest.mark.parametrize("case", [name for name in LESS if "chunk" in name or "size" in name])
async def test_a_senseless_chunk_at_once_with_its_head(bed: Bed, case: str) -> None:
    """Either nothing was sent yet, or it is cut."""
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(LESS[case])
    connection.shut()
    try:
        assert_failed(await client.answer())
    except Cut as cut:
        assert b"hello".startswith(cut.answer.body)


@pytest.mark.parametrize("head_bytes", [1_000, 8_000, 32_000, 60_000])
async def test_a_large_head_passes(bed: Bed, head_bytes: int) -> None:
    client, connection, _ = await bed.ask(bed.post())
    await connection.reply(b"ok", "X-Large: " + "x" * head_bytes)
    assert len((await client.answer()).one("x-large") or "") == head_bytes


async def test_news_without_end_are_no_answer(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post())
    for _ in range(5):
        await connection.send(NEWS)
    await connection.send(OK)
    answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"ok")
    assert not {"link", "x-news"} & answer.names
