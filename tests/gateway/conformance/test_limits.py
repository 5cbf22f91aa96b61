"""How much is taken: heads, headers, addresses and bodies, up to their limits and over them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.fakes.raw_client import Answer, RawClient
from tests.gateway.conformance.bed import CHAT, OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT_BYTES = 2_000_000
SETTINGS = {"body_max_mb": 2}
CHUNKED = "Transfer-Encoding: chunked"
PATHS = [CHAT, "/api/models/enable"]


async def refused(client: RawClient, status: tuple[int, ...]) -> Answer:
    """The refusal, and nothing after it."""
    answer = await client.answer()
    assert answer.status in status
    assert answer.one("connection") == "close"
    assert (await client.end()).received == b""
    return answer


async def send_all(client: RawClient, data: bytes) -> None:
    """As much as is taken."""
    try:
        await client.send(data)
    except OSError:
        return


@pytest.mark.parametrize("size", [1_000, 10_000, 50_000])
async def test_a_large_header_passes(bed: Bed, size: int) -> None:
    seen, _ = await bed.exchange(bed.post("X-Large: " + "x" * size), OK)
    assert len(seen.one("x-large") or "") == size


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [66_000, 200_000, 1_000_000])
async def test_a_head_that_is_too_large(bed: Bed, size: int, path: str) -> None:
    client = bed.client()
    sending = asyncio.create_task(send_all(client, bed.post("X-Large: " + "x" * size, path=path)))
    await refused(client, (431,))
    await sending
    await bed.assert_unreached()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("endless", [b"X-Large: " + b"x" * 70_000, b"X-A: b\r\n" * 10_000, b"x" * 70_000])
async def test_a_head_without_an_end(bed: Bed, endless: bytes, path: str) -> None:
    """Nobody waits for the rest of it."""
    client = bed.client()
    sending = asyncio.create_task(send_all(client, bed.head(path=path)[:-2] + endless))
    await refused(client, (431,))
    await sending
    await bed.assert_unreached()


async def test_a_head_too_large_in_small_pieces(bed: Bed) -> None:
    client = bed.client()

    async def drip() -> None:
        try:
            await client.send(bed.head()[:-2], *[b"X-A: " + b"b" * 1000 + b"\r\n"] * 100)
        except OSError:
            return

    sending = asyncio.create_task(drip())
    await refused(client, (431,))
    await sending
    await bed.assert_unreached()


async def test_many_headers_pass(bed: Bed) -> None:
    seen, _ = await bed.exchange(bed.post(*(f"X-{number}: {number}" for number in range(90))), OK)
    assert {f"x-{number}" for number in range(90)} <= seen.names


@pytest.mark.parametrize("path", PATHS)
async def test_too_many_headers(bed: Bed, path: str) -> None:
    client = bed.client()
    sending = asyncio.create_task(send_all(client, bed.post(*["X: 1"] * 1_000, path=path)))
    await refused(client, (431,))
    await sending
    await bed.assert_unreached()


async def test_a_long_address_passes(bed: Bed) -> None:
    target = "/props?" + "x" * 5_000
    seen, _ = await bed.exchange(bed.get(path=bed.folder + target), OK)
    assert seen.target == target


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("ending", [True, False])
async def test_an_address_that_is_too_long(bed: Bed, path: str, ending: bool) -> None:
    request = bed.post(path=path + "?" + "x" * 70_000) if ending else f"POST {path}?".encode() + b"x" * 70_000
    client = bed.client()
    sending = asyncio.create_task(send_all(client, request))
    await refused(client, (414, 431))
    await sending
    await bed.assert_unreached()


async def test_trailers_without_an_end(bed: Bed) -> None:
    client = bed.client()
    trailers = b"X-A: b\r\n" * 100_000
    sending = asyncio.create_task(send_all(client, bed.head(CHUNKED) + b"2\r\n{}\r\n0\r\n" + trailers))
    await refused(client, (400, 413, 431))
    await sending
    await bed.assert_unreached()


async def test_an_extension_without_an_end(bed: Bed) -> None:
    client = bed.client()
    sending = asyncio.create_task(send_all(client, bed.head(CHUNKED) + b"2;" + b"x" * 3_000_000))
    await refused(client, (400, 413, 431))
    await sending
    await bed.assert_unreached()


def filled(bed: Bed, size: int) -> bytes:
    return bed.body(text="x" * (size - len(bed.body(text=""))))


def in_chunks(content: bytes) -> bytes:
    half = len(content) // 2
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (content[:half], content[half:]))


@pytest.mark.parametrize("form", ["length", "chunks"])
async def test_a_body_at_the_limit(bed: Bed, form: str) -> None:
    body = filled(bed, LIMIT_BYTES)
    assert len(body) == LIMIT_BYTES
    request = bed.post(body=body) if form == "length" else bed.head(CHUNKED) + in_chunks(body) + b"0\r\n\r\n"
    seen, answer = await bed.exchange(request, OK)
    assert seen.body == body
    assert answer.status == 200


def assert_too_large(answer: Answer) -> None:
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("body_too_large", "invalid_request_error")
    assert "SYNAPSE_BODY_MAX_MB" in error["message"]


@pytest.mark.parametrize("length", [LIMIT_BYTES + 1, 10**12, 2**63 - 1])
async def test_a_length_over_the_limit_is_refused_at_once(bed: Bed, length: int) -> None:
    client = bed.client()
    await client.send(bed.head(f"Content-Length: {length}"))
    assert_too_large(await refused(client, (413,)))
    assert bed.upstream.opened == 0


async def test_chunks_over_the_limit_are_refused_as_soon_as_they_are(bed: Bed) -> None:
    client = bed.client()
    await client.send(bed.head(CHUNKED) + in_chunks(filled(bed, LIMIT_BYTES)))
    assert not client.waiting()
    await client.send(b"1\r\nx")
    assert_too_large(await refused(client, (413,)))
    assert bed.upstream.opened == 0


async def test_a_chunk_whose_size_is_over_the_limit(bed: Bed) -> None:
    client = bed.client()
    sending = asyncio.create_task(send_all(client, bed.head(CHUNKED) + b"fffffff\r\n" + b"x" * 3_000_000))
    assert_too_large(await refused(client, (413,)))
    await sending
    assert bed.upstream.opened == 0


@pytest.mark.parametrize("form", ["length", "chunks"])
async def test_who_sends_it_all_first_still_reads_why_not(bed: Bed, form: str) -> None:
    """Most clients read nothing before their body is sent."""
    body = filled(bed, LIMIT_BYTES * 3)
    request = bed.post(body=body) if form == "length" else bed.head(CHUNKED) + in_chunks(body) + b"0\r\n\r\n"
    client = bed.client()
    await send_all(client, request)
    assert_too_large(await client.answer())
    assert bed.upstream.opened == 0


async def test_a_limit_for_the_api_as_well(bed: Bed) -> None:
    client = bed.client()
    await client.send(bed.head(f"Content-Length: {LIMIT_BYTES + 1}", path="/api/models/enable"))
    assert (await client.answer()).status == 413
    assert (await client.end()).received == b""


def spooled(bed: Bed) -> set[Path]:
    """Files in the data folder that are as large as such a body; the database is none of them."""
    files = {path for path in bed.plane.settings.data_dir.rglob("*") if path.is_file()}
    return {path for path in files if path.stat().st_size >= LIMIT_BYTES // 2 and ".db" not in path.name}


@pytest.mark.parametrize("end", ["answered", "refused", "left", "failed"])
async def test_nothing_is_left_of_a_large_body(bed: Bed, end: str) -> None:
    before = spooled(bed)
    body = filled(bed, LIMIT_BYTES)
    client = bed.client()
    if end == "refused":
        await client.send(bed.head(CHUNKED) + in_chunks(body) + b"5\r\nxxxxx\r\n0\r\n\r\n")
        assert (await client.answer()).status == 413
    elif end == "left":
        await client.send(bed.post(body=body)[:-100])
        client.close()
        await bed.assert_unreached()
    else:
        await client.send(bed.post(body=body))
        connection = await bed.upstream.connection()
        await connection.request()
        if end == "answered":
            await connection.send(OK)
        connection.shut()
        assert (await client.answer()).status == (200 if end == "answered" else 502)
    assert spooled(bed) == before
