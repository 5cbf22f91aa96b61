"""Who asks, and whether it is still there."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Receive

from synapse_engine.gateway.heads import priority_of
from synapse_engine.gateway.line import Asker

AGENT_CHARACTERS = 80


def client_name(host: str, user_agent: str) -> str:
    """Whom fairness and records count as one: an address and a program on it."""
    return f"{host} {user_agent[:AGENT_CHARACTERS]}".rstrip()


def asker_of(request: Request) -> Asker:
    """Who asks by a request that is not relayed."""
    host, headers = request.client.host if request.client else "", request.headers
    priority = priority_of(headers.get("x-synapse-priority", "").encode("latin-1"))
    return Asker(client_name(host, headers.get("user-agent", "")), priority)


async def until_left(receive: Receive) -> None:
    """Return once the client has left, or has been answered."""
    while (await receive())["type"] != "http.disconnect":
        continue
