"""The modes that may be asked for as if they were models."""

from __future__ import annotations

from synapse_engine.gateway.as_models.answer import ModeAnswer, Waiting
from synapse_engine.gateway.as_models.asked import ModeAsked, read_chat
from synapse_engine.gateway.body import Body
from synapse_engine.gateway.errors import BadRequest
from synapse_engine.gateway.heads import RequestHead
from synapse_engine.gateway.news import Manner
from synapse_engine.gateway.queries import Queries
from synapse_engine.modes.steps import Mode

CHATS = frozenset({"/v1/chat/completions", "/chat/completions", "/v1/messages"})


class AsModels:
    """manner: how what comes before the answer is told. May be set at any time."""

    def __init__(self, queries: Queries, manner: Manner) -> None:
        self.queries = queries
        self.manner = manner

    def read(self, path: str, body: bytes, mode: Mode, priority: int) -> ModeAsked:
        """Raises BadRequest."""
        if path not in CHATS:
            raise BadRequest("A mode is asked in chats only", f"POST to one of {', '.join(sorted(CHATS))}.")
        return read_chat(body, mode, priority)

    def answer(self, mode: Mode, waiting: Waiting, head: RequestHead, body: Body, client: str) -> ModeAnswer:
        """It is answered from now on. Raises BadRequest."""
        asked = self.read(head.path, body.whole(), mode, head.priority)
        return ModeAnswer(self.queries, waiting, asked, head.endpoint.dialect, client, self.manner)
