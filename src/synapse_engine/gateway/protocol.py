"""One client's connection: requests for a model go through the relay, all others to the application.

uvicorn's own protocol does the rest: page, API, keep-alive, the order of pipelined requests, the end.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import deque
from functools import partial
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from synapse_engine.errors import SynapseError
from synapse_engine.gateway.clients import client_name
from synapse_engine.gateway.dialect import dialect_of
from synapse_engine.gateway.endpoints import find_endpoint
from synapse_engine.gateway.errors import BadRequest, HeadTooLarge, RequestTimedOut
from synapse_engine.gateway.exchange import Exchange
from synapse_engine.gateway.framing import check_head, framing_lines
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.heads import RequestHead, find_repeated
from synapse_engine.gateway.offers import HeadAgain
from synapse_engine.gateway.plain import plain_answer
from synapse_engine.gateway.shortcut import Shortcut

HEAD_BYTES = 1 << 16
HEADERS = 100
# Between two pieces of a request; an answer may take as long as it takes.
STALL_SECONDS = 30.0
# How long a client is listened to that goes on sending what was refused: closing at once could destroy the
# answer.
LINGER_SECONDS = 2.0
AT_ONCE = struct.pack("ii", 1, 0)  # linger for no time at all: a reset

log = logging.getLogger(__name__)


class GatewayProtocol(HttpToolsProtocol):
    """Its own attributes are in slots, as together with uvicorn's they are too many to be found quickly."""

    __slots__ = (
        "gateway _running _relayed _idle_since _has_head _is_whole _chunk_bytes _unread_bytes _body_bytes"
        " _stall _is_head_timed _held _offered _is_deaf _refusal _head _shortcut"
    ).split()

    # One that is relayed stands where uvicorn has a cycle of its own.
    cycle: Any
    pipeline: deque[Any]

    def __init__(self, gateway: Gateway, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gateway = gateway
        self.url = b""
        self._running: Any = None
        self._idle_since = 0.0
        self._relayed: Exchange | Shortcut | None = None
        # Of the request that is being read. Unread is what came since the parser last had something to tell.
        self._has_head = True
        self._is_whole = True
        self._chunk_bytes = 0
        self._unread_bytes = 0
        self._body_bytes = 0
        self._stall: asyncio.TimerHandle | None = None
        self._is_head_timed = False
        # What came behind a whole request that is not answered yet, and is not looked at before.
        self._held = b""
        # Where a head offers to speak another protocol: the lines that frame the body behind it.
        self._offered: bytes | None = None
        # Nothing is read any more; the refusal is told once all before it is answered.
        self._is_deaf = False
        self._refusal: SynapseError | None = None
        # Of the last request, where it was relayed; and where the next one may be like it.
        self._head: RequestHead | None = None
        self._shortcut: Shortcut | None = None

    # Of the transport.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._rest()

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        if self._is_whole and self.cycle is not None:
            if not self.cycle.response_complete:
                self._hold(data)
                return
            if self._shortcut is not None and self._shortcut.take(data):
                self.cycle = self._running = self._relayed = self._shortcut
                return
        is_next = self._is_whole
        self._chunk_bytes = len(data)
        self._unread_bytes += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            if not self._is_deaf:
                self._refuse_unread(error)
        else:
            if self._stall is not None or not self._is_whole:
                self._watch()
            self._shortcut = self._find_shortcut(data) if is_next else None

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_stall()
        relayed, self._relayed = self._relayed, None
        if relayed is not None:
            relayed.client_left()
        for waiting, _ in self.pipeline:
            if isinstance(waiting, Exchange):
                waiting.client_left()
        self.pipeline.clear()
        if self._running is not None:
            self._running.disconnected = True  # uvicorn knows of the last one that was read alone
            self._running.message_event.set()
        self._unset_keepalive_if_required()
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
        if self._is_deaf:
            raise BrokenPipeError  # what came at once with a request that was refused
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._body_bytes = 0
        self._has_head = self._is_whole = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        # What still comes to the new list are trailers, which nobody wants.
        headers, self.headers = self.headers, []
        fields = dict(headers)
        self._measure_head(headers)
        version = self.parser.get_http_version()
        self.url = check_head(version, self.url, headers, fields)
        method = self.parser.get_method()
        endpoint = find_endpoint(method, self.url)
        if endpoint is None:
            self.gateway.check_size(int(fields.get(b"content-length", 0)))
        self._has_head, self._is_head_timed = True, False
        is_old = version == "1.0"  # such a client would not understand that it may go on
        self.expect_100_continue = not is_old and fields.get(b"expect", b"").lower() == b"100-continue"
        if self.parser.should_upgrade():
            self._offered = framing_lines(headers)
        if endpoint is None:
            self._leave_to_uvicorn(headers)
            return
        before = self.cycle
        keep_alive = self.parser.should_keep_alive()
        self._head = RequestHead(
            endpoint,
            method,
            self.url,
            headers,
            fields,
            client=client_name(
                self.client[0] if self.client else "", fields.get(b"user-agent", b"").decode("latin-1")
            ),
            refusal=self.gateway.refusal(fields),
            keep_alive=keep_alive,
            is_old=is_old,
        )
        exchange = self.cycle = Exchange(self.gateway, self, self._head)
        if before is None or before.response_complete:
            self._start_asgi_task(exchange, None)
        else:
            self.pipeline.appendleft((exchange, None))

    def on_body(self, body: bytes) -> None:
        self._unread_bytes = 0
        if isinstance(self.cycle, Exchange):
            self.cycle.feed(body)
        else:
            self._body_bytes += len(body)
            self.gateway.check_size(self._body_bytes)
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread_bytes = 0
        if self._offered is not None:
            return  # the parser takes what follows for that protocol's
        self._is_whole = True
        if isinstance(self.cycle, Exchange):
            self.cycle.is_asked()
        else:
            super().on_message_complete()

    # Of uvicorn's protocol, where it begins the next request of a connection.

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running = cycle
        if isinstance(cycle, Exchange):
            self._relayed = cycle
            cycle.begin()
        else:
            super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._rest()
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            self._tell_refusal(refusal)
        elif self._held:
            held, self._held = self._held, b""
            self.data_received(held)

    def timeout_keep_alive_handler(self) -> None:
        is_busy = not self._is_whole or (self.cycle is not None and not self.cycle.response_complete)
        idle_seconds = 0.0 if is_busy else self.loop.time() - self._idle_since
        if idle_seconds < self.timeout_keep_alive:
            self._look_again_in(self.timeout_keep_alive - idle_seconds)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        self.gateway.outbox.flush()
        super().shutdown()

    # Of the exchange and the shortcut.

    def is_answered_by(self, exchange: Exchange) -> None:
        """What has begun as a shortcut goes on as one of these."""
        self.cycle = self._running = self._relayed = exchange

    def write(self, data: bytes) -> None:
        self.gateway.outbox.write(self.transport, data)

    def shortcut_ends(self) -> None:
        """The answer is written, and the connection goes on."""
        self._relayed = None
        self.on_response_complete()

    def exchange_ends(self, *, may_keep: bool, is_unread: bool) -> None:
        """The answer is written. is_unread: the client may still be sending what nobody will read."""
        self._relayed = None
        if not may_keep:
            self._close(linger=is_unread)
        self.on_response_complete()

    def cut(self, *, has_no_length: bool) -> None:
        """End the connection in the midst of an answer. has_no_length: its end must not look orderly."""
        self.gateway.outbox.flush()
        if has_no_length:
            self.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, AT_ONCE)
        self.transport.close()

    def refuse(self, error: SynapseError) -> None:
        """Answer what cannot be understood, and close; never into the midst of another answer."""
        self._end_stall()
        self._is_deaf = True
        if self._has_head and not self._is_whole:
            self._refuse_body(error)
            return
        if self.cycle is None or self.cycle.response_complete:
            self._tell_refusal(error)
        else:
            self._refusal = error

    # Its own.

    def _rest(self) -> None:
        """Nothing is asked. One timer at a time for each connection: most requests come before it ends."""
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_again_in(self.timeout_keep_alive)

    def _look_again_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _find_shortcut(self, data: bytes) -> Shortcut | None:
        """For requests like this one, where it was whole and for the relay."""
        head = self._head
        if head is None or not head.may_come_again:
            return None
        repeated = find_repeated(data)
        return Shortcut(self.gateway, self, head, repeated) if repeated is not None else None

    def _refuse_unread(self, error: httptools.HttpParserError) -> None:
        """What the parser has stopped at, or what one of its callbacks has."""
        reason = error.__context__
        if isinstance(reason, SynapseError):
            self.refuse(reason)
        elif isinstance(error, httptools.HttpParserCallbackError):
            raise error  # a defect of ours: the loop writes it down and ends the connection
        else:
            self.refuse(BadRequest("The request is not HTTP", str(error)))

    def _refuse_body(self, error: SynapseError) -> None:
        """The head is good, and so the request may be under way or waiting for its turn."""
        cycle = self.cycle
        if self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
            cycle.response_complete = True
            self._refusal = error
        elif cycle.response_complete:
            self._close(linger=True)
        elif isinstance(cycle, Exchange):
            cycle.refuse(error)
        elif cycle.response_started:
            self.transport.abort()
        else:
            # The application hears that its client is gone: whatever it may still say is not sent.
            cycle.disconnected = True
            cycle.message_event.set()
            self._tell_refusal(error)

    def _tell_refusal(self, error: SynapseError) -> None:
        path = self.url.partition(b"?")[0].decode("latin-1")
        self.write(plain_answer(dialect_of(path), error, self.server_state.default_headers))
        self._close(linger=True)

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                self._pass_over_offer()

    def _pass_over_offer(self) -> None:
        """Go on with HTTP behind a head that offers another protocol.

        The parser would not, so another takes its place, and is told again what frames the body.
        """
        framing, self._offered = self._offered or b"", None
        self.parser = httptools.HttpRequestParser(HeadAgain(self))
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)

    def _hold(self, data: bytes) -> None:
        """Keep the next request for later. Reading goes on, so that a client that leaves is noticed."""
        self._held += data
        if len(self._held) > HEAD_BYTES:
            self.flow.pause_reading()

    def _measure_head(self, headers: list[tuple[bytes, bytes]]) -> None:
        # Most are small: where all that came at once is, nothing has to be added up.
        came_bytes, self._unread_bytes = self._unread_bytes + self._chunk_bytes, 0
        if len(headers) > HEADERS or (came_bytes > HEAD_BYTES and _size(self.url, headers) > HEAD_BYTES):
            raise HeadTooLarge(HEAD_BYTES)

    def _leave_to_uvicorn(self, headers: list[tuple[bytes, bytes]]) -> None:
        """What is not relayed: from here on as if it had been uvicorn's all along."""
        self._head = None
        url, expects = self.url, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()
        self.headers = []
        if self.pipeline:
            self.flow.resume_reading()  # uvicorn has paused it; see _hold

    def _close(self, *, linger: bool) -> None:
        self.gateway.outbox.flush()
        if not linger or self.transport.is_closing():
            self.transport.close()
            return
        self._is_deaf = True
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _watch(self) -> None:
        """A request that has begun is to go on, and a head to come to its end, in time and within its size.

        Most come whole, so that nothing has to be watched.
        """
        if self._unread_bytes > HEAD_BYTES:
            self.refuse(HeadTooLarge(HEAD_BYTES))
        elif self._stall is None or self._has_head or not self._is_head_timed:
            self._end_stall()
            if not self._is_whole and not self._is_deaf and not self.flow.read_paused:
                self._is_head_timed = not self._has_head
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


def protocol_class(gateway: Gateway) -> type[asyncio.Protocol]:
    """What uvicorn makes one of for every connection."""
    return cast(type[asyncio.Protocol], partial(GatewayProtocol, gateway))
