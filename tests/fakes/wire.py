"""A socket and nothing in between: bytes out in given pieces, bytes in as they come, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PATIENCE_SECONDS = 5.0
RECEIVE_BYTES = 1 << 18
TURNS = 3  # of the loop: one to be told of the bytes, one to work on them, one to spare
LINE = rb"[^\x00-\x08\x0a-\x1f\x7f]*"
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(" + LINE + rb"?)[ \t]*")


class Ended(Exception):
    """The connection ended before what was waited for had come.

    how: `closed` (orderly) or `reset`. received: the bytes that nobody had taken yet.
    """

    def __init__(self, how: str, received: bytes) -> None:
        super().__init__(how, received[-200:])
        self.how = how
        self.received = received


@dataclass
class Message:
    """A head and its body. first: the first line; fields: names in lower case, in order."""

    first: bytes
    fields: list[tuple[bytes, bytes]]
    head: bytes
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for key, value in self.fields if key == name.encode()]

    def one(self, name: str) -> str | None:
        """None where it is not there. It may not be there twice."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def names(self) -> set[str]:
        return {name.decode() for name, _ in self.fields}

    @property
    def is_chunked(self) -> bool:
        return self.one("transfer-encoding") is not None

    @property
    def length(self) -> int | None:
        """What Content-Length says."""
        value = self.one("content-length")
        assert value is None or value.isdecimal()
        return int(value) if value is not None else None


class Wire:
    """One end of a connection. Whatever is waited for comes within `patience_seconds`, or TimeoutError."""

    patience_seconds = PATIENCE_SECONDS

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self._received = bytearray()

    async def send(self, *pieces: bytes) -> None:
        """Send each by itself: the other end gets to read one before the next is there."""
        loop = asyncio.get_running_loop()
        for piece in pieces:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await loop.sock_sendall(self.socket, piece)
            for _ in range(TURNS):
                await asyncio.sleep(0)

    async def pour(self, data: bytes | memoryview, *, stall_seconds: float) -> int:
        """Send as much as is taken, until nothing is for that long: how many bytes it was."""
        sent = 0
        while sent < len(data):
            try:
                sent += self.socket.send(memoryview(data)[sent : sent + RECEIVE_BYTES])
                await asyncio.sleep(0)
            except BlockingIOError:
                if not await self._is_writable(stall_seconds):
                    break
        return sent

    async def wait(self) -> None:
        """Until something comes, however long it takes."""
        if not self._received:
            await self._receive(forever=True)

    async def until(self, end: bytes) -> bytes:
        """Bytes up to and with that end."""
        while (at := self._received.find(end)) < 0:
            await self._receive()
        return self._take(at + len(end))

    async def exactly(self, count: int) -> bytes:
        while len(self._received) < count:
            await self._receive()
        return self._take(count)

    async def some(self, most: int = RECEIVE_BYTES) -> bytes:
        """Those that are here already, else the next that come."""
        if not self._received:
            await self._receive()
        return self._take(min(most, len(self._received)))

    def waiting(self) -> bytes:
        """What is here already; it stays."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            return bytes(self._received) + self.socket.recv(RECEIVE_BYTES, socket.MSG_PEEK)
        return bytes(self._received)

    async def end(self) -> Ended:
        """How it ends, and what still came before."""
        try:
            while True:
                await self._receive()
        except Ended as ended:
            self._received.clear()
            return ended

    async def head(self) -> Message:
        """The next head, which has to be well-formed."""
        raw = await self.until(b"\r\n\r\n")
        first, *lines = raw[:-4].split(b"\r\n")
        fields = []
        for line in lines:
            match = FIELD.fullmatch(line)
            assert match, f"malformed: {line!r}"
            fields.append((match[1].lower(), match[2]))
        message = Message(first, fields, raw)
        assert message.length is None or not message.is_chunked, "two lengths"
        return message

    async def chunk(self) -> bytes:
        """The next chunk; the last one is empty."""
        size = await self.until(b"\r\n")
        assert re.fullmatch(rb"[0-9a-fA-F]+\r\n", size), f"malformed: {size!r}"
        content = await self.exactly(int(size, 16))
        assert await self.exactly(2) == b"\r\n"
        return content

    async def read_chunks(self, message: Message) -> None:
        while chunk := await self.chunk():
            message.chunks.append(chunk)
            message.body += chunk

    def shut(self) -> None:
        """Say that nothing more will be sent."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed on this side."""
        return self.socket.fileno() < 0

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close without order."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    async def _is_writable(self, within_seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        writable = asyncio.Event()
        loop.add_writer(self.socket, writable.set)
        try:
            async with asyncio.timeout(within_seconds):
                await writable.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_writer(self.socket)
        return True

    async def _receive(self, *, forever: bool = False) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None if forever else self.patience_seconds):
                data = await loop.sock_recv(self.socket, RECEIVE_BYTES)
        except (ConnectionResetError, BrokenPipeError):
            raise Ended("reset", bytes(self._received)) from None
        if not data:
            raise Ended("closed", bytes(self._received))
        self._received += data


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Fails with these words where it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise AssertionError(f"not within {seconds} s: {what}") from error
