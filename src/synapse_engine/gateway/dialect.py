"""In whose shape an answer's error is, by the path that was asked. Pure."""

from __future__ import annotations

from collections.abc import Container
from enum import StrEnum
from typing import Any

import msgspec

from synapse_engine.errors import SynapseError

OLLAMA_PATHS = frozenset(
    f"/api/{name}"
    for name in "chat generate embed embeddings tags ps show version pull push create copy delete".split()
)
OLLAMA_FOLDER = "/api/blobs/"
LLAMA_SERVER_PATHS = frozenset({"/models", "/models/load", "/models/unload", "/props", "/slots"})

# Anthropic's clients send it with every request.
ANTHROPIC_VERSION = "anthropic-version"
EVENT_ENDS = (b"\n\n", b"\r\n\r\n")

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class Dialect(StrEnum):
    """Whose words a client speaks."""

    OURS = "synapse"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OLLAMA = "ollama"
    LLAMA_SERVER = "llama-server"

    # An enum's own is a function in Python, and each call is counted by this.
    __hash__ = str.__hash__


def dialect_of(path: str, header_names: Container[str] = ()) -> Dialect:
    """header_names: of the request, where they are known. Some paths are both OpenAI's and Anthropic's."""
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return Dialect.ANTHROPIC
    if path == "/v1" or path.startswith("/v1/"):
        return Dialect.ANTHROPIC if ANTHROPIC_VERSION in header_names else Dialect.OPENAI
    if path in OLLAMA_PATHS or path.startswith(OLLAMA_FOLDER):
        return Dialect.OLLAMA
    if path in LLAMA_SERVER_PATHS:
        return Dialect.LLAMA_SERVER
    return Dialect.OURS


def error_body(dialect: Dialect, error: SynapseError) -> dict[str, Any]:
    """The error as that dialect's clients expect it."""
    text = f"{error.error}. {error.detail}"
    if dialect is Dialect.ANTHROPIC:
        kind = _ANTHROPIC_TYPES.get(
            error.status, "api_error" if error.status >= 500 else "invalid_request_error"
        )
        return {"type": "error", "error": {"type": kind, "message": text}}
    if dialect is Dialect.OLLAMA:
        return {"error": text}
    if dialect is Dialect.OURS:
        return {"error": error.error, "detail": error.detail}
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    return {"error": {"message": text, "type": kind, "param": None, "code": error.code}}


def error_event(dialect: Dialect, error: SynapseError, tail: bytes) -> bytes:
    """The same as an event, for a stream that has begun; tail: what it ended with, maybe within an event."""
    end = b"" if not tail or tail.endswith(EVENT_ENDS) else b"\n\n"
    return end + event(dialect, msgspec.json.encode(error_body(dialect, error)))


def event(dialect: Dialect, error_json: bytes) -> bytes:
    """An error that is JSON already, as an event."""
    name = b"event: error\n" if dialect is Dialect.ANTHROPIC else b""
    return name + b"data: " + error_json.replace(b"\n", b" ") + b"\n\n"


def error_headers(error: SynapseError) -> dict[str, str]:
    """Whoever was turned away for now is told when to come back, in seconds.

    OpenAI's and Anthropic's clients ask again by themselves, twice, unless they are told not to.
    """
    headers = {"X-Should-Retry": "false"} if error.is_final else {}
    if error.status in (429, 503) and error.retry_after_seconds:
        headers["Retry-After"] = str(error.retry_after_seconds)
    return headers
