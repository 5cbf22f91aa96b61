"""Somebody else's server, spoken to by URL: it notes each request, and answers as the test wants."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.fakes.control_plane import ControlPlane
from tests.fakes.ports import free_port
from tests.fakes.rig import until

# The client has left, so that there is nobody to be told.
GONE = (ConnectionError, asyncio.IncompleteReadError)


@dataclass(frozen=True)
class Asked:
    """One request. headers: by name in lower case, all the values of each."""

    method: str
    path: str
    headers: dict[str, list[str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[["RemoteServer", Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RemoteServer:
    """models: what it lists; None: it knows no such path. answer: to all but that."""

    port: int
    scheme: str = "http"
    models: list[str] | None = field(default_factory=lambda: ["m1"])
    answer: Answer | None = None
    asked: asyncio.Queue[Asked] = field(default_factory=asyncio.Queue)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    listed: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (asked := await read(reader)) is not None:
                if asked.path.partition("?")[0].endswith("/v1/models"):
                    self.listed.append(asked)
                    await self.list(writer)
                    continue
                self.asked.put_nowait(asked)
                answering = asyncio.ensure_future((self.answer or echo)(self, asked, writer))
                leaving = asyncio.ensure_future(self._leaving(reader))
                await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
                for task in (answering, leaving):
                    task.cancel()
                await asyncio.gather(answering, leaving, return_exceptions=True)
        except GONE:
            self.left.set()
        finally:
            writer.close()

    async def list(self, writer: asyncio.StreamWriter) -> None:
        if self.models is None:
            await say(writer, {"error": {"message": "no such path"}}, status="404 Not Found")
        else:
            await say(writer, {"object": "list", "data": [{"id": model} for model in self.models]})

    async def _leaving(self, reader: asyncio.StreamReader) -> None:
        """Until the client has gone; it sends nothing while it waits."""
        # Looked at, not read: what follows belongs to the next request.
        await until(lambda: reader.at_eof() or reader.exception() is not None)
        self.left.set()


async def echo(server: RemoteServer, asked: Asked, writer: asyncio.StreamWriter) -> None:
    """What was asked, as the answer's `asked`."""
    body = asked.json if asked.body else None
    await say(
        writer,
        {"asked": body, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
        "Server: theirs\r\nDate: never\r\nSet-Cookie: a=b\r\nStrict-Transport-Security: max-age=9\r\n"
        'Alt-Svc: h3=":443"\r\nX-Theirs: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\n',
    )


async def say(
    writer: asyncio.StreamWriter, content: object, headers: str = "", status: str = "200 OK"
) -> None:
    body = json.dumps(content).encode()
    framing = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"HTTP/1.1 {status}\r\n{framing}{headers}\r\n".encode() + body)
    await writer.drain()


async def begin_stream(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    await writer.drain()


async def stream(writer: asyncio.StreamWriter, text: str) -> None:
    data = text.encode()
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    await writer.drain()


async def read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    length = int(headers.get("content-length", ["0"])[0])
    method, path, _ = first.split()
    return Asked(method, path, headers, await reader.readexactly(length))


@asynccontextmanager
async def remote_server(
    port: int | None = None,
    tls: ssl.SSLContext | None = None,
    kind: type[RemoteServer] = RemoteServer,
    **facts: Any,
) -> AsyncIterator[RemoteServer]:
    server = kind(port or free_port(), "https" if tls else "http", **facts)
    conversations = set[asyncio.Task[None]]()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        # Else the stream's own callback would log it.
        with contextlib.suppress(asyncio.CancelledError):
            await server.converse(reader, writer)

    listener = await asyncio.start_server(converse, "localhost", server.port, ssl=tls, limit=1 << 26)
    try:
        yield server
    finally:
        listener.close()
        for task in conversations:
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        await listener.wait_closed()


async def put(plane: ControlPlane, name: str, url: str, **more: Any) -> dict[str, Any]:
    """Make it an upstream of that name; what the API says of it."""
    answer = await plane.http.put(f"/api/upstreams/{name}", json={"url": url, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class Steps:
    """A stream whose next word comes when the test says so."""

    def __init__(self) -> None:
        self.words: asyncio.Queue[str | None] = asyncio.Queue()

    async def __call__(self, server: RemoteServer, asked: Asked, writer: asyncio.StreamWriter) -> None:
        await begin_stream(writer)
        while (word := await self.words.get()) is not None:
            if word == "cut":
                writer.transport.abort()
                return
            await stream(writer, f"data: {word}\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def data_of(response: httpx.Response) -> AsyncIterator[str]:
    """Of each event of a stream."""
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield line.removeprefix("data: ")
