"""Requests that two readers could take for different ones: refused, the connection closed, nothing passed on.

After each of them stands a whole request, that a reader who is led astray would find and serve.
"""

from __future__ import annotations

import pytest
from tests.fakes.wire import Ended
from tests.gateway.conformance.bed import CHAT, OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = "/api/models/enable"
TE = b"Transfer-Encoding: chunked"

# Words in capitals are filled in: BODY, its LENGTH, its SIZE in hex, our HOST, the PATH; HIDDEN is a request.
HEADERS = {
    "a length and chunks": (b"Content-Length: LENGTH", TE),
    "chunks and a length": (TE, b"Content-Length: LENGTH"),
    "a length of nothing and chunks": (b"Content-Length: 0", TE),
    "two lengths": (b"Content-Length: LENGTH", b"Content-Length: 0"),
    "the same length twice": (b"Content-Length: LENGTH", b"Content-Length: LENGTH"),
    "several lengths": (b"Content-Length: LENGTH, LENGTH",),
    "several lengths that differ": (b"Content-Length: LENGTH, 0",),
    "a length with a plus": (b"Content-Length: +LENGTH",),
    "a length with a minus": (b"Content-Length: -LENGTH",),
    "a length with a point": (b"Content-Length: LENGTH.0",),
    "a length with a space": (b"Content-Length: 1 LENGTH",),
    "a length in hex": (b"Content-Length: 0xff",),
    "a length in letters": (b"Content-Length: ten",),
    "a length with an underscore": (b"Content-Length: 1_0",),
    "a length in other digits": ("Content-Length: \u0661\u0660".encode(),),
    "a length of nothing at all": (b"Content-Length:",),
    "a length that overflows": (b"Content-Length: 18446744073709551626",),
    "another coding": (b"Transfer-Encoding: gzip",),
    "another coding before": (b"Transfer-Encoding: gzip, chunked",),
    "another coding after": (b"Transfer-Encoding: chunked, gzip",),
    "chunks in chunks": (b"Transfer-Encoding: chunked, chunked",),
    "two codings": (TE, b"Transfer-Encoding: gzip"),
    "the same coding twice": (TE, TE),
    "identity": (b"Transfer-Encoding: identity", b"Content-Length: LENGTH"),
    "a coding that looks alike": (b"Transfer-Encoding: xchunked", b"Content-Length: LENGTH"),
    "a quoted coding": (b'Transfer-Encoding: "chunked"',),
    "a coding with a parameter": (b"Transfer-Encoding: chunked;q=1",),
    "a coding after a comma": (b"Transfer-Encoding: ,chunked", b"Content-Length: LENGTH"),
    "no coding": (b"Transfer-Encoding:", b"Content-Length: LENGTH"),
    "a coding behind a control character": (b"Transfer-Encoding: \x0bchunked", b"Content-Length: LENGTH"),
    "a space before the colon": (b"Transfer-Encoding : chunked", b"Content-Length: LENGTH"),
    "a tab before the colon": (b"Content-Length\t: LENGTH",),
    "a space in a name": (b"X A: b", b"Content-Length: LENGTH"),
    "a space before a name": (b" Transfer-Encoding: chunked", b"Content-Length: LENGTH"),
    "a folded line": (b"X-A: b", b" Transfer-Encoding: chunked", b"Content-Length: LENGTH"),
    "a folded line with a tab": (b"X-A: b", b"\tc", b"Content-Length: LENGTH"),
    "a folded coding": (b"Transfer-Encoding:", b" chunked", b"Content-Length: LENGTH"),
    "no name": (b": x", b"Content-Length: LENGTH"),
    "no colon": (b"nonsense", b"Content-Length: LENGTH"),
    "a NUL in a value": (b"X-A: b\x00c", b"Content-Length: LENGTH"),
    "a NUL in a name": (b"X\x00A: b", b"Content-Length: LENGTH"),
    "a bare CR in a value": (b"X-A: b\rTransfer-Encoding: chunked", b"Content-Length: LENGTH"),
    "a bare CR at the end": (b"X-A: b\r", b"Content-Length: LENGTH"),
    "a bare LF in a value": (b"X-A: b\nTransfer-Encoding: chunked", b"Content-Length: LENGTH"),
    "a bare LF at an end": (b"X-A: b\nX-C: d", b"Content-Length: LENGTH"),
    "a control character in a value": (b"X-A: b\x01c", b"Content-Length: LENGTH"),
    "a DEL in a value": (b"X-A: b\x7fc", b"Content-Length: LENGTH"),
    "a letter of eight bits in a name": (b"X-\xc3\xa9: b", b"Content-Length: LENGTH"),
    "a bracket in a name": (b"X(A): b", b"Content-Length: LENGTH"),
    "two hosts": (b"Host: localhost", b"Content-Length: LENGTH"),
    "the same host twice": (b"Host: HOST", b"Content-Length: LENGTH"),
}
CHUNKS = {
    "a size that overflows": b"ffffffffffffffffffff\r\nBODY\r\n0\r\n\r\n",
    "a size that overflows to this one": b"10000000000000000SIZE\r\nBODY\r\n0\r\n\r\n",
    "a size with 0x": b"0xSIZE\r\nBODY\r\n0\r\n\r\n",
    "a size with a plus": b"+SIZE\r\nBODY\r\n0\r\n\r\n",
    "a size with a minus": b"-SIZE\r\nBODY\r\n0\r\n\r\n",
    "a size with an underscore": b"0_SIZE\r\nBODY\r\n0\r\n\r\n",
    "a size with a space before": b" SIZE\r\nBODY\r\n0\r\n\r\n",
    "a size with junk": b"SIZE junk\r\nBODY\r\n0\r\n\r\n",
    "a size with a comma": b"SIZE,0\r\nBODY\r\n0\r\n\r\n",
    "a size with a NUL": b"SIZE\x00\r\nBODY\r\n0\r\n\r\n",
    "no size": b"\r\nBODY\r\n0\r\n\r\n",
    "no size but an extension": b";a=b\r\nBODY\r\n0\r\n\r\n",
    "a size that ends in LF": b"SIZE\nBODY\r\n0\r\n\r\n",
    "a size that ends in CR": b"SIZE\rBODY\r\n0\r\n\r\n",
    "an extension with LF": b"SIZE;a\nBODY\r\n0\r\n\r\n",
    "an extension with CR": b"SIZE;a\rb\r\nBODY\r\n0\r\n\r\n",
    "an extension with a NUL": b"SIZE;a\x00\r\nBODY\r\n0\r\n\r\n",
    "a chunk that is longer": b"SIZE\r\nBODYxx\r\n0\r\n\r\n",
    "a chunk without an end": b"SIZE\r\nBODY0\r\n\r\n",
    "a chunk that ends in LF": b"SIZE\r\nBODY\n0\r\n\r\n",
    "a chunk that ends in CR": b"SIZE\r\nBODY\r0\r\n\r\n",
    "a last chunk that ends in LF": b"SIZE\r\nBODY\r\n0\n\r\n",
    "a trailer with a length": b"SIZE\r\nBODY\r\n0\r\nContent-Length: 9\r\n\r\n",
    "a trailer with a coding": b"SIZE\r\nBODY\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a trailer with a folded line": b"SIZE\r\nBODY\r\n0\r\nA: b\r\n c\r\n\r\n",
    "a trailer without a colon": b"SIZE\r\nBODY\r\n0\r\nnonsense\r\n\r\n",
    "a trailer with a NUL": b"SIZE\r\nBODY\r\n0\r\nA: \x00\r\n\r\n",
}
FIRST_LINES = {
    "no version": b"POST PATH\r\n",
    "a tab": b"POST\tPATH HTTP/1.1\r\n",
    "a space in the path": b"POST PATH x HTTP/1.1\r\n",
    "a word after the version": b"POST PATH HTTP/1.1 x\r\n",
    "a space after the version": b"POST PATH HTTP/1.1 \r\n",
    "another version": b"POST PATH HTTP/3.7\r\n",
    "a version too long": b"POST PATH HTTP/1.10\r\n",
    "a version in small letters": b"POST PATH http/1.1\r\n",
    "a version of nothing": b"POST PATH HTTP/\r\n",
    "version 2": b"PRI * HTTP/2.0\r\n",
    "another protocol": b"POST PATH ICY/1.1\r\n",
    "a method in small letters": b"post PATH HTTP/1.1\r\n",
    "a method of nothing": b" PATH HTTP/1.1\r\n",
    "a method with a colon": b"POST: PATH HTTP/1.1\r\n",
    "a method with a NUL": b"PO\x00ST PATH HTTP/1.1\r\n",
    "a NUL in the path": b"POST PATH\x00 HTTP/1.1\r\n",
    "a control character in the path": b"POST PATH\x01 HTTP/1.1\r\n",
    "a DEL in the path": b"POST PATH\x7f HTTP/1.1\r\n",
    "a tab in the path": b"POST PATH\t HTTP/1.1\r\n",
    "a CR in the path": b"POST PATH\rX HTTP/1.1\r\n",
    "an LF at the end": b"POST PATH HTTP/1.1\n",
    "letters of eight bits in the path": b"POST PATH?\xc3\xa9 HTTP/1.1\r\n",
    "a fragment": b"POST PATH#x HTTP/1.1\r\n",
    "no slash": b"POST v1/chat/completions HTTP/1.1\r\n",
    "an absolute address elsewhere": b"POST http://elsewhere.examplePATH HTTP/1.1\r\n",
    "an absolute address with a user": b"POST http://HOST@elsewhere.examplePATH HTTP/1.1\r\n",
    "another scheme": b"POST ftp://HOSTPATH HTTP/1.1\r\n",
    "a way through": b"CONNECT HOST HTTP/1.1\r\n",
    "a star": b"POST * HTTP/1.1\r\n",
    "space before it": b" POST PATH HTTP/1.1\r\n",
}


def fill(bed: Bed, template: bytes, path: str) -> bytes:
    body = bed.body() if path == CHAT else b'{"enabled": true, "model_ids": []}'
    words = {b"HIDDEN": hidden(bed), b"BODY": body, b"LENGTH": b"%d" % len(body), b"SIZE": b"%x" % len(body)}
    for word, meant in (words | {b"PATH": path.encode(), b"HOST": bed.host.encode()}).items():
        template = template.replace(word, meant)
    return template


def hidden(bed: Bed) -> bytes:
    return bed.get(path=f"{bed.folder}/hidden")


async def assert_refused(bed: Bed, request: bytes, *, statuses: tuple[int, ...] = (400,)) -> None:
    """One answer and then the end, whatever stands behind it; and none of it came to the server."""
    client = bed.client()
    await client.send(request)
    answer = await client.answer()
    assert answer.status in statuses, answer.body
    assert answer.one("connection") == "close"
    assert "error" in answer.json()
    try:
        await client.send(hidden(bed))
    except OSError:
        pass  # closed already
    assert (await client.end()).received == b""
    await bed.assert_unreached()


@pytest.mark.parametrize("path", [CHAT, API])
@pytest.mark.parametrize("case", HEADERS)
async def test_headers(bed: Bed, case: str, path: str) -> None:
    lines = [b"POST PATH HTTP/1.1", b"Host: HOST", *HEADERS[case], b"", b""]
    body = b"SIZE\r\nBODY\r\n0\r\n\r\n" if HEADERS[case][-1] == TE else b"BODY"
    await assert_refused(bed, fill(bed, b"\r\n".join(lines) + body + b"HIDDEN", path))


@pytest.mark.parametrize("path", [CHAT, API])
@pytest.mark.parametrize("case", CHUNKS)
async def test_chunks(bed: Bed, case: str, path: str) -> None:
    lines = [b"POST PATH HTTP/1.1", b"Host: HOST", TE, b"", CHUNKS[case]]
    await assert_refused(bed, fill(bed, b"\r\n".join(lines) + b"HIDDEN", path))


@pytest.mark.parametrize("path", [CHAT, API])
@pytest.mark.parametrize("case", FIRST_LINES)
async def test_first_lines(bed: Bed, case: str, path: str) -> None:
    lines = [FIRST_LINES[case] + b"Host: HOST", b"Content-Length: LENGTH", b"", b"BODYHIDDEN"]
    await assert_refused(bed, fill(bed, b"\r\n".join(lines), path), statuses=(400, 404, 405, 421, 501, 505))


@pytest.mark.parametrize("path", [CHAT, API])
async def test_no_host(bed: Bed, path: str) -> None:
    await assert_refused(bed, bed.head("Content-Length: 0", path=path, host=False) + hidden(bed))


@pytest.mark.parametrize("line", ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"])
async def test_a_coding_from_an_old_client(bed: Bed, line: str) -> None:
    """HTTP/1.0 knows none, so who reads it may differ (RFC 9112, 6.1)."""
    await assert_refused(bed, bed.head(line, version="1.0") + b"2\r\n{}\r\n0\r\n\r\n" + hidden(bed))


@pytest.mark.parametrize("line", ["Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: gzip"])
async def test_behind_a_request_that_is_right(bed: Bed, line: str) -> None:
    """That one is answered first."""
    client, connection, _ = await bed.ask(bed.post() + bed.head(line) + hidden(bed))
    await connection.send(OK)
    assert (await client.answer()).body == b"ok"
    answer = await client.answer()
    assert (answer.status, answer.one("connection")) == (400, "close")
    assert (await client.end()).received == b""
    connection.shut()
    await connection.left()


async def test_an_absolute_address_of_ours(bed: Bed) -> None:
    """Every server has to take it (RFC 9112, 3.2.2)."""
    seen, answer = await bed.exchange(bed.post(path=f"http://{bed.host}{CHAT}"), OK)
    assert (seen.target, answer.status) == (CHAT, 200)


async def test_byte_by_byte_it_is_refused_as_well(bed: Bed) -> None:
    request = bed.head("Content-Length: 5", "Transfer-Encoding: chunked")
    client = bed.client()
    try:
        await client.send(*(request[at : at + 1] for at in range(len(request))))
    except OSError:
        pass  # closed before its last bytes
    assert (await client.answer()).status == 400
    await client.end()
    await bed.assert_unreached()


@pytest.mark.parametrize(
    "inner",
    ["%0d%0aX-Injected:%201", "%0D%0A%0D%0AGET%20/hidden%20HTTP/1.1", "%00", "..%2f..%2fv1", "%5c..%5c"],
)
async def test_nothing_is_decoded_into_the_servers_request(bed: Bed, inner: str) -> None:
    seen, _ = await bed.exchange(bed.get(path=f"{bed.folder}/props/{inner}?a={inner}"), OK)
    assert seen.target == f"/props/{inner}?a={inner}"
    assert "x-injected" not in seen.names


@pytest.mark.parametrize("name", ["%0d%0aX:%201", "..", "..%2f..", "%00", ""])
async def test_the_models_name_in_a_path_is_only_a_name(bed: Bed, name: str) -> None:
    client = bed.client()
    await client.send(bed.get(path=f"/upstream/{name}/props"))
    answer = await client.answer()
    assert answer.status in (400, 404)
    try:
        await client.send(bed.get(path="/health"))
        assert (await client.answer()).status == 200
    except (Ended, OSError):
        assert answer.one("connection") == "close"
    await bed.assert_unreached()


async def test_garbage_of_every_kind(bed: Bed) -> None:
    """Nothing of it breaks anything."""
    for garbage in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 500,
        b"\xff" * 500,
        b"GET /\r\n",
        b"\r\n" * 5_000 + b"x",
        b"SSH-2.0-x\r\n",
    ):
        client = bed.client()
        await client.send(garbage)
        client.shut()
        ended = await client.end()
        assert not ended.received or ended.received.startswith(b"HTTP/1.1 4"), garbage
    await bed.assert_unreached()
