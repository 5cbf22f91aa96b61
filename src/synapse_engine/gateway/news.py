"""What a client that asked for a stream is told while it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import msgspec

from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.gateway.names import Target

# A start that fails sooner is still answered with a status of its own.
FIRST_SECONDS = 2.0
EVERY_SECONDS = 1.0
CHAT = "/v1/chat/completions"

Manner = Literal["comments", "reasoning", "off"]


class News:
    """manner: SSE comments, which clients skip; text of the reasoning, which people see; or nothing. May be
    set at any time.
    """

    def __init__(self, fleet: Fleet, manner: Manner) -> None:
        self._fleet = fleet
        self.manner = manner

    async def tell(self, target: Target, path: str) -> AsyncIterator[bytes]:
        """Events, about one a second and without an end. path: what was asked, as only a chat of OpenAI's has
        reasoning of that shape.
        """
        if self.manner == "off":
            return
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            text = self._describe(target)
            if self.manner == "reasoning" and path == CHAT:
                yield _reasoning(text, target.model_ids[0])
            else:
                yield f": {text}\n\n".encode()
            await asyncio.sleep(EVERY_SECONDS)

    def _describe(self, target: Target) -> str:
        servers = [server for i in target.model_ids if (server := self._fleet.server_of(i)) is not None]
        loading = next((server for server in servers if server.state is State.STARTING), None)
        return _progress(loading) if loading else f"waiting for {target.model_ids[0]}"


def _progress(server: Server) -> str:
    if server.load is None:
        return f"loading {server.model_id}"
    progress = server.load.progress
    eta = "" if progress.eta_seconds is None else f", about {progress.eta_seconds:.0f} s left"
    return f"loading {server.model_id}: {progress.share:.0%}{eta}"


def _reasoning(text: str, model_id: str) -> bytes:
    delta = {"role": "assistant", "reasoning_content": f"{text}\n"}
    chunk = {
        "id": "loading",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": model_id,
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
    }
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
