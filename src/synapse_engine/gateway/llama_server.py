"""What llama-server answers when it runs several models as a router, so that tools made for that work here.

The shapes: https://github.com/ggml-org/llama.cpp/tree/master/tools/server
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

import synapse_engine
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.state import State
from synapse_engine.gateway.dialect import Dialect
from synapse_engine.gateway.documented import JSON_BODY, refusals
from synapse_engine.gateway.encoded import Encoded
from synapse_engine.gateway.errors import BadRequest
from synapse_engine.gateway.fields import NOT_JSON
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.listing import Listed, Listing
from synapse_engine.gateway.openai import openai_model
from synapse_engine.gateway.reply import Reply

VALUES = {State.READY: "loaded", State.QUEUED: "loading", State.STARTING: "loading"}


class _ModelAsk(msgspec.Struct):
    model: str


class RouterSurface:
    """What the relay does not take; it takes `/props?model=` and `/slots?model=` where those may start it."""

    def __init__(self, gateway: Gateway, fleet: Fleet, listing: Listing) -> None:
        self._gateway = gateway
        self._fleet = fleet
        self._listing = listing

    def routes(self) -> APIRouter:
        responses = refusals(Dialect.LLAMA_SERVER, 400, 404, 409, 503)
        router = APIRouter(tags=["llama-server"], default_response_class=Encoded, responses=responses)
        router.get("/models", summary="Enabled and running models, as a router lists them")(self.list_models)
        router.get("/props", summary="Of the router; with `model`, of its server")(self.props)
        router.get("/slots", summary="Of a model's server")(self.slots)
        asked = {
            "/models/load": (self.load, "Start a model, and answer at once"),
            "/models/unload": (self.unload, "Stop a model; requests may start it again"),
        }
        for path, (answer, summary) in asked.items():
            router.post(path, summary=summary, openapi_extra=JSON_BODY)(answer)
        return router

    async def list_models(self) -> Encoded:
        data = [router_model(each) for each in await self._listing.all()]
        return Encoded({"object": "list", "data": data})

    async def load(self, request: Request) -> Encoded:
        """As a person's START: it was asked for by name."""
        listed = await self._listing.one(_model_of(await request.body()))
        if listed.state is State.READY:
            raise BadRequest("Model is already running", f"{listed.entry.model_id} can be asked.")
        starting = asyncio.ensure_future(self._fleet.start(listed.entry.model_id))
        starting.add_done_callback(lambda done: done.cancelled() or done.exception())
        # One round of the loop: what can be refused at once is refused.
        await asyncio.sleep(0)
        if starting.done():
            starting.result()
        return Encoded({"success": True})

    async def unload(self, request: Request) -> Encoded:
        listed = await self._listing.one(_model_of(await request.body()))
        stopped = await self._fleet.unload(listed.entry.model_id)
        if not stopped.was_active:
            raise BadRequest("Model is not running", f"{listed.entry.model_id} is {listed.status}.")
        return Encoded({"success": True})

    async def props(self, model: str | None = None) -> Response:
        return Encoded(router_props()) if model is None else await self._of_running(model, b"/props")

    async def slots(self, model: str) -> Response:
        return await self._of_running(model, b"/slots")

    async def _of_running(self, name: str, path: bytes) -> Response:
        """With `autoload=false`, which the relay leaves to us: nothing is started for it."""
        listed = await self._listing.one(name)
        if listed.state is not State.READY:
            raise BadRequest("Model is not loaded", f"{listed.entry.model_id} is {listed.status}.")
        model_id = listed.entry.model_id
        with self._fleet.lease(model_id) as lease:
            reply = Reply(self._gateway.pool, self._gateway.lines.place_of(model_id, lease))
            try:
                await reply.ask(b"GET", path)
                return Response(await reply.whole(), reply.status, media_type="application/json")
            finally:
                reply.close()


def router_model(listed: Listed) -> dict[str, Any]:
    """A model as the router lists it: its status is an object, and its command line is told."""
    command = listed.server.command if listed.server else None
    status: dict[str, Any] = {
        "value": VALUES.get(listed.state, "unloaded"),
        "args": list(command.argv) if command else [],
    }
    if listed.state is State.FAILED:
        status["failed"] = True
    inputs = ["text", "image"] if "vision" in listed.entry.model.capabilities else ["text"]
    return openai_model(listed) | {
        "status": status,
        "tags": [],
        "architecture": {"input_modalities": inputs, "output_modalities": ["text"]},
    }


def router_props() -> dict[str, Any]:
    """Those of the address itself, by which tools see that it has several models."""
    return {
        "role": "router",
        "models_autoload": True,
        "model_alias": "synapse-engine",
        "model_path": "none",
        "default_generation_settings": {"params": None, "n_ctx": 0},
        "build_info": f"synapse-engine {synapse_engine.__version__}",
    }


def _model_of(body: bytes) -> str:
    """Raises BadRequest. It is JSON whatever it calls itself: llama-server does not look at that either."""
    try:
        return msgspec.json.decode(body, type=_ModelAsk).model
    except NOT_JSON as error:
        raise BadRequest(
            "No model named", 'The body is {"model": NAME} with a name of GET /models.'
        ) from error
