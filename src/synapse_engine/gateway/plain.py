"""Whole answers that are errors of ours. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from synapse_engine.errors import SynapseError
from synapse_engine.gateway.dialect import Dialect, error_body, error_headers
from synapse_engine.gateway.headers import lines_of
from synapse_engine.gateway.heads import STATUS_LINES


def plain_answer(
    dialect: Dialect,
    error: SynapseError,
    default_headers: Iterable[tuple[bytes, bytes]] = (),
    common_headers: bytes = b"",
    keep_alive: bool = False,
    method: bytes = b"",
) -> bytes:
    """A whole answer that is an error of ours."""
    body = msgspec.json.encode(error_body(dialect, error))
    lines = [lines_of(default_headers)]
    lines += [f"{name}: {value}\r\n".encode() for name, value in error_headers(error).items()]
    if not keep_alive:
        lines.append(b"connection: close\r\n")
    status = STATUS_LINES.get(error.status) or b"HTTP/1.1 %d \r\n" % error.status
    head = status + common_headers + b"".join(lines) + b"content-type: application/json\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + (b"" if method == b"HEAD" else body)
