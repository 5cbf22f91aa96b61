"""How the dialects' errors stand in the OpenAPI document. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from synapse_engine.errors import SynapseError
from synapse_engine.gateway.dialect import Dialect, error_body

# Of a route that reads its body itself.
JSON_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}

Responses = dict[int | str, dict[str, Any]]


def refusals(dialect: Dialect, *statuses: int) -> Responses:
    """The `responses` of routes that answer errors in the dialect's shape, shown by an example."""
    example = error_body(dialect, SynapseError("What went wrong", "Why, and what to do."))
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({401, 403, 422, *statuses})
    }
