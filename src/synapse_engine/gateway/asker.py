"""Models, asked by our own modes: by name, in line with everybody else, and recorded like everybody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec

from synapse_engine.errors import SynapseError
from synapse_engine.gateway.activity import Call, Outcome
from synapse_engine.gateway.asking import Asking, Sent, outcome_of
from synapse_engine.gateway.body import in_memory
from synapse_engine.gateway.dialect import Dialect
from synapse_engine.gateway.errors import BadRequest, CallCancelled
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.line import Asker as Client
from synapse_engine.gateway.usage import read_usage
from synapse_engine.modes.asking import Figures, Order, Piece

CHAT = b"/v1/chat/completions"

T = TypeVar("T")


class GatewayAsker:
    """Asks on behalf of a client: in the records it is `client`, and `path` says for what it was.

    Fairness counts all that it asks as that client's.
    """

    def __init__(self, gateway: Gateway, client: str, path: str, *, priority: int = 1) -> None:
        self._gateway = gateway
        self._client = Client(client, priority)
        self._path = path

    async def ask(self, model: str, order: Order) -> AsyncGenerator[Piece | Figures]:
        """As `modes.asking.Asker` has it."""
        interruption = _Interruption()
        activity = self._gateway.activity
        call = activity.begin(self._path, Dialect.OURS, self._client.client, interruption.end_it)
        call.asked, call.is_stream = model, True
        outcome, answer = Outcome.CLIENT_LEFT, _Answer()
        try:
            async with aclosing(self._events(call, model, order, interruption)) as events:
                async for event in events:
                    if piece := answer.read(event):
                        yield piece
            outcome = Outcome.OK
        except SynapseError as error:
            call.error, outcome = str(error), outcome_of(error)
            raise
        finally:
            activity.end(call, outcome)
        yield _figures(call, answer)

    async def _events(
        self, call: Call, model: str, order: Order, interruption: _Interruption
    ) -> AsyncGenerator[dict[str, Any]]:
        body = _body(model, order)
        data = msgspec.json.encode(body)
        call.bytes_in = len(data)
        target = self._gateway.names.find(model, in_memory(data))
        if target.mode is not None:
            raise BadRequest("A mode cannot ask a mode", "Name models, variants or upstreams.")
        asking = Asking(self._gateway, call, self._client)
        seat = await interruption.guard(lambda: asking.seat(target, Sent(len(data), data)))
        is_lost = False
        try:
            async with aclosing(asking.events(seat, target, CHAT, body)) as events:
                while (event := await interruption.guard(lambda: anext(events, None))) is not None:
                    yield event
        except SynapseError as error:
            is_lost = outcome_of(error) is Outcome.SERVER_LOST
            raise
        finally:
            seat.release(is_lost=is_lost)


class _Answer:
    """What of a server's events is for a mode."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.first_token: float | None = None  # of the monotonic clock

    def read(self, event: dict[str, Any]) -> Piece | None:
        choices = event.get("choices")
        if not choices:
            return None
        self.finish_reason = choices[0].get("finish_reason") or self.finish_reason
        delta = choices[0].get("delta") or {}
        # llama-server's word for thoughts, and that of others.
        thinking = delta.get("reasoning_content") or delta.get("reasoning") or ""
        piece = Piece(delta.get("content") or "", thinking if isinstance(thinking, str) else "")
        if not (piece.text or piece.thinking):
            return None
        if self.first_token is None:
            self.first_token = time.monotonic()
        return piece


class _Interruption:
    """Ends from outside what is waited for here, and never what the same task does elsewhere."""

    def __init__(self) -> None:
        self._is_over = False
        self._scope: asyncio.Timeout | None = None

    def end_it(self) -> None:
        self._is_over = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def guard(self, work: Callable[[], Awaitable[T]]) -> T:
        """Raises CallCancelled, besides what the work raises."""
        if self._is_over:
            raise CallCancelled()
        try:
            # A time limit is what breaks off a single wait; this one's time has come when `end_it` says so.
            async with asyncio.timeout(None) as self._scope:
                return await work()
        except TimeoutError:
            if not self._is_over:
                raise
            raise CallCancelled() from None
        finally:
            self._scope = None


def _body(model: str, order: Order) -> dict[str, Any]:
    return {
        **order.options,
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in order.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _figures(call: Call, answer: _Answer) -> Figures:
    """Of a call that was answered whole."""
    assert call.seated is not None and call.ended is not None
    usage = read_usage(call.tail, call.head)
    return Figures(
        model_id=call.model_id,
        server_id=call.server_id,
        queue_seconds=max(0.0, call.seated - call.began - call.load_seconds),
        load_seconds=call.load_seconds,
        first_token_seconds=None if answer.first_token is None else answer.first_token - call.seated,
        total_seconds=call.ended - call.seated,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        prompt_per_second=usage.prompt_per_second,
        output_per_second=usage.output_per_second,
        finish_reason=answer.finish_reason,
    )
