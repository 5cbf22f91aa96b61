"""One client's connection: requests for a model go through the relay, all others to the application.

uvicorn's own protocol does the rest: page, API, keep-alive, the order of pipelined requests, the end.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from synapse_engine.errors import BadRequest, HeadTooLarge, RequestTimedOut, SynapseError
from synapse_engine.gateway.dialect import dialect_of
from synapse_engine.gateway.endpoints import find_endpoint
from synapse_engine.gateway.exchange import Exchange, plain_answer
from synapse_engine.gateway.gateway import Gateway

HEAD_BYTES = 1 << 16
HEADERS = 100
# Between two pieces of a request; an answer may take as long as it takes.
STALL_SECONDS = 30.0
# How long a client is listened to that goes on sending what was refused: closing at once could destroy the
# answer.
LINGER_SECONDS = 2.0

log = logging.getLogger(__name__)


class GatewayProtocol(HttpToolsProtocol):
    """`gateway` is the one of a subclass that `protocol_class` makes."""

    gateway: Gateway
    # One that is relayed stands where uvicorn has a cycle of its own.
    cycle: Any
    pipeline: deque[Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.url = b""
        self._relayed: Exchange | None = None
        self._chunk_bytes = 0
        self._head_bytes = 0
        self._has_head = True
        self._is_whole = True
        self._is_lingering = False
        self._stall: asyncio.TimerHandle | None = None
        self._name: tuple[bytes, str] = b"", ""

    # Of the transport.

    def data_received(self, data: bytes) -> None:
        if self._is_lingering:
            return
        self._unset_keepalive_if_required()
        self._chunk_bytes = len(data)
        self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.refuse(BadRequest("No such protocol here", "This address speaks HTTP/1.1 alone."))
        except httptools.HttpParserError as error:
            reason = error.__context__ if isinstance(error.__context__, SynapseError) else None
            self.refuse(reason or BadRequest("The request is not HTTP", str(error)))
        else:
            if not self._has_head and self._head_bytes > 2 * HEAD_BYTES:
                self.refuse(HeadTooLarge(HEAD_BYTES))
            if self._stall is not None or not self._is_whole:
                self._watch_for_stall()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_stall()
        relayed, self._relayed = self._relayed, None
        if relayed is not None:
            relayed.client_left()
        for waiting, _ in self.pipeline:
            if isinstance(waiting, Exchange):
                waiting.client_left()
        self.pipeline.clear()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._relayed is not None:
            self._relayed.client_is_slow()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._relayed is not None:
            self._relayed.client_keeps_up()

    # Of the parser.

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        # At most: of what came at once, not all may belong to this head.
        self._head_bytes = self._chunk_bytes
        self._has_head = self._is_whole = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        headers = self.headers
        fields = dict(headers)
        self._check_head(fields)
        self._has_head = True
        self.expect_100_continue = fields.get(b"expect", b"").lower() == b"100-continue"
        method = self.parser.get_method()
        endpoint = find_endpoint(method, self.url)
        if endpoint is None:
            self._leave_to_uvicorn()
            return
        before = self.cycle
        is_old = self.parser.get_http_version() == "1.0"
        keep_alive = self.parser.should_keep_alive()
        exchange = self.cycle = Exchange(
            self.gateway,
            self,
            endpoint,
            method,
            self.url,
            headers,
            fields,
            keep_alive=keep_alive,
            is_old=is_old,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(exchange, None)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, None))

    def on_body(self, body: bytes) -> None:
        if isinstance(self.cycle, Exchange):
            self.cycle.feed(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_whole = True
        if isinstance(self.cycle, Exchange):
            self.cycle.is_asked()
        else:
            super().on_message_complete()

    # Of uvicorn's protocol, where it begins the next request of a connection.

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if isinstance(cycle, Exchange):
            self._relayed = cycle
            cycle.begin()
        else:
            super()._start_asgi_task(cycle, app)

    # Of the exchange.

    def name(self, fields: dict[bytes, bytes]) -> str:
        """Whom fairness counts as one: an address and a program on it."""
        agent = fields.get(b"user-agent", b"")
        if self._name[0] != agent or not self._name[1]:
            host = self.client[0] if self.client else ""
            self._name = agent, f"{host} {agent.decode('latin-1')[:80]}".rstrip()
        return self._name[1]

    def exchange_ends(self, *, may_keep: bool, is_unread: bool) -> None:
        """The answer is written. is_unread: the client may still be sending what nobody will read."""
        self._relayed = None
        if not may_keep:
            self._close(linger=is_unread)
        self.on_response_complete()

    def refuse(self, error: SynapseError) -> None:
        """Answer what cannot be understood, and close; never into the midst of another answer."""
        self._end_stall()
        last = self.cycle
        if self._has_head and not self._is_whole:
            if last is self._relayed and last is not None:
                last.refuse(error)
            else:
                self.transport.abort()
        elif last is None or last.response_complete:
            path = self.url.partition(b"?")[0].decode("latin-1")
            self.transport.write(plain_answer(dialect_of(path), error, self.server_state.default_headers))
            self._close(linger=True)
        else:
            last.keep_alive = False
            self._is_lingering = True

    # Its own.

    def _check_head(self, fields: dict[bytes, bytes]) -> None:
        """Raises BadRequest, HeadTooLarge."""
        headers = self.headers
        if len(headers) > HEADERS or (
            self._head_bytes > HEAD_BYTES and _size(self.url, headers) > HEAD_BYTES
        ):
            raise HeadTooLarge(HEAD_BYTES)
        # A name that comes twice makes the one smaller than the other.
        is_twice = len(fields) < len(headers) and sum(name == b"host" for name, _ in headers) > 1
        is_missing = b"host" not in fields and self.parser.get_http_version() != "1.0"
        if is_twice or is_missing:
            raise BadRequest("The request is not HTTP", "It has to have one Host header.")
        if not self.url.startswith(b"/"):
            raise BadRequest("The request is not HTTP", "Its target is not a path.")

    def _leave_to_uvicorn(self) -> None:
        """What is not relayed: from here on as if it had been uvicorn's all along."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def _close(self, *, linger: bool) -> None:
        if not linger or self.transport.is_closing():
            self.transport.close()
            return
        self._is_lingering = True
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _watch_for_stall(self) -> None:
        """A request that has begun is to go on; most come whole, so that nothing has to be watched."""
        self._end_stall()
        if not self._is_whole and not self._is_lingering and not self.flow.read_paused:
            self._stall = self.loop.call_later(STALL_SECONDS, self._has_stalled)

    def _has_stalled(self) -> None:
        self._stall = None
        if not self._is_whole and not self.transport.is_closing():
            self.refuse(RequestTimedOut(STALL_SECONDS))

    def _end_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def protocol_class(gateway: Gateway) -> type[GatewayProtocol]:
    """What uvicorn makes one of for every connection."""
    return type("WiredGatewayProtocol", (GatewayProtocol,), {"gateway": gateway})
