"""What stands behind a fake engine: the test itself, on the very sockets that the engine was connected to.

The fake engine passes each connection on by its descriptor, so there is no copy of a byte in between.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.wire import PATIENCE_SECONDS, Ended, Message, Wire, within

HAND_OVER_SECONDS = 2.0
LAST = b"no more after this"


@dataclass
class Request(Message):
    method: str = ""
    target: str = ""


class UpstreamConnection(Wire):
    """One that was opened to the server."""

    async def request(self) -> Request:
        """The next request as a whole; its body has to come with its length."""
        message = await self.head()
        method, target, version = message.first.decode("latin-1").split(" ")
        assert version == "HTTP/1.1"
        assert not message.is_chunked, "a body without its length"
        body = await self.exactly(message.length or 0)
        return Request(message.first, message.fields, message.head, body, method=method, target=target)

    async def reply(self, body: bytes = b"", *lines: str, status: str = "200 OK") -> None:
        head = [f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", "", ""]
        await self.send("\r\n".join(head).encode("latin-1") + body)

    async def left(self) -> str:
        """How the other side ended it: `closed` or `reset`. It may not have sent anything more."""
        ended = await self.end()
        assert not ended.received, f"unasked: {ended.received[:200]!r}"
        return ended.how


Handler = Callable[[UpstreamConnection, Request], Awaitable[None]]


class RawUpstream:
    """Attributes to read: path, of the socket where connections are handed over; opened, how many so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened = 0
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(512)
        self._open: list[UpstreamConnection] = []
        self._waiting: asyncio.Queue[UpstreamConnection] = asyncio.Queue()
        self._last_is_here = asyncio.Event()
        self._handler: Handler | None = None
        self._serving: dict[UpstreamConnection, asyncio.Task[None]] = {}
        asyncio.get_running_loop().add_reader(self._listener, self._take_over)

    async def connection(self) -> UpstreamConnection:
        """The next one that was opened."""
        async with within(PATIENCE_SECONDS, "a connection to the server"):
            return await self._waiting.get()

    def serve(self, handler: Handler) -> None:
        """From now on every request of every new connection is the handler's."""
        self._handler = handler

    def count(self) -> int:
        """Connections that nobody has waited for."""
        return self._waiting.qsize()

    async def all_here(self, port: int) -> None:
        """Return once every connection that was opened to the engine on that port until now has come."""
        with socket.socket() as last:
            last.connect(("127.0.0.1", port))
            last.send(LAST)
            async with within(PATIENCE_SECONDS, "the last connection"):
                await self._last_is_here.wait()
        self._last_is_here.clear()

    async def settle(self) -> None:
        """End every connection, and see that the other side ends it too; what handlers raised is raised."""
        for connection in self._open:
            connection.shut()
        try:
            async with within(2, "the relay ends the connections that the server ended"):
                for connection in self._open:
                    if connection in self._serving:
                        await self._serving[connection]
                    elif not connection.is_closed:
                        await connection.end()
        finally:
            self._forget()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._forget()

    def _forget(self) -> None:
        for task in self._serving.values():
            task.cancel()
        for connection in self._open:
            connection.close()
        self._open, self._serving, self._handler, self.opened = [], {}, None, 0
        self._waiting = asyncio.Queue()

    def _take_over(self) -> None:
        line, _ = self._listener.accept()
        with line:
            line.settimeout(HAND_OVER_SECONDS)
            _, descriptors, _, _ = socket.recv_fds(line, 1, 1)
        connection = UpstreamConnection(socket.socket(fileno=descriptors[0]))
        if connection.waiting() == LAST:
            connection.close()
            self._last_is_here.set()
            return
        self.opened += 1
        self._open.append(connection)
        if self._handler:
            self._serving[connection] = asyncio.create_task(_converse(connection, self._handler))
        else:
            self._waiting.put_nowait(connection)


async def _converse(connection: UpstreamConnection, handler: Handler) -> None:
    while not connection.is_closed:
        try:
            await connection.wait()
            request = await connection.request()
        except Ended:
            return
        await handler(connection, request)


@asynccontextmanager
async def open_upstream() -> AsyncIterator[RawUpstream]:
    # Not below tmp_path: a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="upstream-") as folder:
        upstream = RawUpstream(Path(folder, "socket"))
        try:
            yield upstream
        finally:
            upstream.close()
