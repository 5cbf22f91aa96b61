"""One request of ours to a model: seated and recorded as relayed ones are, its answer read as it comes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from synapse_engine.errors import NoAnswer, SynapseError, UpstreamFailed
from synapse_engine.gateway.activity import HEAD_BYTES, TAIL_BYTES, Call, Outcome, Stage
from synapse_engine.gateway.errors import CallCancelled, ServerRefused
from synapse_engine.gateway.fields import NOT_JSON
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.lines import Asker, Seat
from synapse_engine.gateway.names import Target
from synapse_engine.gateway.question import prefix_of
from synapse_engine.gateway.reply import Reply
from synapse_engine.gateway.sse import Events
from synapse_engine.gateway.usage import read_error, refusal_of


@dataclass(frozen=True)
class Sent:
    """What a client sent. size: in bytes. data: all of it; empty where it is large."""

    size: int
    data: bytes


class Asking:
    """What a translation or a mode asks through. Attributes: call, to fill in; asker, to read."""

    def __init__(self, gateway: Gateway, call: Call, asker: Asker) -> None:
        self.call = call
        self.asker = asker
        self._gateway = gateway

    async def seat(self, target: Target, sent: Sent) -> Seat:
        """Raises what Lines.seat raises."""
        lines, call = self._gateway.lines, self.call
        if len(target.model_ids) == 1:
            call.model_id = target.model_ids[0]
        prefix = prefix_of(sent.data) if lines.has_replicas(target) else None
        asker = replace(self.asker, prefix=prefix)
        seat = lines.seat_now(target, sent.data) or await lines.seat(target, asker)
        call.seated, call.load_seconds = time.monotonic(), seat.load_seconds
        call.model_id, call.server_id, call.variant = seat.model_id, seat.server_id, target.variant
        return seat

    async def events(
        self, seat: Seat, target: Target, path: bytes, order: dict[str, Any]
    ) -> AsyncGenerator[dict[str, Any]]:
        """The server's answer as it streams it. Raises ServerRefused, UpstreamFailed."""
        events = Events()
        async with aclosing(self._pieces(seat, target, path, order)) as pieces:
            async for piece in pieces:
                for data in events.feed(piece):
                    event = _object(data)
                    if "error" in event:
                        raise ServerRefused(500, read_error(data) or str(event["error"]))
                    yield event

    async def whole(self, seat: Seat, target: Target, path: bytes, order: dict[str, Any]) -> dict[str, Any]:
        """The server's answer in one. Raises ServerRefused, UpstreamFailed."""
        async with aclosing(self._pieces(seat, target, path, order)) as pieces:
            return _object(b"".join([piece async for piece in pieces]))

    async def _pieces(
        self, seat: Seat, target: Target, path: bytes, order: dict[str, Any]
    ) -> AsyncGenerator[bytes]:
        body = msgspec.json.encode(order)
        if target.changes is not None:
            body = target.changes(body, path)
        reply = Reply(self._gateway.pool, seat.place)
        self.call.stage = Stage.SENT
        try:
            await reply.ask(b"POST", path, body)
            self.call.status, self.call.stage = reply.status, Stage.ANSWERING
            if reply.status >= 400:
                raise refusal_of(reply.status, await reply.whole())
            async for piece in reply.pieces():
                self._note(piece)
                yield piece
        finally:
            reply.close()

    def _note(self, piece: bytes) -> None:
        call = self.call
        if call.first_byte is None:
            call.first_byte = time.monotonic()
            call.head = piece[:HEAD_BYTES]
        call.tail = (call.tail + piece)[-TAIL_BYTES:]


def outcome_of(error: SynapseError | None) -> Outcome:
    """How a request ended that ended in this."""
    if error is None:
        return Outcome.OK
    if isinstance(error, CallCancelled):
        return Outcome.CANCELLED
    if isinstance(error, UpstreamFailed):
        return Outcome.SERVER_LOST
    return Outcome.ERROR if isinstance(error, ServerRefused | NoAnswer) else Outcome.REFUSED


def _object(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except NOT_JSON as error:
        raise UpstreamFailed(f"Its answer is not the JSON that was expected: {error}") from error
