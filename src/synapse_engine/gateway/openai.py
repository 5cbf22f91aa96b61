"""The OpenAI endpoints' own answers, and in the documentation those that the relay answers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from synapse_engine.catalog.registry import Registry
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.state import State

RELAYED = {
    "/v1/chat/completions": "Chat with a model",
    "/v1/completions": "Complete a text with a model",
    "/v1/embeddings": "Embed texts with an embedding model",
    "/v1/rerank": "Rank documents with a reranking model",
    "/v1/responses": "Chat with a model, in the shape of OpenAI's responses",
    "/v1/messages": "Chat with a model, in Anthropic's shape",
    "/v1/messages/count_tokens": "Count the tokens of a chat, in Anthropic's shape",
}
_JSON_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


def openai_router(registry: Registry, fleet: Fleet) -> APIRouter:
    """The dialect's routes over one registry and one fleet."""
    router = APIRouter(tags=["OpenAI"])

    async def relayed() -> Response:
        raise AssertionError("The connection's protocol takes these before any route is looked for.")

    for path, summary in RELAYED.items():
        router.add_api_route(
            path,
            relayed,
            methods=["POST"],
            summary=summary,
            response_class=Response,
            openapi_extra=_JSON_BODY,
        )

    @router.get("/v1/models", summary="Enabled and running models")
    async def list_models() -> dict[str, Any]:
        return model_list(registry, fleet)

    return router


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
