"""A server's stream, told in Ollama's records. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from synapse_engine.gateway.fields import NOT_JSON

DONE_REASONS = {"length": "length", "limit": "length"}


@dataclass
class Piece:
    """A part of an answer. tool_calls: whole ones, in Ollama's shape."""

    content: str = ""
    thinking: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.content or self.thinking or self.tool_calls or self.logprobs)

    def add(self, other: Piece) -> None:
        self.content += other.content
        self.thinking += other.thinking
        self.tool_calls += other.tool_calls
        self.logprobs += other.logprobs


class Teller:
    """Reads the server's events, of a chat or of a completion; counts and durations are known at the end.

    begun: what the client wrote of the answer itself, for the model to go on with. Some builds of
    llama-server say it again before what follows, and Ollama does not.
    """

    def __init__(self, begun: str = "") -> None:
        self._begun = begun
        self._held = ""
        self._done_reason = "stop"
        self._usage: dict[str, Any] = {}
        self._timings: dict[str, Any] = {}
        self._calls: dict[int, _Call] = {}

    def read(self, event: dict[str, Any]) -> Piece:
        """What of it is for the client; it may be nothing."""
        self._usage = event.get("usage") or self._usage
        self._timings = event.get("timings") or self._timings
        if "choices" in event:
            return self._read_choice(event["choices"][0]) if event["choices"] else Piece()
        if event.get("stop"):
            self._done_reason = DONE_REASONS.get(event.get("stop_type", ""), "stop")
        return Piece(content=event.get("content") or "")

    def finish(self) -> Piece:
        """The tools that were called: they come in parts, and go out whole."""
        piece = Piece(content=self._held)
        for call in self._calls.values():
            told = call.told()
            if told is None:
                # Broken off within its arguments: no call, but no secret either.
                piece.content += call.text()
            else:
                piece.tool_calls.append(told)
        return piece

    def end(self) -> dict[str, Any]:
        """What the last record says beside the answer; durations in nanoseconds."""
        timings, usage = self._timings, self._usage
        prompt = usage.get("prompt_tokens")
        if prompt is None and "prompt_n" in timings:
            prompt = timings["prompt_n"] + timings.get("cache_n", 0)
        facts = {
            "done_reason": self._done_reason,
            "prompt_eval_count": prompt,
            "prompt_eval_duration": _nanoseconds(timings.get("prompt_ms")),
            "eval_count": usage.get("completion_tokens", timings.get("predicted_n")),
            "eval_duration": _nanoseconds(timings.get("predicted_ms")),
        }
        return {name: value for name, value in facts.items() if value is not None}

    def _read_choice(self, choice: dict[str, Any]) -> Piece:
        if choice.get("finish_reason"):
            self._done_reason = DONE_REASONS.get(choice["finish_reason"], "stop")
        delta = choice.get("delta") or {}
        for part in delta.get("tool_calls") or []:
            self._calls.setdefault(part.get("index", 0), _Call()).add(part.get("function") or {})
        logprobs = (choice.get("logprobs") or {}).get("content") or []
        return Piece(
            content=self._what_is_new(delta.get("content") or ""),
            thinking=delta.get("reasoning_content") or "",
            logprobs=[_logprob(each) for each in logprobs],
        )

    def _what_is_new(self, content: str) -> str:
        """Without what the client began with; held back as long as it may still be that."""
        if not self._begun:
            return content
        self._held += content
        if len(self._held) < len(self._begun) and self._begun.startswith(self._held):
            return ""
        new = self._held.removeprefix(self._begun)
        self._begun = self._held = ""
        return new


class _Call:
    """A tool's call as it comes in."""

    def __init__(self) -> None:
        self._name = ""
        self._arguments = ""

    def add(self, part: dict[str, Any]) -> None:
        self._name += part.get("name") or ""
        self._arguments += part.get("arguments") or ""

    def told(self) -> dict[str, Any] | None:
        """In Ollama's shape, where arguments are an object; None where they are none."""
        try:
            arguments = msgspec.json.decode(self._arguments or "{}")
        except NOT_JSON:
            return None
        if not isinstance(arguments, dict):
            return None
        return {"function": {"name": self._name, "arguments": arguments}}

    def text(self) -> str:
        return f"{self._name} {self._arguments}"


def _logprob(found: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {name: found[name] for name in ("token", "logprob", "bytes") if name in found}
    if top := found.get("top_logprobs"):
        told["top_logprobs"] = [_logprob(each) for each in top]
    return told


def _nanoseconds(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else int(milliseconds * 1e6)


def chat_answer(piece: Piece) -> dict[str, Any]:
    """A record's share of the answer, for /api/chat."""
    message: dict[str, Any] = {"role": "assistant", "content": piece.content}
    if piece.thinking:
        message["thinking"] = piece.thinking
    if piece.tool_calls:
        message["tool_calls"] = piece.tool_calls
    return {"message": message} | _logprobs(piece)


def generate_answer(piece: Piece) -> dict[str, Any]:
    """The same for /api/generate."""
    thinking = {"thinking": piece.thinking} if piece.thinking else {}
    return {"response": piece.content} | thinking | _logprobs(piece)


def _logprobs(piece: Piece) -> dict[str, Any]:
    return {"logprobs": piece.logprobs} if piece.logprobs else {}
