"""The OpenAI endpoints: to a running model by name."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from synapse_engine.catalog.registry import Registry
from synapse_engine.errors import BadRequest
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.state import State
from synapse_engine.gateway.relay import Relay

RELAYED = {
    "/v1/chat/completions": "Chat with a running model",
    "/v1/completions": "Complete a text with a running model",
    "/v1/embeddings": "Embed texts with a running embedding model",
}
_JSON_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


class _Named(msgspec.Struct):
    """All that the gateway reads of a body; the rest passes as it is."""

    model: str | None = None


class RelayedResponse(Response):
    """An answer whose bytes go straight from server to client, under a lease."""

    def __init__(
        self, fleet: Fleet, session: aiohttp.ClientSession, model_id: str, request: Request, body: bytes
    ) -> None:
        self._fleet = fleet
        self._session = session
        self._model_id = model_id
        self._request = request
        self._asked = body
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        url = self._request.url
        path = f"{url.path}?{url.query}" if url.query else url.path
        with self._fleet.lease(self._model_id) as lease:
            relay = Relay(self._session, lease, receive, send)
            await relay.forward(self._request.method, path, self._request.headers.raw, self._asked)


def openai_router(registry: Registry, fleet: Fleet, session: aiohttp.ClientSession) -> APIRouter:
    """The dialect's routes over one registry and one fleet."""
    router = APIRouter(tags=["OpenAI"])

    async def relay(request: Request) -> Response:
        body = await request.body()
        entry = registry.resolve(requested_model(body))
        return RelayedResponse(fleet, session, entry.model_id, request, body)

    for path, summary in RELAYED.items():
        router.add_api_route(
            path, relay, methods=["POST"], summary=summary, response_class=Response, openapi_extra=_JSON_BODY
        )

    @router.get("/v1/models", summary="Enabled and running models")
    async def list_models() -> dict[str, Any]:
        return model_list(registry, fleet)

    return router


def requested_model(body: bytes) -> str:
    """The name in the body's `model`. Raises BadRequest."""
    try:
        name = msgspec.json.decode(body, type=_Named).model
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest("The body is not the JSON that was expected", str(error)) from error
    if not name:
        raise BadRequest("No model named", "Say which in the body's `model`; GET /v1/models lists them.")
    return name


def model_list(registry: Registry, fleet: Fleet) -> dict[str, Any]:
    """Enabled and running models in OpenAI's shape, each with its status beside it."""
    created = int(registry.last_scan.timestamp()) if registry.last_scan else 0
    data = []
    for model_id, entry in registry.entries.items():
        server = fleet.servers.get(model_id)
        state = server.state if server else State.STOPPED
        if entry.choices.enabled or state is State.READY:
            status = "running" if state is State.READY else str(state)
            data.append(
                {
                    "id": model_id,
                    "object": "model",
                    "created": created,
                    "owned_by": "synapse-engine",
                    "status": status,
                }
            )
    return {"object": "list", "data": data}
