"""Bodies of requests: by length and in chunks, cut at every byte, and what comes of them at the server."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.gateway.conformance.bed import OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHUNKED = "Transfer-Encoding: chunked"


def chunked(content: bytes, size: int, *, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """The content in chunks of that size."""
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    framed = [b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces]
    return b"".join(framed) + b"0%b\r\n%b\r\n" % (extension, trailers)


async def echo(connection: UpstreamConnection, request: Request) -> None:
    await connection.reply(request.body)


def as_chunks(bed: Bed) -> bytes:
    return bed.head(CHUNKED) + chunked(bed.body(), 7, extension=b';a="b"', trailers=b"X-End: 1\r\n")


def by_length(bed: Bed) -> bytes:
    return bed.post()


@pytest.mark.parametrize("form", [as_chunks, by_length])
async def test_every_byte_by_itself(bed: Bed, form: Callable[[Bed], bytes]) -> None:
    sent = form(bed)
    client, connection, seen = await bed.ask(*(sent[at : at + 1] for at in range(len(sent))))
    assert seen.body == bed.body()
    await connection.send(OK)
    assert (await client.answer()).body == b"ok"


@pytest.mark.parametrize("form", [as_chunks, by_length])
async def test_cut_in_two_at_every_byte(bed: Bed, form: Callable[[Bed], bytes]) -> None:
    bed.upstream.serve(echo)
    client = bed.client()
    sent = form(bed)
    for at in range(1, len(sent)):
        await client.send(sent[:at], sent[at:])
        assert (await client.answer()).body == bed.body(), f"cut at {at}"
    assert bed.upstream.opened == 1


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 4096])
async def test_chunks_of_every_size(bed: Bed, size: int) -> None:
    body = bed.body(text="é" * 100)
    seen, _ = await bed.exchange(bed.head(CHUNKED) + chunked(body, size), OK)
    assert seen.body == body
    assert seen.length == len(body)


EXTENSIONS = [b";a", b";a=b", b';a="b;c"', b";" + b"x" * 200, b";a=b;c=d"]


@pytest.mark.parametrize("extension", EXTENSIONS)
async def test_extensions_of_chunks_are_dropped(bed: Bed, extension: bytes) -> None:
    seen, _ = await bed.exchange(bed.head(CHUNKED) + chunked(bed.body(), 5, extension=extension), OK)
    assert seen.body == bed.body()


async def test_trailers_are_dropped(bed: Bed) -> None:
    """Those that would have changed what the request means too."""
    trailers = b"X-End: 1\r\nAuthorization: Bearer mine\r\nHost: elsewhere\r\n"
    request = bed.head(CHUNKED, "Trailer: X-End") + chunked(bed.body(), 9, trailers=trailers)
    client, connection, seen = await bed.ask(request)
    assert seen.body == bed.body()
    assert not {"x-end", "trailer"} & seen.names
    assert seen.length == len(bed.body())
    assert seen.one("host") == f"127.0.0.1:{bed.actor.port}"
    assert b"mine" not in seen.head
    await connection.send(OK)
    await client.answer()
    await client.send(bed.post())
    assert not {"x-end", "trailer"} & (await connection.request()).names
    await connection.send(OK)
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("sizes", ["upper", "zeros"])
async def test_sizes_of_chunks_in_other_writings(bed: Bed, sizes: str) -> None:
    body = bed.body(text="x" * 100)
    size = {"upper": b"%X", "zeros": b"000%x"}[sizes] % len(body)
    seen, _ = await bed.exchange(bed.head(CHUNKED) + size + b"\r\n" + body + b"\r\n0\r\n\r\n", OK)
    assert seen.body == body


@pytest.mark.parametrize(
    "line", ["TRANSFER-ENCODING: Chunked", "transfer-encoding:chunked", "Transfer-Encoding: \tCHUNKED"]
)
async def test_the_coding_in_other_writings(bed: Bed, line: str) -> None:
    seen, _ = await bed.exchange(bed.head(line) + chunked(bed.body(), 5), OK)
    assert seen.body == bed.body()


@pytest.mark.parametrize("name", ["content-length:", "CONTENT-LENGTH: ", "Content-Length:\t "])
async def test_the_length_in_other_writings(bed: Bed, name: str) -> None:
    seen, _ = await bed.exchange(bed.head(f"{name}{len(bed.body())} ") + bed.body(), OK)
    assert seen.body == bed.body()


@pytest.mark.parametrize("size", [-1, 0, 1])
@pytest.mark.parametrize("form", ["chunked", "length"])
async def test_around_the_size_that_is_kept_in_memory(bed: Bed, size: int, form: str) -> None:
    empty = bed.body(text="")
    body = bed.body(text="x" * ((1 << 20) + size - len(empty)))
    assert len(body) == (1 << 20) + size
    request = bed.post(body=body) if form == "length" else bed.head(CHUNKED) + chunked(body, 65_535)
    seen, _ = await bed.exchange(request, OK)
    assert seen.body == body


@pytest.mark.parametrize("place", ["first", "last"])
async def test_the_model_is_found_anywhere_in_a_large_body(bed: Bed, place: str) -> None:
    """Where a part of the body only looks like a name, too."""
    text = '\\"model\\": \\"nobody\\"' * 60_000
    nested = f'"other": {{"model": "nobody"}}, "text": "{text}"'
    name = f'"model": "{bed.model_id}"'
    fields = [name, nested] if place == "first" else [nested, name]
    body = ("{" + ", ".join(fields) + "}").encode()
    seen, _ = await bed.exchange(bed.post(body=body), OK)
    assert seen.body == body


@pytest.mark.parametrize("line", ["Content-Length: 0", CHUNKED])
async def test_an_empty_body_names_no_model(bed: Bed, line: str) -> None:
    client = bed.client()
    end = b"0\r\n\r\n" if line == CHUNKED else b""
    await client.send(bed.head(line) + end)
    answer = await client.answer()
    assert answer.status == 400
    assert answer.json()["error"]["code"] == "bad_request"
    await client.send(bed.get(path="/health"))
    assert (await client.answer()).status == 200
    await bed.assert_unreached()


async def test_a_post_without_any_length_has_an_empty_body(bed: Bed) -> None:
    seen, _ = await bed.exchange(bed.head(path=f"{bed.folder}/slots/1"), OK)
    assert (seen.method, seen.target, seen.length) == ("POST", "/slots/1", 0)


async def test_a_get_has_no_body(bed: Bed) -> None:
    seen, _ = await bed.exchange(bed.get(), OK)
    assert (seen.method, seen.target) == ("GET", "/props")
    assert not {"content-length", "transfer-encoding"} & seen.names


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH"])
async def test_a_body_with_any_method(bed: Bed, method: str) -> None:
    request = bed.head("Content-Length: 5", method=method, path=f"{bed.folder}/x?y=1") + b"12345"
    seen, _ = await bed.exchange(request, OK)
    assert (seen.method, seen.target, seen.body) == (method, "/x?y=1", b"12345")


async def test_bodies_of_every_kind_on_one_connection(bed: Bed) -> None:
    """None of them leaves anything to the next."""
    bed.upstream.serve(echo)
    client = bed.client()
    for number, form in zip(range(30), itertools.cycle(["length", "chunked", "none"])):
        body = bed.body(number=number)
        if form == "length":
            await client.send(bed.post(body=body))
        elif form == "chunked":
            await client.send(bed.head(CHUNKED) + chunked(body, 3, trailers=b"A: b\r\n"))
        else:
            await client.send(bed.get())
        assert (await client.answer()).body == (b"" if form == "none" else body)
    assert bed.upstream.opened == 1


async def test_an_empty_line_before_a_request(bed: Bed) -> None:
    """Some clients end a body with one (RFC 9112, 2.2)."""
    seen, answer = await bed.exchange(b"\r\n" + bed.post(), OK)
    assert (seen.body, answer.status) == (bed.body(), 200)
