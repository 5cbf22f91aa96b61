"""Asks an upstream by URL which models it has."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec

from synapse_engine.errors import UpstreamFailed
from synapse_engine.gateway.fields import NOT_JSON, is_plain
from synapse_engine.gateway.remote import MODEL_CHARACTERS, Check, Remote
from synapse_engine.gateway.reply import JSON_LINES, Reply
from synapse_engine.gateway.usage import read_error

ANSWER_SECONDS = 5.0
ANSWER_BYTES = 8 << 20
MODELS_MAX = 5_000
WORDS = 200
# An API with that key header is Anthropic's, or like it: it wants a version, and pages its list.
_ANTHROPIC = (JSON_LINES + b"anthropic-version: 2023-06-01\r\n", b"/v1/models?limit=1000")
_OPENAI = (JSON_LINES, b"/v1/models")


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


async def survey(reply: Reply, remote: Remote) -> Check:
    """Within ANSWER_SECONDS. Never raises: what goes wrong is the check's problem."""
    lines, path = _ANTHROPIC if remote.key_header == "x-api-key" else _OPENAI
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await reply.ask(b"GET", path, lines=lines)
            body = await _read(reply)
    except TimeoutError:
        problem = f"GET /v1/models was not answered in {ANSWER_SECONDS:.0f} s"
        return _check(bool(reply.status), problem=problem)
    except UpstreamFailed as error:
        return _check(bool(reply.status), problem=error.reason)
    finally:
        reply.close()
    if reply.status != 200:
        words = read_error(body)
        problem = f"GET /v1/models answered {reply.status}" + (f": {words[:WORDS]}" if words else "")
        return _check(True, problem=problem)
    try:
        models = msgspec.json.decode(body, type=_Models).data
    except NOT_JSON as error:
        return _check(True, problem=f"GET /v1/models answered no list of models: {error}")
    names = [model.id for model in models[:MODELS_MAX] if is_plain(model.id, MODEL_CHARACTERS)]
    return _check(True, tuple(dict.fromkeys(names)))


async def _read(reply: Reply) -> bytes:
    body = bytearray()
    async for piece in reply.pieces():
        body += piece
        if len(body) > ANSWER_BYTES:
            break
    return bytes(body)


def _check(is_reachable: bool, models: tuple[str, ...] = (), problem: str | None = None) -> Check:
    return Check(is_reachable, models, problem, datetime.now(UTC))
