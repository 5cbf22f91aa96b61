"""A mode's answer in OpenAI's and in Anthropic's words. Pure.

The shapes: https://platform.openai.com/docs/api-reference/chat
https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from synapse_engine.gateway.as_models.voice import Utterance
from synapse_engine.modes.record import Record

DONE = b"data: [DONE]\n\n"


class Teller(Protocol):
    """Of one answer: either begin, say and end, or whole."""

    def begin(self) -> bytes: ...

    def say(self, said: Utterance) -> bytes: ...

    def end(self, record: Record) -> bytes: ...

    def whole(self, record: Record) -> bytes: ...


class OpenAITeller:
    """created: unix seconds. with_usage: whether the stream's end tells tokens."""

    def __init__(self, query_id: int, name: str, created: int, *, with_usage: bool) -> None:
        self._facts = {"id": f"chatcmpl-query-{query_id}", "created": created, "model": name}
        self._with_usage = with_usage

    def begin(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def say(self, said: Utterance) -> bytes:
        if said.kind == "comment":
            return comment(said.text)
        return self._chunk({"content" if said.kind == "text" else "reasoning_content": said.text})

    def end(self, record: Record) -> bytes:
        last = self._chunk({}, finish_reason(record), synapse=_ours(record))
        usage = self._event({"choices": [], "usage": _usage(record)}) if self._with_usage else b""
        return last + usage + DONE

    def whole(self, record: Record) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": _text(record)}
        if thinking := thinking_of(record):
            message["reasoning_content"] = thinking
        choice = {"index": 0, "message": message, "finish_reason": finish_reason(record)}
        body = {"choices": [choice], "usage": _usage(record), "synapse": _ours(record)}
        return msgspec.json.encode({"object": "chat.completion", **self._facts, **body})

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self._event({"choices": [choice], **more})

    def _event(self, content: dict[str, Any]) -> bytes:
        event = {"object": "chat.completion.chunk", **self._facts, **content}
        return b"data: " + msgspec.json.encode(event) + b"\n\n"


class AnthropicTeller:
    """Each change from thoughts to text, or back, is another block."""

    def __init__(self, query_id: int, name: str) -> None:
        self._facts = {"id": f"msg_query_{query_id}", "type": "message", "role": "assistant", "model": name}
        self._block = -1
        self._kind: str | None = None

    def begin(self) -> bytes:
        return message_start(self._facts["id"], self._facts["model"])

    def say(self, said: Utterance) -> bytes:
        if said.kind == "comment":
            return comment(said.text)
        opened = b"" if said.kind == self._kind else self._open(said.kind)
        delta = {"type": f"{said.kind}_delta", said.kind: said.text}
        return opened + _named("content_block_delta", {"index": self._block, "delta": delta})

    def end(self, record: Record) -> bytes:
        opened = b"" if self._kind == "text" else self._open("text")
        delta = {"stop_reason": _stop_reason(record), "stop_sequence": None}
        usage = {"input_tokens": record.usage.prompt_tokens, "output_tokens": record.usage.output_tokens}
        last = _named("message_delta", {"delta": delta, "usage": usage, "synapse": _ours(record)})
        return opened + self._close() + last + _named("message_stop", {})

    def whole(self, record: Record) -> bytes:
        blocks: list[dict[str, Any]] = [{"type": "text", "text": _text(record)}]
        if thinking := thinking_of(record):
            blocks.insert(0, {"type": "thinking", "thinking": thinking, "signature": ""})
        usage = {"input_tokens": record.usage.prompt_tokens, "output_tokens": record.usage.output_tokens}
        body = {"content": blocks, "stop_reason": _stop_reason(record), "stop_sequence": None}
        return msgspec.json.encode({**self._facts, **body, "usage": usage, "synapse": _ours(record)})

    def _open(self, kind: str) -> bytes:
        closed = b"" if self._kind is None else self._close()
        self._block += 1
        self._kind = kind
        block = {"type": kind, kind: ""} | ({"signature": ""} if kind == "thinking" else {})
        return closed + _named("content_block_start", {"index": self._block, "content_block": block})

    def _close(self) -> bytes:
        return _named("content_block_stop", {"index": self._block})


def message_start(message_id: str, model: str) -> bytes:
    """An Anthropic stream's first event, where no tokens are known yet."""
    message: dict[str, Any] = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    return _named("message_start", {"message": message})


def comment(text: str) -> bytes:
    """For nobody to see, but it keeps the connection alive."""
    return f": {' '.join(text.split())}\n\n".encode("utf-8", "replace")


def _named(kind: str, content: dict[str, Any]) -> bytes:
    return f"event: {kind}\n".encode() + b"data: " + msgspec.json.encode({"type": kind, **content}) + b"\n\n"


def _text(record: Record) -> str:
    return record.answer.text if record.answer else ""


def thinking_of(record: Record) -> str:
    """Of whoever said the answer."""
    turn = record.answer.turn if record.answer else None
    return next((spoken.thinking for spoken in record.turns if spoken.turn == turn), "")


def finish_reason(record: Record) -> str:
    """`length` or `stop`, of whoever said the answer."""
    turn = record.answer.turn if record.answer else None
    figures = next((spoken.figures for spoken in record.turns if spoken.turn == turn), None)
    return "length" if figures is not None and figures.finish_reason == "length" else "stop"


def _stop_reason(record: Record) -> str:
    return "max_tokens" if finish_reason(record) == "length" else "end_turn"


def _usage(record: Record) -> dict[str, Any]:
    usage = record.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _ours(record: Record) -> dict[str, Any]:
    """What nobody else's answers have: where the whole record is, and what went otherwise."""
    return {"query": record.id, "notes": [note.text for note in record.notes]}
