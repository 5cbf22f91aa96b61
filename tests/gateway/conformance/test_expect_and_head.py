"""`Expect: 100-continue` and HEAD: answers that come before a body, and answers without one."""

from __future__ import annotations

import pytest
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.gateway.conformance.bed import CHAT, OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"api_key": "s3cret", "body_max_mb": 1}
KEY = "Authorization: Bearer s3cret"
EXPECT = "Expect: 100-continue"


async def test_the_body_is_asked_for(bed: Bed) -> None:
    client = bed.client()
    await client.send(bed.head(KEY, EXPECT, f"Content-Length: {len(bed.body())}"))
    assert (await client.begin()).first == b"HTTP/1.1 100 Continue"
    await client.send(bed.body())
    connection = await bed.upstream.connection()
    seen = await connection.request()
    assert seen.body == bed.body()
    assert seen.one("expect") is None
    await connection.send(OK)
    assert (await client.answer()).status == 200


async def test_a_body_in_chunks_is_asked_for(bed: Bed) -> None:
    client = bed.client()
    await client.send(bed.head(KEY, "expect: 100-Continue", "Transfer-Encoding: chunked"))
    assert (await client.begin()).status == 100
    await client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(bed.body()), bed.body()))
    connection = await bed.upstream.connection()
    assert (await connection.request()).body == bed.body()
    await connection.send(OK)
    assert (await client.answer()).status == 200


async def test_it_is_asked_for_once(bed: Bed) -> None:
    """And again with the next request."""
    client, connection, _ = await bed.ask(bed.post(KEY))
    await connection.send(OK)
    await client.answer()
    for number in range(3):
        body = bed.body(number=number)
        await client.send(bed.head(KEY, EXPECT, f"Content-Length: {len(body)}"))
        assert (await client.begin()).status == 100
        await client.send(body[:5], body[5:9], body[9:])
        assert (await connection.request()).body == body
        await connection.send(OK)
        assert (await client.answer()).status == 200


async def test_a_client_that_does_not_wait(bed: Bed) -> None:
    client, connection, seen = await bed.ask(bed.post(KEY, EXPECT))
    assert seen.body == bed.body()
    await connection.send(OK)
    answer = await client.begin()
    if answer.status == 100:
        answer = await client.begin()
    await client.finish(answer)
    assert (answer.status, answer.body) == (200, b"ok")


async def test_an_old_client_is_not_asked(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post(KEY, EXPECT, version="1.0"))
    await connection.send(OK)
    assert (await client.begin()).status == 200


REFUSED = {
    401: (EXPECT, "Content-Length: 9"),
    413: (KEY, EXPECT, "Content-Length: 1000001"),
    403: (KEY, EXPECT, "Content-Length: 9", "Origin: http://elsewhere.example"),
}


@pytest.mark.parametrize("status", REFUSED)
async def test_a_body_that_will_not_be_taken_is_not_asked_for(bed: Bed, status: int) -> None:
    """Whether it comes all the same cannot be known, so the connection ends."""
    client = bed.client()
    await client.send(bed.head(*REFUSED[status]))
    answer = await client.answer()
    assert answer.status == status
    assert answer.one("connection") == "close"
    assert (await client.end()).received == b""
    assert bed.upstream.opened == 0


async def test_a_foreign_host_is_not_asked_for_its_body(bed: Bed) -> None:
    client = bed.client()
    await client.send(bed.head(KEY, EXPECT, "Host: elsewhere.example", "Content-Length: 9", host=False))
    assert (await client.answer()).status == 403
    assert (await client.end()).received == b""
    assert bed.upstream.opened == 0


async def test_an_error_follows_the_body_that_names_it(bed: Bed) -> None:
    client = bed.client()
    await client.send(bed.head(KEY, EXPECT, "Content-Length: 19"))
    assert (await client.begin()).status == 100
    await client.send(b'{"model": "nobody"}')
    assert (await client.answer()).status == 404


async def test_a_route_of_the_api_asks_too(bed: Bed) -> None:
    body = b'{"enabled": true, "model_ids": []}'
    client = bed.client()
    lines = (KEY, EXPECT, "Content-Type: application/json", f"Content-Length: {len(body)}")
    await client.send(bed.head(*lines, path="/api/models/enable"))
    assert (await client.begin()).status == 100
    await client.send(body)
    assert (await client.answer()).status == 200


HEADS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-Kept: 1\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kept: 1\r\n\r\n",
    "neither": b"HTTP/1.1 200 OK\r\nX-Kept: 1\r\n\r\n",
    "not found": b"HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\nX-Kept: 1\r\n\r\n",
}


@pytest.mark.parametrize("case", HEADS)
async def test_a_head_has_no_body(bed: Bed, case: str) -> None:
    """Whatever length it tells of; and the client's connection goes on."""
    client, connection, seen = await bed.ask(bed.get(KEY, method="HEAD"))
    assert (seen.method, seen.target) == ("HEAD", "/props")
    await connection.send(HEADS[case])
    answer = await client.answer(to_head=True)
    assert answer.status == (404 if case == "not found" else 200)
    assert answer.one("x-kept") == "1"
    if b"Content-Length" in HEADS[case]:
        assert answer.length in (1234, 99)
    await client.send(bed.get(path="/health"))
    assert (await client.answer()).json()["status"] == "ok"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_servers_health(bed: Bed, method: str) -> None:
    """As everything else below its path."""
    seen, answer = await bed.exchange(bed.get(KEY, path=f"{bed.folder}/health", method=method), OK)
    assert (seen.method, seen.target) == (method, "/health")
    assert (answer.status, answer.length) == (200, 2)


async def test_a_body_after_all_is_not_passed_on(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.get(KEY, method="HEAD"))
    await connection.send(OK)
    assert (await client.answer(to_head=True)).length == 2
    await connection.end()
    await client.send(bed.get(KEY))
    second = await bed.upstream.connection()
    await second.request()
    await second.reply(b"another")
    assert (await client.answer()).body == b"another"


async def test_a_head_then_a_get_at_once(bed: Bed) -> None:
    async def tell(connection: UpstreamConnection, request: Request) -> None:
        if request.method == "HEAD":
            await connection.send(HEADS["length"])
        else:
            await connection.reply(request.method.encode())

    bed.upstream.serve(tell)
    client = bed.client()
    await client.send(bed.get(KEY, method="HEAD") + bed.get(KEY) + bed.get(KEY, method="HEAD"))
    assert (await client.answer(to_head=True)).length == 1234
    assert (await client.answer()).body == b"GET"
    assert (await client.answer(to_head=True)).length == 1234


async def test_a_head_that_cannot_be_answered(bed: Bed) -> None:
    """An error without its body, too."""
    client, connection, _ = await bed.ask(bed.get(KEY, method="HEAD"))
    connection.close()
    assert (await client.answer(to_head=True)).status == 502
    await client.send(bed.get(path="/health"))
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("path", ["/health", "/api/system", CHAT, "/api/nothing"])
async def test_a_head_of_what_is_not_relayed(bed: Bed, path: str) -> None:
    client = bed.client()
    await client.send(bed.get(KEY, path=path, method="HEAD"))
    await client.answer(to_head=True)
    await client.send(bed.get(path="/health"))
    assert (await client.answer()).json()["status"] == "ok"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("line", [b"", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_answers_that_never_have_a_body(bed: Bed, status: str, line: bytes) -> None:
    client, connection, _ = await bed.ask(bed.get(KEY))
    await connection.send(b"HTTP/1.1 " + status.encode() + b"\r\n" + line + b"\r\n")
    answer = await client.answer()
    assert answer.status == int(status[:3])
    assert not answer.is_chunked
    await client.send(bed.get(KEY))
    assert (await connection.request()).method == "GET"
    await connection.send(OK)
    assert (await client.answer()).body == b"ok"


async def test_a_304_may_tell_of_a_length(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.get(KEY))
    await connection.send(b'HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\nETag: "a"\r\n\r\n')
    answer = await client.answer()
    assert (answer.status, answer.one("etag")) == (304, '"a"')
    await client.send(bed.get(path="/health"))
    assert (await client.answer()).status == 200
