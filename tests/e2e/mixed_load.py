"""Clients of every kind at once, well-behaved or not, over raw sockets: each act is one client's doing.

What is answered has to be well-formed; what the answer is, other tests look at.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.raw_client import Cut, RawClient
from tests.fakes.wire import Ended

CHAT, MESSAGES, OLLAMA = "/v1/chat/completions", "/v1/messages", "/api/chat"
SAID = [{"role": "user", "content": "Hi"}]
LARGE_BYTES = 2_000_000
SMALL_BUFFER_BYTES = 1 << 18
SLOW_READ_BYTES = 1 << 16
SLOW_PAUSE_SECONDS = 0.002


@dataclass
class Load:
    """model: answers at once or in a few words; flood: streams more than fits on the way; held: nobody may
    start it. done: acts by name, so far.
    """

    port: int
    model: str
    variant: str
    flood: str
    held: str
    done: Counter[str] = field(default_factory=Counter)

    async def work(self, dice: random.Random, is_over: Callable[[], bool]) -> None:
        """One client after the other, until it is over."""
        while not is_over():
            act = dice.choice(ACTS)
            client = RawClient.connect(
                self.port, receive_buffer_bytes=SMALL_BUFFER_BYTES if act is reading_slowly else None
            )
            try:
                await act(self, client, dice)
            finally:
                if not client.is_closed:
                    client.close()
            self.done[act.__name__] += 1

    def request(self, path: str, body: bytes | dict[str, Any], *lines: str, method: str = "POST") -> bytes:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *lines]
        return "\r\n".join([*head, f"Content-Length: {len(content)}", "", ""]).encode() + content

    def chat(self, path: str = CHAT, model: str | None = None, **asked: Any) -> bytes:
        return self.request(path, {"model": model or self.model, "messages": SAID, **asked})


Act = Callable[[Load, RawClient, random.Random], Awaitable[None]]


async def expect(client: RawClient, request: bytes, status: int) -> bytes:
    await client.send(request)
    answer = await client.answer()
    assert answer.status == status, answer
    return answer.body


async def whole(load: Load, client: RawClient, dice: random.Random) -> None:
    await expect(client, load.chat(n=dice.randrange(10**9)), 200)


async def several_on_a_connection(load: Load, client: RawClient, dice: random.Random) -> None:
    for path in dice.choices([CHAT, MESSAGES, OLLAMA], k=4):
        await expect(client, load.chat(path, stream=dice.random() < 0.5), 200)
    await expect(client, load.request("/v1/models", b"", method="GET"), 200)


async def streams(load: Load, client: RawClient, dice: random.Random) -> None:
    body = await expect(client, load.chat(stream=True), 200)
    assert body.endswith(b"data: [DONE]\n\n")


async def messages(load: Load, client: RawClient, dice: random.Random) -> None:
    await expect(client, load.chat(MESSAGES, stream=True, max_tokens=9), 200)


async def translated(load: Load, client: RawClient, dice: random.Random) -> None:
    body = await expect(client, load.chat(OLLAMA), 200)
    assert json.loads(body.splitlines()[-1])["done"]


async def variants(load: Load, client: RawClient, dice: random.Random) -> None:
    await expect(client, load.chat(model=load.variant, stream=True), 200)


async def large(load: Load, client: RawClient, dice: random.Random) -> None:
    await expect(client, load.chat(text="x" * dice.randrange(LARGE_BYTES)), 200)


async def another_client(load: Load, client: RawClient, dice: random.Random) -> None:
    """Each with a name of its own, as nothing may be kept for ever of each."""
    request = load.request(CHAT, {"model": load.model}, f"User-Agent: agent {dice.randrange(10**12)}")
    await expect(client, request, 200)


async def unknown(load: Load, client: RawClient, dice: random.Random) -> None:
    await expect(client, load.chat(model=f"nobody-{dice.randrange(10**12)}"), 404)


async def refused(load: Load, client: RawClient, dice: random.Random) -> None:
    await expect(client, load.chat(model=load.held), 503)


async def not_json(load: Load, client: RawClient, dice: random.Random) -> None:
    await expect(client, load.request(CHAT, b"{" * dice.randrange(1, 50)), 400)


async def malformed(load: Load, client: RawClient, dice: random.Random) -> None:
    await client.send(load.request(CHAT, b"{}", "Transfer-Encoding: chunked", "X: " + "y" * 500))
    assert (await client.answer()).status == 400


async def too_much_head(load: Load, client: RawClient, dice: random.Random) -> None:
    await client.send(load.request(CHAT, b"{}", "X: " + "y" * 70_000))
    assert (await client.answer()).status == 431


async def half_a_request(load: Load, client: RawClient, dice: random.Random) -> None:
    request = load.chat(text="x" * dice.randrange(100_000))
    await client.send(request[: dice.randrange(len(request))])
    leave(client, dice)


async def leaving_soon(load: Load, client: RawClient, dice: random.Random) -> None:
    await client.send(load.chat(stream=True))
    await asyncio.sleep(dice.random() / 50)
    leave(client, dice)


async def leaving_within_a_stream(load: Load, client: RawClient, dice: random.Random) -> None:
    await client.send(load.chat(dice.choice([CHAT, OLLAMA]), stream=True))
    await client.begin()
    await client.chunk()
    leave(client, dice)


async def leaving_a_flood(load: Load, client: RawClient, dice: random.Random) -> None:
    await client.send(load.chat(model=load.flood, stream=True))
    await client.begin()
    leave(client, dice)


async def reading_slowly(load: Load, client: RawClient, dice: random.Random) -> None:
    await client.send(load.chat(model=load.flood, stream=True))
    if not (await client.begin()).is_chunked:
        return  # cancelled before it began
    received = b""
    while not received.endswith(b"0\r\n\r\n"):
        await asyncio.sleep(SLOW_PAUSE_SECONDS)
        received = received[-5:] + await client.some(SLOW_READ_BYTES)


async def cancelled(load: Load, client: RawClient, dice: random.Random) -> None:
    """By somebody who looks at what is in flight: whom it meets is told, and no stream ends cleanly then."""
    await client.send(load.chat(model=load.flood, stream=True))
    answer = await client.begin()
    other = RawClient.connect(load.port)
    live = json.loads(await expect(other, load.request("/api/activity/live", b"", method="GET"), 200))
    for call in live["calls"]:
        if call["asked"] == load.flood:
            await other.send(load.request(f"/api/activity/{call['id']}", b"", method="DELETE"))
            await other.answer()
            break
    other.close()
    try:
        await client.finish(answer)
    except Ended:
        return


def leave(client: RawClient, dice: random.Random) -> None:
    (client.close if dice.random() < 0.5 else client.reset)()


def may_be_cut(act: Act) -> Act:
    """Of what another's cancelling may meet."""

    async def cut(load: Load, client: RawClient, dice: random.Random) -> None:
        try:
            await act(load, client, dice)
        except (Cut, Ended):
            return

    cut.__name__ = act.__name__
    return cut


ACTS: list[Act] = [
    whole,
    several_on_a_connection,
    streams,
    messages,
    translated,
    variants,
    large,
    another_client,
    unknown,
    refused,
    not_json,
    malformed,
    too_much_head,
    half_a_request,
    leaving_soon,
    leaving_within_a_stream,
    may_be_cut(leaving_a_flood),
    may_be_cut(reading_slowly),
    cancelled,
]
