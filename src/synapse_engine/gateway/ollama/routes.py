"""Ollama's endpoints; what only Ollama itself can do is refused, with what to do instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

import synapse_engine
from synapse_engine.errors import ModelNotFound
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.state import State
from synapse_engine.gateway.asking import Sent
from synapse_engine.gateway.body import IN_MEMORY_BYTES
from synapse_engine.gateway.dialect import Dialect
from synapse_engine.gateway.documented import JSON_BODY, refusals
from synapse_engine.gateway.encoded import Encoded
from synapse_engine.gateway.errors import NotOffered
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.listing import AnyListed, Listed, Listing
from synapse_engine.gateway.ollama.answering import Answers, known_name
from synapse_engine.gateway.ollama.asked import (
    Asked,
    ChatAsked,
    EmbedAsked,
    EmbeddingsAsked,
    GenerateAsked,
    NameAsked,
    Order,
    order_chat,
    order_embed,
    order_generate,
    read,
)
from synapse_engine.gateway.ollama.shown import (
    description,
    description_without_file,
    running,
    tag_of,
    tag_without_file,
    tagged,
)
from synapse_engine.gateway.ollama.told import chat_answer, generate_answer
from synapse_engine.gateway.translated import Translated, Work, read_body
from synapse_engine.launch.base import RAM

# Whose API this is; some clients refuse to talk to an older one.
OLLAMA_VERSION = "0.12.0"
INSTEAD = {
    "create": "Put a GGUF file into a folder of MODEL_SCAN_PATH; settings, system prompts and sampling are a "
    "model's settings and variants here (PATCH /api/models/MODEL).",
    "copy": "Give the model an alias or a variant (PATCH /api/models/MODEL).",
    "delete": "Delete the model's file where it lies; the list follows by itself.",
    "push": "Models stay where their files lie.",
    "blobs": "Put GGUF files into a folder of MODEL_SCAN_PATH.",
}
PULL = "Put its GGUF file into a folder of MODEL_SCAN_PATH: it is found by itself."

Kind = TypeVar("Kind", bound=Asked)
Plan = Callable[[bytes], tuple[Kind, Order | None]]


class Ollama:
    """The dialect over the gateway and what it stands on."""

    def __init__(self, gateway: Gateway, fleet: Fleet, listing: Listing) -> None:
        self._gateway = gateway
        self._fleet = fleet
        self._listing = listing
        self._answers = Answers(gateway, fleet)

    def routes(self) -> APIRouter:
        responses = refusals(Dialect.OLLAMA, 400, 404, 409, 429, 503)
        router = APIRouter(tags=["Ollama"], default_response_class=Encoded, responses=responses)
        asked: dict[str, tuple[Callable[..., Any], str]] = {
            "/api/chat": (self.chat, "Chat with a model"),
            "/api/generate": (self.generate, "Complete a prompt; without one, load or unload a model"),
            "/api/embed": (self.embed, "Embed texts"),
            "/api/embeddings": (self.embeddings, "Embed one text; the older form"),
            "/api/show": (self.show, "What a model is"),
            "/api/pull": (self.pull, "Whether a model is there: nothing is downloaded"),
        }
        for path, (answer, summary) in asked.items():
            router.post(path, summary=summary, response_class=Response, openapi_extra=JSON_BODY)(answer)
        router.get("/api/tags", summary="Enabled and running models, and what else may be asked for")(
            self.tags
        )
        router.get("/api/ps", summary="Running models")(self.running)
        router.get("/api/version", summary="Which Ollama's API this is")(self.version)
        router.head("/", include_in_schema=False)(self.alive)
        router.head("/api/tags", include_in_schema=False)(self.tags)
        router.head("/api/version", include_in_schema=False)(self.version)
        for path in ("/api/create", "/api/copy", "/api/push", "/api/delete", "/api/blobs/{digest}"):
            router.api_route(path, methods=["POST", "DELETE", "HEAD"], include_in_schema=False)(self.refuse)
        return router

    # What is asked of a model.

    async def chat(self, request: Request) -> Response:
        asked, order, sent = await self._read(request, _plan_chat)
        return self._translated(
            request,
            lambda asking: self._answers.generated(asking, asked, sent, order, chat_answer),
            is_stream=asked.stream is not False,
        )

    async def generate(self, request: Request) -> Response:
        asked, order, sent = await self._read(request, _plan_generate)
        return self._translated(
            request,
            lambda asking: self._answers.generated(asking, asked, sent, order, generate_answer),
            is_stream=asked.stream is not False,
        )

    async def embed(self, request: Request) -> Response:
        asked, order, sent = await self._read(request, _plan_embed)
        return self._translated(request, lambda asking: self._answers.embedded(asking, asked, sent, order))

    async def embeddings(self, request: Request) -> Response:
        asked, order, sent = await self._read(request, _plan_embeddings)
        return self._translated(request, lambda asking: self._answers.embedding(asking, asked, sent, order))

    # What is there.

    async def tags(self) -> Encoded:
        listed = await self._listing.everything()
        return Encoded({"models": [self._tag(each) for each in listed]})

    async def running(self) -> Encoded:
        listed = await self._listing.all(lambda state: state is State.READY)
        now = datetime.now(UTC)
        return Encoded({"models": [self._running(each, now) for each in listed if each.variant is None]})

    async def show(self, request: Request) -> Response:
        asked = read(await request.body(), NameAsked)
        listed = await self._find(asked)
        if not isinstance(listed, Listed):
            return Encoded(description_without_file(listed))
        return Encoded(description(listed))

    async def version(self) -> Encoded:
        return Encoded({"version": OLLAMA_VERSION, "synapse_engine": synapse_engine.__version__})

    async def alive(self) -> Response:
        return Response()

    # What is not.

    async def pull(self, request: Request) -> Response:
        """Clients pull what they are about to ask: what is there already has been pulled."""
        asked = read(await request.body(), NameAsked)
        try:
            await self._find(asked)
        except ModelNotFound as error:
            raise NotOffered(f"{error.error}, and nothing is downloaded here", PULL) from error
        return Response(b'{"status":"success"}\n', media_type="application/x-ndjson")

    async def refuse(self, request: Request) -> Response:
        word = request.url.path.split("/")[2]
        raise NotOffered(f"Ollama's /api/{word} is not offered here", INSTEAD[word])

    # Its own.

    async def _read(self, request: Request, plan: Plan[Kind]) -> tuple[Kind, Order | None, Sent]:
        """What the body says. One of many megabytes is read in a thread: no stream has to wait for that."""
        data = await read_body(self._gateway, request)
        if len(data) > IN_MEMORY_BYTES:
            return *(await asyncio.to_thread(plan, data)), Sent(len(data), b"")
        return *plan(data), Sent(len(data), data)

    def _translated(self, request: Request, work: Work, *, is_stream: bool = False) -> Response:
        return Translated(self._gateway, request, Dialect.OLLAMA, work, is_stream=is_stream)

    async def _find(self, asked: NameAsked) -> AnyListed:
        name = asked.model or asked.name or ""
        return await self._listing.any_one(known_name(self._gateway.names, name))

    def _tag(self, listed: AnyListed) -> dict[str, Any]:
        if not isinstance(listed, Listed):
            return tag_without_file(listed)
        return tag_of(listed, self._name(listed))

    def _name(self, listed: Listed) -> str:
        """As Ollama's store calls it, where it lies there: clients may have been set up with that."""
        if listed.variant is None and listed.entry.model.names:
            return tagged(listed.entry.model.names[0])
        return tagged(listed.name)

    def _running(self, listed: Listed, now: datetime) -> dict[str, Any]:
        """All its replicas together."""
        servers = self._fleet.servers_of(listed.entry.model_id)
        latest = self._fleet.budget.memories.latest
        memory_bytes = gpu_bytes = 0
        for server in servers:
            need = server.command.need if server.command and server.state is State.READY else {}
            measured = latest.get(server.server_id)
            gpu_bytes += sum(size for device, size in need.items() if device != RAM)
            memory_bytes += measured.resident_bytes if measured else need.get(RAM, 0)
        return running(
            listed,
            self._name(listed),
            now=now,
            left_seconds=self._fleet.idle_stops.left_seconds(servers),
            memory_bytes=memory_bytes + gpu_bytes,
            gpu_bytes=gpu_bytes,
        )


def _plan_chat(data: bytes) -> tuple[ChatAsked, Order | None]:
    asked = read(data, ChatAsked)
    return asked, order_chat(asked) if asked.messages else None


def _plan_generate(data: bytes) -> tuple[GenerateAsked, Order | None]:
    asked = read(data, GenerateAsked)
    return asked, order_generate(asked) if asked.prompt or asked.suffix or asked.images else None


def _plan_embed(data: bytes) -> tuple[EmbedAsked, Order | None]:
    asked = read(data, EmbedAsked)
    return asked, order_embed(asked.input) if asked.input else None


def _plan_embeddings(data: bytes) -> tuple[EmbeddingsAsked, Order | None]:
    asked = read(data, EmbeddingsAsked)
    return asked, order_embed(asked.prompt) if asked.prompt else None
