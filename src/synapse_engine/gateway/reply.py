"""A server's answer for a coroutine: for dialects that are translated, and for our own questions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from synapse_engine.errors import UpstreamFailed
from synapse_engine.gateway.heads import AnswerHead
from synapse_engine.gateway.upstream import Connection, Place, Pool, message

JSON_LINES = b"content-type: application/json\r\n"


class Reply:
    """One request and its answer. Attribute to read, once `ask` has returned: status.

    What is not read to its end has to be closed: the server then sees that its client has left.
    """

    def __init__(self, pool: Pool, place: Place) -> None:
        self.status = 0
        self._pool = pool
        self._place = place
        self._connection: Connection | None = None
        self._pieces: list[bytes] = []
        self._news = asyncio.Event()
        self._failure: UpstreamFailed | None = None
        self._is_stale = False

    async def ask(self, method: bytes, path: bytes, body: bytes = b"", lines: bytes = JSON_LINES) -> None:
        """Send it, with these headers, and return once the answer's head is here. Raises UpstreamFailed."""
        kept = self._pool.take(self._place, time.monotonic())
        self._send(kept or await self._pool.connect(self._place), method, path, body, lines)
        await self._until_begun()
        if self._is_stale:
            # It was closed in the moment when it was used again, so nobody has read the request.
            self._failure, self._is_stale = None, False
            self._send(await self._pool.connect(self._place), method, path, body, lines)
            await self._until_begun()
        if self._failure is not None:
            raise self._failure

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises UpstreamFailed where it breaks off."""
        while True:
            pieces, self._pieces = self._pieces, []
            for piece in pieces:
                yield piece
            if self._pieces:
                continue
            if self._failure is not None:
                raise self._failure
            if self._connection is None:
                return
            self._connection.resume()
            self._news.clear()
            await self._news.wait()

    async def whole(self) -> bytes:
        """The whole body. Raises UpstreamFailed."""
        return b"".join([piece async for piece in self.pieces()])

    def close(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    # Of the connection.

    def answer_is_whole(self, head: AnswerHead, body: bytes) -> None:
        self.answer_begins(head, len(body))
        self.answer_goes_on(body)
        self.answer_ends()

    def answer_begins(self, head: AnswerHead, length: int | None) -> None:
        self.status = head.status
        self._news.set()

    def answer_goes_on(self, data: bytes) -> None:
        self._pieces.append(data)

    def answer_ends(self) -> None:
        self._connection = None
        self._news.set()

    def answer_fails(self, error: UpstreamFailed, is_stale: bool) -> None:
        self._connection = None
        self._failure, self._is_stale = error, is_stale
        self._news.set()

    def has_read(self) -> None:
        """No more is read until what came has been taken."""
        if self._pieces and self._connection is not None:
            self._connection.pause()
        self._news.set()

    # Its own.

    def _send(self, connection: Connection, method: bytes, path: bytes, body: bytes, lines: bytes) -> None:
        self._connection = connection
        request = message(method, self._place, path, lines, len(body), body)
        connection.ask(self, request, expects_no_body=False)

    async def _until_begun(self) -> None:
        while not self.status and self._failure is None:
            self._news.clear()
            await self._news.wait()
