"""The guard before every route of the application."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from synapse_engine.api.errors import answer
from synapse_engine.gateway.access import Access, Refused
from synapse_engine.settings import Settings


class Guard:
    """ASGI middleware that answers 401 or 403 itself and lets the rest through."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._access = Access(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._access.check(scope["scheme"], scope["path"], headers)
        except Refused as refusal:
            await answer(scope["path"], headers, refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)
