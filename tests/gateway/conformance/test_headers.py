"""Headers both ways: what belongs to a connection stays on it, and so do keys, hosts and origins."""

from __future__ import annotations

import pytest
from tests.gateway.conformance.bed import CHAT, OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORIGIN = "https://page.example"
SETTINGS = {"api_key": "s3cret", "allowed_origins": (ORIGIN,)}
KEY = "Authorization: Bearer s3cret"

OF_A_CONNECTION = (
    "Keep-Alive: timeout=5",
    "Proxy-Authorization: Basic eDp5",
    "Proxy-Authenticate: Basic",
    "Proxy-Connection: keep-alive",
    "TE: trailers",
    "Trailer: X-End",
    "Upgrade: h2c",
    "X-Mine: 1",
    "X-Yours: 2",
)


def own_key(bed: Bed) -> str:
    with bed.plane.services.fleet.lease(bed.model_id) as lease:
        return lease.api_key


@pytest.mark.parametrize(
    "connection", [("keep-alive, X-Mine,, x-yours ,Upgrade",), ("X-MINE", "upgrade,x-yours")]
)
async def test_what_belongs_to_the_clients_connection(bed: Bed, connection: tuple[str, ...]) -> None:
    lines = [*OF_A_CONNECTION, *(f"Connection: {value}" for value in connection), "X-Kept: 3"]
    seen, _ = await bed.exchange(bed.post(KEY, *lines), OK)
    assert not {line.partition(":")[0].lower() for line in OF_A_CONNECTION} & seen.names
    assert seen.one("x-kept") == "3"
    assert (seen.one("connection") or "keep-alive").lower() == "keep-alive"


async def test_what_belongs_to_the_servers_connection(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post(KEY))
    await connection.reply(
        b"ok", "Connection: x-mine, keep-alive", "Connection: X-Yours", *OF_A_CONNECTION, "X-Kept: 3"
    )
    answer = await client.answer()
    assert not {line.partition(":")[0].lower() for line in OF_A_CONNECTION} & answer.names
    assert answer.one("x-kept") == "3"
    assert (answer.one("connection") or "keep-alive").lower() == "keep-alive"
    await client.send(bed.post(KEY))
    await connection.request()
    await connection.send(OK)
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("named", ["content-length", "authorization", "host", "transfer-encoding"])
async def test_what_connection_names_cannot_take_away(bed: Bed, named: str) -> None:
    """Length, key and host are the relay's own to say."""
    client, connection, seen = await bed.ask(bed.post(KEY, f"Connection: {named}"))
    assert seen.body == bed.body()
    assert seen.one("authorization") == f"Bearer {own_key(bed)}"
    assert seen.one("host") == f"127.0.0.1:{bed.actor.port}"
    await connection.reply(b"ok", f"Connection: {named}")
    assert (await client.answer()).body == b"ok"


async def test_the_same_name_again_is_kept_in_order(bed: Bed) -> None:
    client, connection, seen = await bed.ask(bed.post(KEY, "X-A: 1", "x-b: 2", "X-a: 3", "X-A: 1"))
    assert [(key, value) for key, value in seen.fields if key in (b"x-a", b"x-b")] == [
        (b"x-a", b"1"),
        (b"x-b", b"2"),
        (b"x-a", b"3"),
        (b"x-a", b"1"),
    ]
    await connection.reply(b"", "Link: <a>; rel=x", "X-B: 2", "link: <b>", "Link: <a>; rel=x")
    assert (await client.answer()).all("link") == ["<a>; rel=x", "<b>", "<a>; rel=x"]


async def test_what_a_server_must_not_say_for_this_address_stays_out(bed: Bed) -> None:
    """Cookies, and orders to the browser about the host."""
    client, connection, _ = await bed.ask(bed.post(KEY))
    said = ["Set-Cookie: a=1", "Strict-Transport-Security: max-age=9", 'Alt-Svc: h3=":443"', "X-Kept: 1"]
    await connection.reply(b"ok", *said, 'Clear-Site-Data: "*"')
    answer = await client.answer()
    assert answer.all("x-kept") == ["1"]
    for name in ("set-cookie", "strict-transport-security", "alt-svc", "clear-site-data"):
        assert answer.all(name) == []


VALUES = [
    b"",
    b"a, b",
    b'"q\\"uoted"',
    "\u00fcml\u00e4ut".encode(),
    b"\xff\xfe",
    b"a \t b",
    b"x" * 5000,
    b"(){}<>@:;",
]


@pytest.mark.parametrize("value", VALUES)
async def test_values_pass_byte_for_byte(bed: Bed, value: bytes) -> None:
    client, connection, seen = await bed.ask(bed.post(KEY, b"X-Value: \t" + value + b" \t"))
    assert seen.one("x-value") == value.decode("latin-1")
    await connection.reply(b"", b"X-Value: ".decode() + value.decode("latin-1"))
    assert (await client.answer()).one("x-value") == value.decode("latin-1")


async def test_names_of_every_character(bed: Bed) -> None:
    client, connection, seen = await bed.ask(bed.post(KEY, "X_!#$%&'*+-.^`|~9: 1"))
    assert seen.one("x_!#$%&'*+-.^`|~9") == "1"
    await connection.reply(b"", "X_!#$%&'*+-.^`|~9: 1")
    assert (await client.answer()).one("x_!#$%&'*+-.^`|~9") == "1"


@pytest.mark.parametrize("line", ["Content_Length: 3", "Transfer_Encoding: chunked"])
async def test_names_that_only_look_alike(bed: Bed, line: str) -> None:
    """They say nothing about the body, here as there."""
    seen, _ = await bed.exchange(bed.post(KEY, line), OK)
    assert (seen.body, seen.length) == (bed.body(), len(bed.body()))


@pytest.mark.parametrize(
    "given",
    [
        (KEY,),
        ("X-Api-Key: s3cret",),
        ("x-api-key: s3cret", "Authorization: Basic eDp5"),
        ("authorization: BEARER s3cret", KEY),
        ("Authorization: Bearer another's", "X-Api-Key: s3cret"),
    ],
)
async def test_our_key_stays_here_and_the_servers_own_goes_up(bed: Bed, given: tuple[str, ...]) -> None:
    cookies = ("Cookie: session=s3cret", "Cookie: b=2", f"Origin: {ORIGIN}")
    seen, _ = await bed.exchange(bed.post(*given, *cookies), OK)
    assert seen.all("authorization") == [f"Bearer {own_key(bed)}"]
    assert not {"x-api-key", "cookie", "origin"} & seen.names
    assert b"s3cret" not in seen.head


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("Authorization: Bearer wrong",),
        ("X-Api-Key: s3cre",),
        ("Authorization: s3cret",),
        ("Authorization: Bearer ",),
    ],
)
@pytest.mark.parametrize("path", [CHAT, "relayed"])
async def test_without_the_key_nothing_gets_through(bed: Bed, given: tuple[str, ...], path: str) -> None:
    client = bed.client()
    await client.send(bed.post(*given, path=f"{bed.folder}/props" if path == "relayed" else path))
    answer = await client.answer()
    assert (answer.status, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert bed.upstream.opened == 0


async def test_the_servers_own_key_does_not_open_ours(bed: Bed) -> None:
    client = bed.client()
    await client.send(bed.post(f"Authorization: Bearer {own_key(bed)}"))
    assert (await client.answer()).status == 401
    assert bed.upstream.opened == 0


async def test_a_key_in_a_trailer_is_none(bed: Bed) -> None:
    body = bed.body()
    client = bed.client()
    await client.send(
        bed.head("Transfer-Encoding: chunked")
        + b"%x\r\n%b\r\n0\r\n%b\r\n\r\n" % (len(body), body, KEY.encode())
    )
    assert (await client.answer()).status == 401
    assert bed.upstream.opened == 0


async def test_the_servers_key_is_not_told(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post(KEY))
    await connection.reply(b"ok", "Server: llama.cpp", "Date: Thu, 01 Jan 1970 00:00:00 GMT")
    answer = await client.answer()
    assert own_key(bed).encode() not in answer.head
    assert len(answer.all("server")) <= 1 and "llama" not in "".join(answer.all("server"))
    assert len(answer.all("date")) <= 1 and "1970" not in "".join(answer.all("date"))


@pytest.mark.parametrize(
    "host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "localhost@elsewhere.example", ""]
)
async def test_a_foreign_host_is_refused(bed: Bed, host: str) -> None:
    """A name that suddenly means this machine: DNS rebinding."""
    client = bed.client()
    await client.send(
        bed.head(KEY, f"Host: {host}", f"Content-Length: {len(bed.body())}", host=False) + bed.body()
    )
    assert (await client.answer()).status in (400, 403)
    assert bed.upstream.opened == 0


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80"])
async def test_the_server_hears_its_own_host(bed: Bed, host: str) -> None:
    request = bed.head(KEY, f"Host: {host}", f"Content-Length: {len(bed.body())}", host=False) + bed.body()
    seen, _ = await bed.exchange(request, OK)
    assert seen.one("host") == f"127.0.0.1:{bed.actor.port}"


@pytest.mark.parametrize(
    "origin", ["http://elsewhere.example", "null", "https://page.example.elsewhere", "http://page.example"]
)
async def test_a_foreign_page_is_refused(bed: Bed, origin: str) -> None:
    client = bed.client()
    await client.send(bed.post(KEY, f"Origin: {origin}"))
    answer = await client.answer()
    assert answer.status == 403
    assert answer.one("access-control-allow-origin") is None
    assert bed.upstream.opened == 0


async def test_our_own_page_may_ask(bed: Bed) -> None:
    _, answer = await bed.exchange(bed.post(KEY, f"Origin: http://{bed.host}"), OK)
    assert answer.status == 200


THEIRS = (
    "Access-Control-Allow-Origin: *",
    "Access-Control-Allow-Credentials: true",
    "access-control-allow-headers: *",
    "Vary: Accept",
)


async def test_an_allowed_page_may_read_the_answer(bed: Bed) -> None:
    """By our word alone: what the server says of origins stays behind."""
    client, connection, _ = await bed.ask(bed.post(KEY, f"Origin: {ORIGIN}"))
    await connection.reply(b"ok", *THEIRS)
    answer = await client.answer()
    assert answer.one("access-control-allow-origin") == ORIGIN
    assert not {"access-control-allow-credentials", "access-control-allow-headers"} & answer.names
    assert {part.strip().lower() for value in answer.all("vary") for part in value.split(",")} == {
        "origin",
        "accept",
    }


async def test_what_the_server_says_of_origins_stays_behind(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post(KEY))
    await connection.reply(b"ok", *THEIRS)
    assert not any(name.startswith("access-control-") for name in (await client.answer()).names)


@pytest.mark.parametrize("case", ["unknown", "key", "failed"])
async def test_an_allowed_page_may_read_errors(bed: Bed, case: str) -> None:
    lines = [f"Origin: {ORIGIN}", *([] if case == "key" else [KEY])]
    client = bed.client()
    await client.send(bed.post(*lines, body=None if case == "failed" else b'{"model": "nobody"}'))
    if case == "failed":
        connection = await bed.upstream.connection()
        await connection.request()
        connection.close()
    answer = await client.answer()
    assert answer.status == {"unknown": 404, "key": 401, "failed": 502}[case]
    assert answer.one("access-control-allow-origin") == ORIGIN


@pytest.mark.parametrize("path", [CHAT, "relayed", "/api/system"])
async def test_an_allowed_page_may_ask_beforehand(bed: Bed, path: str) -> None:
    """A browser's preflight: without a key, and answered here."""
    path = f"{bed.folder}/props" if path == "relayed" else path
    lines = (
        f"Origin: {ORIGIN}",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization",
    )
    client = bed.client()
    await client.send(bed.get(*lines, method="OPTIONS", path=path))
    answer = await client.answer()
    assert answer.status in (200, 204)
    assert answer.one("access-control-allow-origin") == ORIGIN
    assert "POST" in (answer.one("access-control-allow-methods") or "")
    assert "authorization" in (answer.one("access-control-allow-headers") or "").lower()
    assert bed.upstream.opened == 0


async def test_a_foreign_page_may_not_ask_beforehand(bed: Bed) -> None:
    client = bed.client()
    await client.send(
        bed.get(
            "Origin: https://elsewhere.example",
            "Access-Control-Request-Method: POST",
            method="OPTIONS",
            path=CHAT,
        )
    )
    answer = await client.answer()
    assert answer.status in (400, 403)
    assert answer.one("access-control-allow-origin") is None
    assert bed.upstream.opened == 0


TARGETS = [
    "/props?model=a%2Fb&x=%0d%0aHost:%20y",
    "/a%2Fb",
    "/a//b",
    "/%c3%a9?%C3%A9",
    "/x?a=b?c&d=e%23f",
    "/x?",
    "/a;b=c",
    "/%00",
]


@pytest.mark.parametrize("target", TARGETS)
async def test_paths_and_queries_pass_as_they_are(bed: Bed, target: str) -> None:
    """What is written with a percent stays so: decoded, it could become a line of its own."""
    seen, _ = await bed.exchange(bed.get(KEY, path=bed.folder + target), OK)
    assert seen.target.removesuffix("?") == target.removesuffix("?")
    assert seen.one("host") == f"127.0.0.1:{bed.actor.port}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_page_of_the_servers_may_come_packed(bed: Bed, method: str) -> None:
    """llama-server's own does not come otherwise."""
    asking = bed.get(KEY, "Accept-Encoding: gzip, br", method=method, path=f"{bed.folder}/")
    seen, answer = await bed.exchange(
        asking, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"
    )
    assert seen.one("accept-encoding") == "gzip, br"
    assert answer.one("content-encoding") == "gzip"


async def test_what_a_model_answers_is_wanted_as_it_is(bed: Bed) -> None:
    seen, _ = await bed.exchange(bed.post(KEY, "Accept-Encoding: gzip"), OK)
    assert "accept-encoding" not in seen.names
