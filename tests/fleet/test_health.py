"""What `/health` says, asked again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from synapse_engine.fleet.health import Probe, ask_health

LOADING = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 7\r\n\r\nloading"
READY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 7\r\n\r\nloading"
ENDLESS = b"HTTP/1.1 503 Service Unavailable\r\n\r\nloading"


@asynccontextmanager
async def server(answers: Sequence[bytes]) -> AsyncIterator[tuple[str, list[int]]]:
    """Its address, and how many questions have come over each connection; an empty answer ends one."""
    left, asked = list(answers), list[int]()
    talks: list[asyncio.Task[None] | None] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        asked.append(0)
        number = len(asked) - 1
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            asked[number] += 1
            answer = left.pop(0)
            if not answer:
                break
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(converse, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", asked
        await asyncio.gather(*filter(None, talks))


SEEN: dict[str, tuple[list[bytes], list[int | None], list[int]]] = {
    "over one connection": ([LOADING, LOADING, READY], [503, 503, 200], [3]),
    "over another after the last answer of one": ([LOADING, LAST, READY], [503, 503, 200], [2, 1]),
    "over another where an answer has no length": ([ENDLESS, READY], [503, 200], [1, 1]),
    "over another where one breaks off": ([LOADING, b"", READY], [503, None, 200], [2, 1]),
    "over another where an answer is cut": ([LOADING[:-2] + b"", READY], [None, 200], [1, 1]),
    "over another where it is no answer": ([b"220 smtp\r\n\r\n", READY], [None, 200], [1, 1]),
}


@pytest.mark.parametrize("case", SEEN)
async def test_it_is_asked(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synapse_engine.fleet.health.PROBE_TIMEOUT_SECONDS", 0.2)
    answers, statuses, questions = SEEN[case]
    async with server(answers) as (url, asked), Probe(url) as probe:
        assert [await probe.ask() for _ in statuses] == statuses
        assert asked == questions


async def test_nobody_listens() -> None:
    async with server([]) as (url, _):
        pass
    assert await ask_health(url) is None
