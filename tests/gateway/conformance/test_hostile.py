"""Requests that mean harm: hundreds at once, each refused, none passed on, and nothing is kept of them.

The dice are thrown the same every time; SYNAPSE_SOAK sends ten thousand.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import psutil
import pytest
from tests.fakes.leaks import Sample, assert_flat, living, sockets_on
from tests.fakes.raw_client import Cut, RawClient
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.fakes.rig import until
from tests.fakes.wire import Ended, within
from tests.gateway.conformance.bed import CHAT, Bed

from synapse_engine.gateway.activity import Call
from synapse_engine.gateway.body import Body
from synapse_engine.gateway.exchange import Exchange
from synapse_engine.gateway.protocol import GatewayProtocol
from synapse_engine.gateway.upstream import Connection

SOAK = "SYNAPSE_SOAK" in os.environ
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1200 if SOAK else 120)]

SETTINGS = {"body_max_mb": 1}
STALL_SECONDS = 0.3
TIMES = {"synapse_engine.gateway.protocol.STALL_SECONDS": STALL_SECONDS}
HOSTILE = 10_000 if SOAK else 400
AT_ONCE = 200
# Two hundred at once, and other work beside them.
PATIENCE_SECONDS = 30.0
SPREAD_BYTES = 30_000_000
PATHS = [CHAT, "/v1/messages", "/api/chat", "/v1/models", "/api/models/enable", "/health"]
KINDS = (GatewayProtocol, Exchange, Connection, Body)

Act = Callable[[Bed, RawClient, random.Random], Awaitable[None]]


async def told(client: RawClient) -> None:
    """Whatever comes is well-formed and a refusal, and then the connection is closed."""
    try:
        while True:
            assert (await client.answer()).status >= 400
    except (Ended, Cut):
        return


async def pour(client: RawClient, *pieces: bytes) -> None:
    try:
        await client.send(*pieces)
    except OSError:
        return


async def drip(client: RawClient, begun: bytes, dice: random.Random) -> None:
    """A slowloris: a byte now and then, for as long as it is let."""
    await pour(client, begun)
    telling = asyncio.create_task(told(client))
    while not telling.done():
        await asyncio.sleep(STALL_SECONDS * dice.uniform(0.1, 0.3))
        await pour(client, b"x")
    await telling


async def slow_head(bed: Bed, client: RawClient, dice: random.Random) -> None:
    await drip(client, bed.head(path=dice.choice(PATHS))[:-2] + b"X: ", dice)


async def slow_first_line(bed: Bed, client: RawClient, dice: random.Random) -> None:
    await drip(client, b"GET /", dice)


async def no_body(bed: Bed, client: RawClient, dice: random.Random) -> None:
    await pour(client, bed.head("Content-Length: 500") + b"x" * dice.randrange(400))
    await told(client)


async def huge_header(bed: Bed, client: RawClient, dice: random.Random) -> None:
    size = dice.randrange(66_000, 2_000_000)
    await pour(client, bed.get("X: " + "y" * size, path=dice.choice(PATHS)))
    await told(client)


async def many_headers(bed: Bed, client: RawClient, dice: random.Random) -> None:
    lines = [f"X-{number}: {dice.random()}" for number in range(dice.randrange(101, 3_000))]
    await pour(client, bed.get(*lines, path=dice.choice(PATHS)))
    await told(client)


async def long_address(bed: Bed, client: RawClient, dice: random.Random) -> None:
    await pour(client, bed.get(path="/v1/models?" + "a=b&" * dice.randrange(17_000, 50_000)))
    await told(client)


async def huge_length(bed: Bed, client: RawClient, dice: random.Random) -> None:
    await pour(client, bed.head(f"Content-Length: {10 ** dice.randrange(7, 30)}"))
    await told(client)


async def huge_chunk(bed: Bed, client: RawClient, dice: random.Random) -> None:
    await pour(client, bed.head("Transfer-Encoding: chunked") + b"f" * dice.randrange(6, 40) + b"\r\nx")
    await told(client)


async def endless_extension(bed: Bed, client: RawClient, dice: random.Random) -> None:
    await pour(client, bed.head("Transfer-Encoding: chunked") + b"1;" + b"a" * 200_000)
    await told(client)


async def endless_trailers(bed: Bed, client: RawClient, dice: random.Random) -> None:
    await pour(client, bed.head("Transfer-Encoding: chunked") + b"0\r\n" + b"X: y\r\n" * 20_000)
    await told(client)


async def smuggling(bed: Bed, client: RawClient, dice: random.Random) -> None:
    """One request for some readers, and two for others; the second asks the model."""
    hidden = bed.post()
    lines: list[str | bytes] = dice.choice(
        [
            [f"Content-Length: {len(hidden)}", "Transfer-Encoding: chunked"],
            ["Content-Length: 0", f"Content-Length: {len(hidden)}"],
            [f"Content-Length: 0, {len(hidden)}"],
            ["Content-Length: +0"],
            ["Transfer-Encoding: xchunked", "Content-Length: 0"],
            ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
            ["Content-Length: 0", "Transfer-Encoding : chunked"],
            ["X: y", " Content-Length: 0"],
            [b"X: y\rContent-Length: 0"],
            [b"X: y\nTransfer-Encoding: chunked"],
            ["Host: elsewhere", "Content-Length: 0"],
        ]
    )
    await pour(client, bed.head(*lines) + b"0\r\n\r\n" + hidden)
    await told(client)


async def nested(bed: Bed, client: RawClient, dice: random.Random) -> None:
    body = b'{"model": ' + b"[" * dice.randrange(10_000, 200_000)
    await pour(client, bed.post("Connection: close", body=body, path=dice.choice([CHAT, "/api/chat"])))
    await told(client)


async def another_protocol(bed: Bed, client: RawClient, dice: random.Random) -> None:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    await pour(client, dice.choice([hello, preface, dice.randbytes(dice.randrange(1, 5_000))]) + b"\r\n\r\n")
    await told(client)


async def gone_at_once(bed: Bed, client: RawClient, dice: random.Random) -> None:
    await pour(client, bed.get(path="/health") * dice.randrange(1, 50))
    client.reset()


ACTS: list[Act] = [
    slow_head,
    slow_first_line,
    no_body,
    huge_header,
    many_headers,
    long_address,
    huge_length,
    huge_chunk,
    endless_extension,
    endless_trailers,
    smuggling,
    nested,
    another_protocol,
    gone_at_once,
]


async def test_nothing_gets_through_and_nothing_is_kept(bed: Bed) -> None:
    async def is_reached(connection: UpstreamConnection, seen: Request) -> None:
        raise AssertionError(f"passed on: {seen.head!r}")

    async def once(number: int) -> None:
        dice = random.Random(number)
        client = bed.client()
        client.patience_seconds = PATIENCE_SECONDS
        await ACTS[number % len(ACTS)](bed, client, dice)
        client.close()

    bed.upstream.serve(is_reached)
    ports = {bed.plane.settings.port, bed.actor.port}
    sockets, kept = sockets_on(ports), living(*KINDS)
    began, process, samples = time.monotonic(), psutil.Process(), []
    for first in range(0, HOSTILE, AT_ONCE):
        await asyncio.gather(*(once(number) for number in range(first, first + AT_ONCE)))
        async with within(PATIENCE_SECONDS, "no lease is held, and every connection is closed"):
            await until(lambda: bed.active == 0 and sockets_on(ports) <= sockets)
        seconds = time.monotonic() - began
        samples.append(Sample(seconds, first + AT_ONCE, process.memory_info().rss))
    await bed.plane.services.recorder.flush()
    assert not bed.plane.services.recorder.activity.live
    assert not living(*KINDS, Call) - kept - Counter({"GatewayProtocol": 1})
    if SOAK:
        assert_flat(samples, spread_bytes=SPREAD_BYTES)
    client = bed.client()
    await client.send(bed.get(path="/health"))
    assert (await client.answer()).status == 200
