"""Every route of the gateway that the relay does not take."""

from __future__ import annotations

from fastapi import APIRouter

from synapse_engine.catalog.registry import Registry
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.listing import Listing
from synapse_engine.gateway.llama_server import RouterSurface
from synapse_engine.gateway.ollama.routes import Ollama
from synapse_engine.gateway.openai import openai_router


def gateway_router(gateway: Gateway, registry: Registry, fleet: Fleet) -> APIRouter:
    """All dialects over one registry, one fleet and the gateway's ways to them."""
    listing = Listing(registry, fleet, gateway.names, gateway.contexts)
    router = APIRouter()
    router.include_router(openai_router(listing))
    router.include_router(RouterSurface(gateway, fleet, listing).routes())
    router.include_router(Ollama(gateway, fleet, listing).routes())
    return router
