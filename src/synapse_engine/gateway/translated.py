"""Requests that a coroutine translates: recorded and seated as relayed ones, and ended with their client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from synapse_engine.errors import SynapseError
from synapse_engine.gateway.activity import Call, Outcome
from synapse_engine.gateway.asking import Asking, outcome_of
from synapse_engine.gateway.body import Body
from synapse_engine.gateway.clients import asker_of, until_left
from synapse_engine.gateway.dialect import Dialect, error_body, error_headers
from synapse_engine.gateway.errors import CallCancelled
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.headers import UNGATHERED

NDJSON = b"application/x-ndjson"
JSON = b"application/json"


async def read_body(gateway: Gateway, request: Request) -> bytes:
    """Raises BodyTooLarge, CouldNotSave."""
    body = Body(gateway.spool_folder, gateway.body_max_bytes)
    try:
        async for piece in request.stream():
            body.feed(piece)
        return body.whole()
    finally:
        body.close()


Work = Callable[[Asking], AsyncGenerator[dict[str, Any]]]


class Translated(Response):
    """The records that `work` makes: each a line as it comes, or the only one as a whole."""

    def __init__(self, gateway: Gateway, request: Request, dialect: Dialect, work: Work, *, is_stream: bool):
        super().__init__()
        self._gateway = gateway
        self._dialect = dialect
        self._work = work
        self._is_stream = is_stream
        self._request = request
        self._has_begun = False
        self._is_cancelled = False
        self._outcome = Outcome.CLIENT_LEFT

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Until the work is done or the client has left; a defect in the work is raised."""
        asker = asker_of(self._request)
        call = self._gateway.activity.begin(
            scope["path"], self._dialect, asker.client, lambda: self._cancel(working)
        )
        call.is_stream = self._is_stream
        asking = Asking(self._gateway, call, asker)
        working = asyncio.create_task(self._answer(asking, send), name=f"{self._dialect} request")
        leaving = asyncio.create_task(until_left(receive))
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            working.cancel()
            await asyncio.wait({working, leaving})
            self._gateway.activity.end(call, self._outcome)
        if not working.cancelled():
            working.result()

    def _cancel(self, working: asyncio.Task[None]) -> None:
        self._is_cancelled = True
        working.cancel()

    async def _answer(self, asking: Asking, send: Send) -> None:
        try:
            async with aclosing(self._work(asking)) as records:
                async for record in records:
                    await self._tell(asking.call, record, send)
            await send({"type": "http.response.body", "body": b""})
            self._outcome = Outcome.OK
        except SynapseError as error:
            self._outcome = outcome_of(error)
            await self._fail(asking.call, error, send)
        except asyncio.CancelledError:
            if not self._is_cancelled:
                raise
            self._outcome = Outcome.CANCELLED
            await self._fail(asking.call, CallCancelled(), send)

    async def _tell(self, call: Call, record: dict[str, Any], send: Send) -> None:
        data = msgspec.json.encode(record)
        if self._is_stream:
            data += b"\n"
        if not self._has_begun:
            headers = [(b"content-type", NDJSON), UNGATHERED]
            if not self._is_stream:
                headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(data))]
            call.status = 200
            await self._begin(200, headers, send)
        call.bytes_out += len(data)
        await send({"type": "http.response.body", "body": data, "more_body": True})

    async def _fail(self, call: Call, error: SynapseError, send: Send) -> None:
        """As the answer, or as the last line of one that has begun."""
        call.error = str(error)
        data = msgspec.json.encode(error_body(self._dialect, error)) + b"\n"
        if not self._has_begun:
            call.status = error.status
            headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(data))]
            headers += [(name.lower().encode(), text.encode()) for name, text in error_headers(error).items()]
            await self._begin(error.status, headers, send)
        await send({"type": "http.response.body", "body": data})

    async def _begin(self, status: int, headers: list[tuple[bytes, bytes]], send: Send) -> None:
        self._has_begun = True
        await send({"type": "http.response.start", "status": status, "headers": headers})
