"""The OpenAI endpoints' own answers, and in the documentation those that the relay answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.responses import Response

from synapse_engine.gateway.dialect import ANTHROPIC_VERSION, Dialect
from synapse_engine.gateway.documented import JSON_BODY, refusals
from synapse_engine.gateway.encoded import Encoded
from synapse_engine.gateway.listing import AnyListed, Listed, ListedMode, ListedRemote, Listing

Version = Annotated[str | None, Header(alias=ANTHROPIC_VERSION)]

OURS = "synapse-engine"

RELAYED = {
    "/v1/chat/completions": "Chat with a model",
    "/v1/completions": "Complete a text with a model",
    "/v1/embeddings": "Embed texts with an embedding model",
    "/v1/rerank": "Rank documents with a reranking model",
    "/v1/responses": "Chat with a model, in the shape of OpenAI's responses",
    "/v1/responses/input_tokens": "Count the tokens of a chat, in the shape of OpenAI's responses",
    "/v1/chat/completions/input_tokens": "Count the tokens of a chat",
    "/v1/messages": "Chat with a model, in Anthropic's shape",
    "/v1/messages/count_tokens": "Count the tokens of a chat, in Anthropic's shape",
}


def openai_router(listing: Listing) -> APIRouter:
    """The dialect's own routes; its list serves Anthropic's clients too, which say that they are such."""
    router = APIRouter(
        tags=["OpenAI"], default_response_class=Encoded, responses=refusals(Dialect.OPENAI, 404, 409)
    )

    async def relayed() -> Response:
        raise AssertionError("The connection's protocol takes these before any route is looked for.")

    for path, summary in RELAYED.items():
        router.add_api_route(
            path,
            relayed,
            methods=["POST"],
            summary=summary,
            response_class=Response,
            openapi_extra=JSON_BODY,
        )

    # A HEAD is what some monitors ask with: the server leaves the body out.
    @router.head("/v1/models", include_in_schema=False)
    @router.get("/v1/models", summary="Enabled and running models, with their variants")
    async def list_models(anthropic_version: Version = None) -> Encoded:
        listed = await listing.everything()
        if anthropic_version is not None:
            return Encoded(anthropic_list(listed))
        return Encoded({"object": "list", "data": [openai_model(each) for each in listed]})

    @router.head("/v1/models/{name:path}", include_in_schema=False)
    @router.get("/v1/models/{name:path}", summary="One model, by any of its names")
    async def one_model(name: str, anthropic_version: Version = None) -> Encoded:
        describe = openai_model if anthropic_version is None else anthropic_model
        return Encoded(describe(await listing.any_one(name)))

    return router


def openai_model(listed: AnyListed) -> dict[str, Any]:
    """A model as OpenAI's list has it, with what clients of llama-server and of others look for beside it.

    context_length and meta.n_ctx: tokens that one request may have, prompt and answer together. Of a model at
    an upstream by URL no more is known than its name.
    """
    created = int(listed.modified_at.timestamp())
    if isinstance(listed, ListedMode):
        facts = {"display_name": listed.display_name, "kind": "mode"}
        return {"id": listed.name, "object": "model", "created": created, "owned_by": OURS, **facts}
    if isinstance(listed, ListedRemote):
        return {
            "id": listed.name,
            "object": "model",
            "created": created,
            "owned_by": listed.upstream,
            "status": listed.status,
        }
    model, choices = listed.entry.model, listed.entry.choices
    return {
        "id": listed.name,
        "object": "model",
        "created": created,
        "owned_by": OURS,
        "status": listed.status,
        "display_name": model.display_name,
        "context_length": listed.context_tokens,
        "kind": model.kind,
        "tier": listed.entry.tier,
        "capabilities": list(model.capabilities),
        "aliases": list(choices.aliases) if listed.variant is None else [],
        "variant_of": None if listed.variant is None else listed.entry.model_id,
        "meta": {
            "n_ctx": listed.context_tokens,
            "n_ctx_train": model.context_length,
            "n_params": model.parameter_count,
            "size": model.file_size_bytes,
        },
    }


def anthropic_list(listed: Sequence[AnyListed]) -> dict[str, Any]:
    """The whole list as one page."""
    data = [anthropic_model(each) for each in listed]
    return {
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def anthropic_model(listed: AnyListed) -> dict[str, Any]:
    created_at = listed.modified_at.isoformat()
    if not isinstance(listed, Listed):
        return {
            "type": "model",
            "id": listed.name,
            "display_name": listed.display_name,
            "created_at": created_at,
            "lifecycle": "active",
        }
    name = listed.entry.model.display_name
    return {
        "type": "model",
        "id": listed.name,
        "display_name": name if listed.variant is None else f"{name}, {listed.variant}",
        "created_at": created_at,
        "max_input_tokens": listed.context_tokens,
        "max_tokens": listed.context_tokens,
        "lifecycle": "active",
    }
