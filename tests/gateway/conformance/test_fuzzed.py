"""Requests and answers that were whole once and have been damaged: nothing breaks, and nothing leaks.

The dice are thrown the same every time; SYNAPSE_SOAK throws many more.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable

import pytest
from tests.fakes.raw_client import Cut, RawClient
from tests.fakes.raw_upstream import UpstreamConnection
from tests.fakes.rig import until
from tests.fakes.wire import Ended, Message, within
from tests.gateway.conformance.bed import CHAT, OK, Bed

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

SETTINGS = {"api_key": "s3cret", "body_max_mb": 1}
KEY = b"Authorization: Bearer s3cret"
DAMAGED = 10_000 if os.environ.get("SYNAPSE_SOAK") else 600
AT_ONCE = 20
NASTY = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        b" ",
        b"\t",
        b":",
        b",",
        b";",
        b"%",
        b"#",
        b"\xff",
        b"0",
        b"-1",
        b"ffffffff",
    ),
    *(
        b"\r\n\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
    ),
    *(
        b"Host: elsewhere\r\n",
        b"Connection: close\r\n",
        b"Upgrade: h2c\r\nConnection: upgrade\r\n",
        b"HTTP/1.0",
        b"\r\n x",
    ),
    *(
        b"Expect: 100-continue\r\n",
        b"X: " + b"y" * 70_000,
        b"0\r\n\r\n",
        b"99999999999999999999",
        b"HTTP/1.1 200 OK\r\n",
    ),
]


def damage(whole: bytes, dice: random.Random) -> bytes:
    """With one to four places changed, cut out, doubled or filled with something nasty."""
    damaged = whole
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(damaged) + 1)
        to = min(len(damaged), at + dice.choice([1, 1, 2, 5, 40]))
        byte, nasty = bytes([dice.randrange(256)]), dice.choice(NASTY)
        middle = dice.choice([b"", byte, damaged[at:to] * 2, nasty])
        damaged = damaged[:at] + middle + damaged[to if dice.random() < 0.7 else at :]
    return damaged if dice.random() < 0.9 else damaged[: dice.randrange(len(damaged) + 1)]


def requests(bed: Bed) -> list[bytes]:
    body = bed.body(text="some words")
    in_chunks = b"8\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\nX-End: 1\r\n\r\n" % (body[:8], len(body) - 8, body[8:])
    return [
        bed.post(KEY),
        bed.post(KEY, body=body) + bed.post(KEY, "Connection: close"),
        bed.head(KEY, "Transfer-Encoding: chunked") + in_chunks + bed.get(KEY),
        bed.get(KEY) + bed.get(KEY, path="/v1/models") + bed.get(KEY),
        bed.post(KEY, "Expect: 100-continue") + bed.get(path="/health"),
        bed.post(KEY, "Connection: keep-alive", version="1.0"),
        bed.post(KEY, path="/v1/messages"),
    ]


REPLIES = [
    OK,
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"9\r\ndata: 1\n\n\r\n9;a=b\r\ndata: 2\n\n\r\n0\r\nX-End: 1\r\n\r\n",
    b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\nX: a\r\nContent-Length: 5\r\n\r\nwhere",
    b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nto the end",
    b"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n",
]


async def listen(client: RawClient, *, seconds: float) -> None:
    """Whatever comes has to be well-formed, up to the end or to a silence."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                await client.answer()
    except (TimeoutError, Ended, Cut):
        return


async def send(client: RawClient, data: bytes) -> None:
    try:
        await client.send(data)
    except OSError:
        return


def assert_ours(bed: Bed, seen: Message) -> None:
    """What comes to the server is the relay's own word in all that matters."""
    with bed.plane.services.fleet.lease(bed.model_id) as lease:
        assert seen.all("authorization") == [f"Bearer {lease.api_key}"]
    assert seen.all("host") == [f"127.0.0.1:{bed.actor.port}"]
    assert not {"transfer-encoding", "connection", "upgrade", "expect", "x-end"} & seen.names


async def in_turn(bed: Bed, once: Callable[[int], Awaitable[None]]) -> None:
    """So many, some at a time; afterwards everything is as it was."""
    for first in range(0, DAMAGED, AT_ONCE):
        await asyncio.gather(*(once(number) for number in range(first, first + AT_ONCE)))
        async with within(2, "every lease is freed"):
            await until(lambda: bed.active == 0)


async def test_damaged_requests(bed: Bed) -> None:
    wholes = requests(bed)

    async def answer(connection: UpstreamConnection, seen: Message) -> None:
        assert_ours(bed, seen)
        await connection.reply(b"ok")

    async def once(number: int) -> None:
        dice = random.Random(number)
        client = bed.client()
        await send(client, damage(dice.choice(wholes), dice))
        if dice.random() < 0.5:
            client.shut()
        await listen(client, seconds=0.03)
        (client.reset if dice.random() < 0.3 else client.close)()

    bed.upstream.serve(answer)
    await in_turn(bed, once)
    client = bed.client()
    await client.send(bed.post(KEY))
    assert (await client.answer()).body == b"ok"


async def test_damaged_answers(bed: Bed) -> None:
    async def answer(connection: UpstreamConnection, seen: Message) -> None:
        assert_ours(bed, seen)
        dice = random.Random(seen.body)
        try:
            await connection.send(damage(dice.choice(REPLIES), dice))
        except OSError:
            pass  # the relay has seen enough
        (connection.reset if dice.random() < 0.3 else connection.close)()

    async def once(number: int) -> None:
        client = bed.client()
        await client.send(
            bed.post(
                KEY, body=bed.body(number=number), path=random.Random(number).choice([CHAT, "/v1/messages"])
            )
        )
        try:
            answer = await client.answer()
            assert 200 <= answer.status < 1000
        except Cut:
            pass
        client.close()

    bed.upstream.serve(answer)
    await in_turn(bed, once)
    assert bed.active == 0
