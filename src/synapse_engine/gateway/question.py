"""The question in a request's body, whichever endpoint it is for. Pure."""

from __future__ import annotations

from typing import Any

import msgspec


class _Asking(msgspec.Struct):
    messages: list[Any] | None = None
    prompt: Any = None
    input: Any = None


def question_of(body: bytes) -> str:
    """The text that the user said last; empty where there is none."""
    try:
        asking = msgspec.json.decode(body, type=_Asking)
    except msgspec.DecodeError:
        return ""
    if asking.messages is None and isinstance(asking.input, list):
        asking.messages = asking.input
    for message in reversed(asking.messages or []):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"))
    return _text(asking.prompt or asking.input)


def _text(content: object) -> str:
    """Plain, or of all the text parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
