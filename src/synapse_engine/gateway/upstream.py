"""Connections to servers: one request at a time on each, kept for the next where both ends are clean."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast
from urllib.parse import urlsplit

import httptools

from synapse_engine.errors import UpstreamFailed
from synapse_engine.gateway.framing import Headers
from synapse_engine.gateway.heads import AnswerHead, Repeated, find_repeated
from synapse_engine.gateway.outbox import Outbox

CONNECT_SECONDS = 5.0
# llama-server closes an idle connection after 5 s; a request sent in that moment would be lost.
KEEP_SECONDS = 4.0
HEAD_BYTES = 1 << 16
LINE_BYTES = 4  # of a header, besides its name and its value
TOO_LARGE = f"its head has more than {HEAD_BYTES} bytes"
WITH_BODY = frozenset([b"POST", b"PUT", b"PATCH"])
# Seconds, seconds and tries: a machine that has gone is noticed after a minute. On Linux the last one, in
# milliseconds, decides instead of the tries, and for what was sent and not taken too.
KEEP_ALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 60_000}


@dataclass(slots=True, eq=False)
class Place:
    """Where a server is reached, and as whom. Another start of a model is another place: its key is new.

    prefix: before every path. headers: whole lines that name host and key. upstream: its name, where it is
    one by URL. idle: its connections that wait for a request, see `Pool`.
    """

    host: str
    port: int
    headers: bytes
    prefix: bytes = b""
    tls: ssl.SSLContext | None = None
    upstream: str | None = None
    idle: list[Connection] = field(default_factory=list)

    def failed(self, reason: str) -> UpstreamFailed:
        return UpstreamFailed(reason, self.upstream)

    def hang_up(self) -> None:
        """Close its connections that wait for a request."""
        for connection in list(self.idle):
            connection.abort()


def place_of(url: str, api_key: str) -> Place:
    """A server's own: `http://host:port` and its key."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    port = parts.port or 80
    lines = f"host: {parts.netloc}\r\nauthorization: Bearer {api_key}\r\n"
    return Place(parts.hostname, port, lines.encode("latin-1"))


def message(
    method: bytes, place: Place, url: bytes, lines: bytes, body_bytes: int, body: bytes = b""
) -> bytes:
    """A request as the server is sent it, or of one with a large body the head; lines: of the headers that it
    is told.
    """
    if body_bytes or method in WITH_BODY:
        return b"%b %b%b HTTP/1.1\r\n%b%bcontent-length: %d\r\n\r\n%b" % (
            method,
            place.prefix,
            url,
            place.headers,
            lines,
            body_bytes,
            body,
        )
    return b"%b %b%b HTTP/1.1\r\n%b%b\r\n" % (method, place.prefix, url, place.headers, lines)


class Answering(Protocol):
    """Who has asked, and is told the answer as it comes."""

    def answer_is_whole(self, head: AnswerHead, body: bytes) -> None:
        """All of it has come at once: it begins, goes on and ends."""

    def answer_begins(self, head: AnswerHead, length: int | None) -> None:
        """length: of the body in bytes; None where only its end will tell. To a HEAD it is what a GET's
        body would have, and nothing follows.
        """

    def answer_goes_on(self, data: bytes) -> None: ...

    def answer_ends(self) -> None: ...

    def answer_fails(self, error: UpstreamFailed, is_stale: bool) -> None:
        """is_stale: a kept connection was closed before a byte came: ask again on a new one."""

    def has_read(self) -> None:
        """All that came at once has been told."""


class Connection(asyncio.Protocol):
    """One to a server. A connection that did anything unexpected is never used again."""

    def __init__(self, pool: Pool, place: Place) -> None:
        self._pool = pool
        self._place = place
        self._asker: Answering | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._pieces: Iterator[bytes] | None = None
        self._may_write = True
        self._is_kept = False
        self._is_paused = False
        self._idle_since = 0.0
        self._expects_no_body = False
        self._reason = b""
        self._headers: Headers = []
        self._head_bytes = 0
        self._unread_bytes = 0
        self._is_untouched = True
        self._has_begun = False
        self._is_interim = False
        self._is_until_close = False
        self._is_complete = False
        self._is_clean = True
        # Of the last answer, where the next one may be like it.
        self._head: AnswerHead | None = None
        self._repeated: Repeated | None = None

    # Of the asker.

    def ask(
        self, asker: Answering, message: bytes, rest: Iterator[bytes] | None = None, *, expects_no_body: bool
    ) -> None:
        """Send a request; rest: of a large one the body's pieces, sent as fast as the server takes them."""
        self._asker = asker
        self._is_untouched = True  # no byte of an answer has come
        self._expects_no_body = expects_no_body
        if expects_no_body or rest is not None:
            self._repeated = None  # that its answer is like the last one is not enough for its end
        if rest is None:
            self._pool.outbox.write(self._transport, message)
        else:
            self._transport.write(message)
            self._pieces = rest
            self._send_on()

    def answer_to(self, asker: Answering) -> None:
        """Another one goes on in place of the one that has asked."""
        self._asker = asker

    def pause(self) -> None:
        """The asker cannot take more for now."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume(self) -> None:
        self._is_paused = False
        self._transport.resume_reading()

    def abort(self) -> None:
        """The asker wants no more: the server sees that its client has left."""
        self._asker = None
        self._transport.abort()

    # Of the pool.

    @property
    def is_idle(self) -> bool:
        return self._asker is None

    def is_fresh(self, now: float) -> bool:
        return now - self._idle_since < KEEP_SECONDS and not self._transport.is_closing()

    # Of the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._pool.remember(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._pool.forget(self, self._place)
        asker, self._asker = self._asker, None
        if asker is None:
            return
        if self._is_until_close and error is None:
            asker.answer_ends()
            return
        is_stale = self._is_kept and self._is_untouched
        asker.answer_fails(self._place.failed(_explain(error, self._has_begun)), is_stale)

    def data_received(self, data: bytes) -> None:
        asker = self._asker
        if asker is None:
            self._transport.abort()
            return
        is_first, self._is_untouched = self._is_untouched, False
        if is_first and self._repeated is not None and self._head is not None:
            body = self._repeated.body_of(data)
            if body is not None:
                self._asker = None
                self._keep()
                asker.answer_is_whole(self._head, body)
                return
        if not self._has_begun:
            self._unread_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._is_complete:
                self._break(f"Its answer is not HTTP: {error.__context__ or error}")
                return
            self._is_clean = False
        if not self._has_begun and self._unread_bytes > HEAD_BYTES:
            self._break(f"Its answer is not HTTP: {TOO_LARGE}")
        elif self._is_complete:
            self._repeated = find_repeated(data) if is_first and self._is_clean else None
            self._end()
        elif self._asker is not None:
            self._asker.has_read()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._send_on()

    # Of the parser. An answer's end is told only once all that came with it has been looked at: whatever
    # follows it is nobody's answer.

    def on_message_begin(self) -> None:
        self._is_clean = not self._is_complete

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + LINE_BYTES
        if self._head_bytes > HEAD_BYTES:
            raise ValueError(TOO_LARGE)
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 100:
            raise ValueError(f"its status is {status}")
        self._is_interim = 100 <= status < 200
        if self._is_interim or self._is_complete or self._asker is None:
            return
        if any(value.lower() != b"chunked" for name, value in self._headers if name == b"transfer-encoding"):
            raise ValueError("its body is packed for the transfer")
        self._has_begun = True
        fields = dict(self._headers)
        is_chunked = b"transfer-encoding" in fields
        length = None if is_chunked or b"content-length" not in fields else int(fields[b"content-length"])
        if self._expects_no_body or status in (204, 304):
            length = length or 0
        self._is_until_close = length is None and not is_chunked
        self._head = AnswerHead(status, self._reason, self._headers, fields)
        self._asker.answer_begins(self._head, length)
        if self._expects_no_body:
            # The parser would wait for the body that such an answer describes and does not have.
            self._is_complete, self._is_clean = True, False

    def on_body(self, data: bytes) -> None:
        if self._asker is not None and not self._is_complete:
            self._asker.answer_goes_on(data)

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._reset()
        else:
            self._is_complete = True
            self._is_clean = self._is_clean and self._parser.should_keep_alive() and self._pieces is None

    # Its own.

    def _reset(self) -> None:
        self._reason = b""
        self._headers = []
        self._has_begun = False
        self._is_interim = False
        self._is_until_close = False
        self._is_complete = False
        self._is_clean = True
        self._head_bytes = self._unread_bytes = 0

    def _send_on(self) -> None:
        while self._may_write and self._pieces is not None:
            piece = next(self._pieces, None)
            if piece is None:
                self._pieces = None
            else:
                self._transport.write(piece)

    def _end(self) -> None:
        asker, self._asker = self._asker, None
        if self._is_clean:
            self._reset()
            self._keep()
        else:
            self._transport.abort()
        if asker is not None:
            asker.answer_ends()

    def _keep(self) -> None:
        if self._is_paused:
            self.resume()  # what came last was read before the pause
        self._is_kept = True
        self._idle_since = time.monotonic()
        self._place.idle.append(self)

    def _break(self, reason: str) -> None:
        asker, self._asker = self._asker, None
        self._transport.abort()
        if asker is not None:
            asker.answer_fails(self._place.failed(reason), is_stale=False)


class Pool:
    """Connections to every place. Of those that wait for a request the one that came back last goes first.

    Attribute to use: outbox, through which small requests leave.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self._connections: set[Connection] = set()

    def take(self, place: Place, now: float) -> Connection | None:
        """One that is ready, or None. now: of the monotonic clock."""
        idle = place.idle
        while idle:
            connection = idle.pop()
            if connection.is_fresh(now):
                return connection
            connection.abort()
        return None

    async def connect(self, place: Place) -> Connection:
        """A new one. Raises UpstreamFailed."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                transport, connection = await loop.create_connection(
                    lambda: Connection(self, place), place.host, place.port, ssl=place.tls
                )
        except TimeoutError as error:
            raise place.failed(f"No connection in {CONNECT_SECONDS:.0f} s") from error
        except OSError as error:
            raise place.failed(_name(error)) from error
        if place.upstream is not None:
            _watch_over(transport)
        return connection

    def remember(self, connection: Connection) -> None:
        self._connections.add(connection)

    def forget(self, connection: Connection, place: Place) -> None:
        self._connections.discard(connection)
        if connection in place.idle:
            place.idle.remove(connection)

    def close(self) -> None:
        """End those that wait for a request."""
        for connection in list(self._connections):
            if connection.is_idle:
                connection.abort()


def _name(error: OSError) -> str:
    """In the system's words, where it is one of the system's errors."""
    if error.errno is None or isinstance(error, ssl.SSLError | socket.gaierror):
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _watch_over(transport: asyncio.Transport) -> None:
    """Have the system find out that another machine has gone: its silence could be a long prompt."""
    found = transport.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEP_ALIVE.items():
        # Not every system has them all.
        if (number := getattr(socket, option, None)) is not None:
            found.setsockopt(socket.IPPROTO_TCP, number, value)


def _explain(error: Exception | None, has_begun: bool) -> str:
    when = "in the midst of its answer" if has_begun else "before it answered"
    return f"It closed the connection {when}" + (f" ({error})" if error else "")
