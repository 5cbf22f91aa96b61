"""In what shape an answer's error is, by the path that was asked."""

from __future__ import annotations

from typing import Any

from synapse_engine.errors import SynapseError


def is_openai(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def error_body(path: str, error: SynapseError) -> dict[str, Any]:
    """OpenAI's shape under `/v1`, ours elsewhere."""
    if not is_openai(path):
        return {"error": error.error, "detail": error.detail}
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    message = f"{error.error}. {error.detail}"
    return {"error": {"message": message, "type": kind, "param": None, "code": error.code}}


def error_headers(error: SynapseError) -> dict[str, str]:
    """A 503 says when to come back."""
    return {"Retry-After": "1"} if error.status == 503 else {}
