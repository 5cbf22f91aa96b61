"""A client's connection: kept, closed, shared by requests that follow each other at once; old clients too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.fakes.raw_client import Answer, RawClient
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.fakes.wire import Ended
from tests.gateway.conformance.bed import CHAT, OK, Bed

pytestmark = pytest.mark.asyncio(loop_scope="module")

Check = Callable[[Bed, Answer], None]

IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
TO_THE_END = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"


async def echo(connection: UpstreamConnection, request: Request) -> None:
    await connection.reply(request.body)


async def assert_closed(client: RawClient) -> None:
    """In order, and without a byte more."""
    ended = await client.end()
    assert (ended.how, ended.received) == ("closed", b"")


async def test_many_requests_on_one_connection(bed: Bed) -> None:
    bed.upstream.serve(echo)
    client = bed.client()
    for number in range(50):
        await client.send(bed.post(body=bed.body(number=number)))
        answer = await client.answer()
        assert answer.body == bed.body(number=number)
        assert answer.one("connection") != "close"
    assert bed.upstream.opened == 1


@pytest.mark.parametrize(
    "line", ["Connection: close", "connection: CLOSE", "Connection: foo, close", "Connection:close ,bar"]
)
async def test_a_client_that_wants_it_closed(bed: Bed, line: str) -> None:
    client, connection, seen = await bed.ask(bed.post(line))
    assert seen.one("connection") != "close"
    await connection.send(OK)
    answer = await client.answer()
    assert (answer.body, answer.one("connection")) == (b"ok", "close")
    await assert_closed(client)


async def test_nothing_after_a_close_is_answered(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post("Connection: close") + bed.post() + bed.post())
    await connection.send(OK)
    await client.answer()
    await assert_closed(client)
    connection.shut()
    await connection.left()


@pytest.mark.parametrize("reply", [OK, IN_CHUNKS, TO_THE_END])
@pytest.mark.parametrize("lines", [(), ("Connection: close",)])
async def test_an_old_client(bed: Bed, reply: bytes, lines: tuple[str, ...]) -> None:
    """HTTP/1.0: nothing in chunks, and the end of the connection is the end of the answer."""
    client, connection, _ = await bed.ask(bed.post(*lines, version="1.0"))
    await connection.send(reply)
    if reply is TO_THE_END:
        connection.shut()
    answer = await client.answer()
    assert answer.body == b"ok"
    assert not answer.is_chunked
    await assert_closed(client)


async def test_an_old_client_that_keeps_its_connection(bed: Bed) -> None:
    bed.upstream.serve(echo)
    client = bed.client()
    for number in range(3):
        await client.send(bed.post("Connection: Keep-Alive", body=bed.body(number=number), version="1.0"))
        answer = await client.answer()
        assert answer.body == bed.body(number=number)
        assert (answer.one("connection") or "").lower() == "keep-alive"


async def test_an_old_client_cannot_keep_what_has_no_length(bed: Bed) -> None:
    client, connection, _ = await bed.ask(bed.post("Connection: keep-alive", version="1.0"))
    await connection.send(IN_CHUNKS)
    answer = await client.answer()
    assert (answer.body, answer.is_chunked, answer.length) == (b"ok", False, None)
    assert answer.one("connection") != "keep-alive"
    await assert_closed(client)


async def test_what_is_cut_is_no_clean_end_for_an_old_client(bed: Bed) -> None:
    """All that it has is the end of the connection, so that must not look orderly."""
    client, connection, _ = await bed.ask(bed.post(version="1.0"))
    await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    assert (await client.begin()).status == 200
    assert await client.exactly(2) == b"ok"
    connection.close()
    assert (await client.end()).how == "reset"


async def test_requests_that_follow_at_once_are_answered_in_order(bed: Bed) -> None:
    bed.upstream.serve(echo)
    bodies = [bed.body(number=number) for number in range(50)]
    client = bed.client()
    await client.send(b"".join(bed.post(body=body) for body in bodies))
    for body in bodies:
        assert (await client.answer()).body == body


async def test_requests_that_follow_cut_anywhere(bed: Bed) -> None:
    bed.upstream.serve(echo)
    first, second = bed.body(number=1), bed.body(number=2)
    sent = bed.post(body=first) + bed.post(body=second)
    client = bed.client()
    for at in range(1, len(sent), 3):
        await client.send(sent[:at], sent[at:])
        assert [(await client.answer()).body for _ in range(2)] == [first, second]


async def test_the_next_waits_for_a_slow_answer(bed: Bed) -> None:
    client, connection, _ = await bed.ask(
        bed.post(body=bed.body(number=1)) + bed.post(body=bed.body(number=2))
    )
    await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    first = await client.begin()
    assert await client.chunk() == b"one"
    assert not client.waiting()
    await connection.send(b"0\r\n\r\n")
    await client.read_chunks(first)
    second = await connection.request()
    assert second.body == bed.body(number=2)
    await connection.send(OK)
    assert (await client.answer()).body == b"ok"


def relayed(bed: Bed, answer: Answer) -> None:
    assert (answer.status, answer.json()["model"]) == (200, bed.model_id)


def healthy(bed: Bed, answer: Answer) -> None:
    assert (answer.status, answer.json()["status"]) == (200, "ok")


def listed(bed: Bed, answer: Answer) -> None:
    assert [model["id"] for model in answer.json()["data"] if model["kind"] != "mode"] == [bed.model_id]


def unknown(bed: Bed, answer: Answer) -> None:
    assert (answer.status, answer.json()["error"]["code"]) == (404, "model_not_found")


def unreadable(bed: Bed, answer: Answer) -> None:
    assert (answer.status, answer.json()["error"]["code"]) == (400, "bad_request")


def nowhere(bed: Bed, answer: Answer) -> None:
    assert (answer.status, answer.json()["error"]) == (404, "Not found")


def invalid(bed: Bed, answer: Answer) -> None:
    assert (answer.status, answer.json()["error"]) == (422, "Invalid request")


def wrong_method(bed: Bed, answer: Answer) -> None:
    assert (answer.status, answer.one("allow")) == (405, "POST")


ROUTES: dict[Check, Callable[[Bed], bytes]] = {
    relayed: lambda bed: bed.post(),
    healthy: lambda bed: bed.get(path="/health"),
    listed: lambda bed: bed.get(path="/v1/models"),
    unknown: lambda bed: bed.post(body=b'{"model": "nobody"}'),
    unreadable: lambda bed: bed.post(body=b"{"),
    nowhere: lambda bed: bed.get(path="/api/nothing"),
    invalid: lambda bed: bed.post(body=b'{"enabled": 7}', path="/api/models/enable"),
    wrong_method: lambda bed: bed.get(path=CHAT),
}
MIXED: list[tuple[Check, ...]] = [
    (relayed, healthy),
    (healthy, relayed),
    (relayed, listed, relayed, healthy, relayed),
    (unknown, relayed),
    (unreadable, relayed),
    (nowhere, relayed, nowhere),
    (invalid, relayed, invalid),
    (wrong_method, relayed, wrong_method),
    (relayed, unknown, healthy, unreadable, relayed, invalid, listed, wrong_method, relayed),
]


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("routes", MIXED, ids=lambda routes: "-".join(route.__name__ for route in routes))
async def test_requests_of_every_kind_on_one_connection(
    bed: Bed, routes: tuple[Check, ...], at_once: bool
) -> None:
    """What is relayed, what is answered here, and errors, one after the other or all at once."""
    bed.upstream.serve(echo)
    client = bed.client()
    requests = [ROUTES[route](bed) for route in routes]
    if at_once:
        await client.send(b"".join(requests))
    for route, request in zip(routes, requests, strict=True):
        if not at_once:
            await client.send(request)
        route(bed, await client.answer())


BEFORE = [
    (relayed,),
    (healthy,),
    (relayed, unknown),
    (unknown, relayed),
    (healthy, relayed, healthy),
    (listed, unknown),
]
SENSELESS = [
    b"nonsense\r\n\r\n",
    b"POST /v1/x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"\x00" * 50,
]


@pytest.mark.parametrize("senseless", SENSELESS, ids=["nonsense", "lengths", "zeros"])
@pytest.mark.parametrize("routes", BEFORE, ids=lambda routes: "-".join(route.__name__ for route in routes))
async def test_what_makes_no_sense_is_refused_in_its_turn(
    bed: Bed, routes: tuple[Check, ...], senseless: bytes
) -> None:
    bed.upstream.serve(echo)
    client = bed.client()
    await client.send(b"".join(ROUTES[route](bed) for route in routes) + senseless)
    for route in routes:
        route(bed, await client.answer())
    assert (await client.answer()).status == 400
    await assert_closed(client)


async def test_the_page_among_relayed_requests(bed: Bed) -> None:
    bed.upstream.serve(echo)
    client = bed.client()
    await client.send(bed.post() + bed.get(path="/") + bed.post())
    relayed(bed, await client.answer())
    page = await client.answer()
    assert page.status in (200, 503)  # 503 says how to build the page where it has not been
    relayed(bed, await client.answer())


async def test_a_body_that_is_not_read_does_not_become_the_next_request(bed: Bed) -> None:
    """A route that refuses by the head alone leaves the body there."""
    bed.upstream.serve(echo)
    client = bed.client()
    inner = bed.post()
    await client.send(bed.post(path="/api/nothing", body=inner) + bed.get(path="/health"))
    assert (await client.answer()).status == 404
    try:
        healthy(bed, await client.answer())
    except Ended:
        pass  # closing it is right as well
    assert bed.upstream.opened == 0


UPGRADES = [
    ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ"),
    ("Connection: upgrade", "Upgrade: websocket"),
]


@pytest.mark.parametrize("lines", UPGRADES, ids=["h2c", "websocket"])
async def test_an_offer_to_speak_another_protocol_is_passed_over(bed: Bed, lines: tuple[str, ...]) -> None:
    """Java's client makes one with every first request."""
    bed.upstream.serve(echo)
    client = bed.client()
    await client.send(bed.post(*lines) + bed.get(*lines) + bed.get(*lines, path="/health") + bed.post())
    relayed(bed, await client.answer())
    assert (await client.answer()).body == b""
    healthy(bed, await client.answer())
    relayed(bed, await client.answer())


async def test_a_client_that_closes_its_half_has_left(bed: Bed) -> None:
    """It cannot be told from one that has closed it all, and that one must cost nothing more."""
    client, connection, _ = await bed.ask(bed.post())
    client.shut()
    await bed.assert_freed(connection)
    assert (await client.end()).received == b""


async def test_a_connection_without_a_request(bed: Bed) -> None:
    client = bed.client()
    client.shut()
    await assert_closed(client)


async def test_many_connections_opened_and_left(bed: Bed) -> None:
    clients = [bed.client() for _ in range(100)]
    await asyncio.gather(*(client.send(bed.head()[:-20]) for client in clients))
    for client in clients[::2]:
        client.reset()
    for client in clients[1::2]:
        client.close()
    await bed.assert_unreached()
