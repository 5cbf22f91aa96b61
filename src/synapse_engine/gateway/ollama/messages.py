"""Messages, from Ollama's shape to OpenAI's. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

# By what the base64 of such a file begins with; llama-server looks at the file itself.
PICTURES = {"/9j/": "jpeg", "iVBOR": "png", "R0lG": "gif", "UklGR": "webp", "Qk": "bmp"}


class Function(msgspec.Struct):
    name: str = ""
    arguments: dict[str, Any] | str | None = None


class ToolCall(msgspec.Struct):
    function: Function
    id: str | None = None


class ChatMessage(msgspec.Struct):
    """images: base64. tool_name: of a tool's result, whose it is; tool_call_id: which call's."""

    role: str
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    name: str | None = None
    tool_call_id: str | None = None


def openai_messages(messages: Iterable[ChatMessage]) -> list[dict[str, Any]]:
    """The same conversation. Ollama's calls need no id: a result belongs to the first call of that tool, or
    of any, that has none yet.
    """
    open_calls: deque[tuple[str, str]] = deque()
    count = 0
    found = []
    for message in messages:
        said: dict[str, Any] = {"role": message.role, "content": _content(message)}
        if message.thinking:
            said["reasoning_content"] = message.thinking
        if message.tool_calls:
            said["tool_calls"] = []
            for call in message.tool_calls:
                count += 1
                call_id = call.id or f"call_{count}"
                open_calls.append((call_id, call.function.name))
                said["tool_calls"].append(_call(call_id, call.function))
        if message.role == "tool":
            said["tool_call_id"] = message.tool_call_id or _take(
                open_calls, message.tool_name or message.name
            )
        found.append(said)
    return found


def picture(base64: str) -> dict[str, Any]:
    """A part of a message."""
    kind = next((kind for start, kind in PICTURES.items() if base64.startswith(start)), "png")
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{base64}"}}


def _content(message: ChatMessage) -> str | list[dict[str, Any]]:
    text = message.content or ""
    if not message.images:
        return text
    return [{"type": "text", "text": text}, *map(picture, message.images)]


def _call(call_id: str, function: Function) -> dict[str, Any]:
    """OpenAI's arguments are JSON in a string."""
    arguments = function.arguments
    text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments or {}).decode()
    return {"id": call_id, "type": "function", "function": {"name": function.name, "arguments": text}}


def _take(open_calls: deque[tuple[str, str]], tool: str | None) -> str:
    if not open_calls:
        return "call_0"
    chosen = next((call for call in open_calls if call[1] == tool), open_calls[0])
    open_calls.remove(chosen)
    return chosen[0]
