"""The way of the commonest request: the next one of its connection, for a model that is ready and free.

It has come whole and with the head of the last one, and so has its answer. Then little is left to do for it.
Whatever comes otherwise goes on as an exchange: before it is sent to a server as a request like any other,
afterwards from where it stands.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from synapse_engine.errors import SynapseError, UpstreamFailed
from synapse_engine.gateway.activity import HEAD_BYTES, TAIL_BYTES, Call, Outcome, Stage
from synapse_engine.gateway.body import read_asked
from synapse_engine.gateway.exchange import Exchange
from synapse_engine.gateway.heads import AnswerHead, Repeated, RequestHead
from synapse_engine.gateway.line import Seat
from synapse_engine.gateway.names import Target
from synapse_engine.gateway.upstream import Connection, message

if TYPE_CHECKING:
    from synapse_engine.gateway.gateway import Gateway
    from synapse_engine.gateway.protocol import GatewayProtocol

# Members of an enum are looked up by a function in Python.
OK, SENT = Outcome.OK, Stage.SENT


class Shortcut:
    """For all requests of one connection that have the same head, one at a time."""

    message_event = asyncio.Event()

    __slots__ = (
        "keep_alive response_complete disconnected"
        " _gateway _client _head _repeated _body _call _target _seat _upstream"
    ).split()

    def __init__(
        self, gateway: Gateway, client: GatewayProtocol, head: RequestHead, repeated: Repeated
    ) -> None:
        # What uvicorn asks a request-response cycle of its own.
        self.keep_alive = True
        self.response_complete = True
        self.disconnected = False
        self._gateway = gateway
        self._client = client
        self._head = head
        self._repeated = repeated
        self._body = b""
        self._call: Call
        self._target: Target
        self._seat: Seat
        self._upstream: Connection | None = None

    def take(self, data: bytes) -> bool:
        """Whether this is such a request, which is then on its way; else nothing has happened."""
        body = self._repeated.body_of(data)
        gateway = self._gateway
        if body is None or len(body) > gateway.body_max_bytes or self._client.flow.write_paused:
            return False
        try:
            asked = read_asked(body)
            target = gateway.names.known(asked.model)
            if target is None or target.changes is not None or target.remote is not None:
                return False
            seat = gateway.lines.seat_now(target, body)
        except SynapseError:
            return False
        if seat is None:
            return False
        connection = gateway.pool.take(seat.place, time.monotonic())
        if connection is None:
            seat.release()
            return False
        head = self._head
        call = gateway.activity.begin(head.path, head.endpoint.dialect, head.client, self.cancel)
        call.asked, call.is_stream, call.bytes_in = asked.model or "", asked.stream is True, len(body)
        call.model_id, call.server_id, call.variant = seat.model_id, seat.server_id, target.variant
        call.seated, call.stage = call.began, SENT
        self._call, self._target, self._seat, self._upstream = call, target, seat, connection
        self._body = body
        self.response_complete = False
        request = message(head.method, seat.place, head.url, head.lines, len(body), body)
        connection.ask(self, request, expects_no_body=False)
        return True

    def answer_is_whole(self, head: AnswerHead, body: bytes) -> None:
        if head.status >= 400 or not (self.keep_alive and head.has_body):
            self._upstream = None
            self._go_on().answer_is_whole(head, body)
            return
        call = self._call
        call.status = head.status
        call.first_byte = time.monotonic()
        call.bytes_out = len(body)
        call.head, call.tail = body[:HEAD_BYTES], body[-TAIL_BYTES:]
        # Before the write, within which a client may turn out to be slow.
        self.response_complete = True
        client = self._client
        common = self._gateway.common_headers(client.server_state.default_headers, self._head.origin)
        client.write(b"%b%bcontent-length: %d\r\n\r\n%b" % (head.lines, common, len(body), body))
        self._body = b""
        self._seat.release()
        self._gateway.activity.end(call, OK)
        client.shortcut_ends()

    # All else is an exchange's.

    def answer_begins(self, head: AnswerHead, length: int | None) -> None:
        self._go_on().answer_begins(head, length)

    def answer_goes_on(self, data: bytes) -> None:
        self._go_on().answer_goes_on(data)

    def answer_ends(self) -> None:
        self._go_on().answer_ends()

    def answer_fails(self, error: UpstreamFailed, is_stale: bool) -> None:
        self._upstream = None
        self._go_on().answer_fails(error, is_stale)

    def has_read(self) -> None:
        """Nothing of an answer has come."""

    def client_left(self) -> None:
        self._go_on().client_left()

    def client_is_slow(self) -> None:
        if not self.response_complete:
            self._go_on().client_is_slow()

    def client_keeps_up(self) -> None:
        if not self.response_complete:
            self._go_on().client_keeps_up()

    def cancel(self) -> None:
        self._go_on().cancel()

    def _go_on(self) -> Exchange:
        exchange = Exchange(self._gateway, self._client, self._head)
        exchange.keep_alive = self.keep_alive
        exchange.take_over(self._call, self._body, self._target, self._seat, self._upstream)
        self._body, self._upstream = b"", None
        self._client.is_answered_by(exchange)
        return exchange
