"""What is asked in a request's body, whichever endpoint it is for. Pure."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from synapse_engine.gateway.fields import NOT_JSON

# What a conversation is known by again: its system prompt and its first question.
PREFIX_MESSAGES = 2
PREFIX_BYTES = 2048


class _Beginning(msgspec.Struct):
    system: msgspec.Raw = msgspec.Raw()
    messages: list[msgspec.Raw] = []
    prompt: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()


class _Asking(msgspec.Struct):
    messages: list[Any] | None = None
    prompt: Any = None
    input: Any = None


def question_of(body: bytes) -> str:
    """The text that the user said last; empty where there is none."""
    try:
        asking = msgspec.json.decode(body, type=_Asking)
    except NOT_JSON:
        return ""
    if asking.messages is None and isinstance(asking.input, list):
        asking.messages = asking.input
    for message in reversed(asking.messages or []):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"))
    return _text(asking.prompt or asking.input)


def prefix_of(body: bytes) -> int | None:
    """A number that is the same for all requests of a conversation; None where the body tells none."""
    try:
        beginning = msgspec.json.decode(body, type=_Beginning)
    except NOT_JSON:
        return None
    parts = [beginning.system, *beginning.messages[:PREFIX_MESSAGES], beginning.prompt, beginning.input]
    return zlib.crc32(b"\0".join([bytes(part)[:PREFIX_BYTES] for part in parts]))


def _text(content: object) -> str:
    """Plain, or of all the text parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
