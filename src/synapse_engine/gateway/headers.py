"""Which headers pass, either way. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from synapse_engine.gateway.framing import Fields, Headers

# RFC 9110, 7.6.1: these belong to one connection, not to the message.
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade".split()
)
# The server is told our key and its own host; it need not hear where a browser came from. The body is here
# already, so there is nothing left to expect, and its size is known. What a model answers is wanted as it is:
# its tail is read.
NOT_FORWARDED = HOP_BY_HOP | frozenset(
    b"host authorization x-api-key content-length origin referer cookie expect accept-encoding".split()
)
# Ours to say for the whole address, not the server's.
NOT_RETURNED = HOP_BY_HOP | frozenset(
    b"server date content-length access-control-allow-origin access-control-allow-methods"
    b" access-control-allow-headers access-control-allow-credentials access-control-expose-headers"
    b" access-control-max-age set-cookie strict-transport-security alt-svc clear-site-data".split()
)
# A page of the server's may come packed: llama-server's own does not come otherwise.
NOT_FORWARDED_OF_READING = NOT_FORWARDED - {b"accept-encoding"}
READING = frozenset([b"GET", b"HEAD"])
OF_THE_CONNECTION = frozenset([b"keep-alive", b"close", b""])
# As llama-server has it: a proxy that gathers answers would keep the first words to itself.
UNGATHERED = (b"x-accel-buffering", b"no")
# Of an event stream that we begin ourselves.
STREAM_HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache"), UNGATHERED]


def forwarded_headers(method: bytes, headers: Headers, fields: Fields) -> bytes:
    """Those of a request that the server is told: lines, without what frames the body. fields: the headers by
    name, the last of each.
    """
    unwanted = NOT_FORWARDED_OF_READING if method in READING else NOT_FORWARDED
    dropped = _with_named(unwanted, headers, fields)
    return lines_of([header for header in headers if header[0] not in dropped])


def answer_headers(headers: Headers, fields: Fields) -> bytes:
    """Those of an answer that the client is told: lines, without what frames the body."""
    dropped = _with_named(NOT_RETURNED, headers, fields)
    return lines_of([header for header in headers if header[0] not in dropped])


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def _with_named(unwanted: frozenset[bytes], headers: Headers, fields: Fields) -> frozenset[bytes]:
    """With those that `Connection` names."""
    names_none = fields.get(b"connection", b"").lower() in OF_THE_CONNECTION
    if names_none and len(fields) == len(headers):
        return unwanted
    for name, value in headers:
        if name == b"connection":
            named = {word.strip().lower() for word in value.split(b",")} - OF_THE_CONNECTION
            if named:
                unwanted |= named
    return unwanted
