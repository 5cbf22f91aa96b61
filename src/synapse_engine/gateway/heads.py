"""Heads of messages: what is worked out of one, and whether the next one is the same again.

On one connection a request's head is like the last one's but for its length, and so is an answer's. Where
that is so, nothing of it is read or worked out twice.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from synapse_engine.errors import SynapseError
from synapse_engine.gateway.endpoints import Endpoint, NamedBy
from synapse_engine.gateway.framing import Fields, Headers
from synapse_engine.gateway.headers import answer_headers, forwarded_headers

PRIORITIES = {b"high": 0, b"normal": 1, b"low": 2}
STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}
# Headers by which a request is framed, or treated, in another way than by its length alone.
NOT_REPEATED = frozenset([b"transfer-encoding", b"expect", b"upgrade"])
LENGTH_DIGITS = 9

_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ?([0-9]{1,%d})\r\n" % LENGTH_DIGITS)


def priority_of(field: bytes) -> int:
    """What X-Synapse-Priority says; 0 goes first."""
    return PRIORITIES.get(field, 1)


class RequestHead:
    """A request's, as it was read. lines: of its headers, those that the server is told.

    client: whom fairness counts as one. refusal: why this client may not come in, if it may not. origin: of
    the page that asks.
    """

    __slots__ = (
        "client",
        "endpoint",
        "fields",
        "is_old",
        "keep_alive",
        "lines",
        "method",
        "origin",
        "path",
        "priority",
        "refusal",
        "url",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        method: bytes,
        url: bytes,
        headers: Headers,
        fields: Fields,
        *,
        client: str,
        refusal: SynapseError | None,
        keep_alive: bool,
        is_old: bool,
    ) -> None:
        self.endpoint = endpoint
        self.method = method
        self.url = url
        self.fields = fields
        self.client = client
        self.refusal = refusal
        self.origin = fields.get(b"origin")
        self.keep_alive = keep_alive
        self.is_old = is_old
        self.path = url.partition(b"?")[0].decode("latin-1")
        self.lines = forwarded_headers(method, headers, fields)
        self.priority = priority_of(fields.get(b"x-synapse-priority", b""))

    @property
    def may_come_again(self) -> bool:
        """Whether a request with the same head can differ in its body alone, which says whom it is for."""
        if self.endpoint.named_by is not NamedBy.BODY or self.is_old or not self.keep_alive:
            return False
        return NOT_REPEATED.isdisjoint(self.fields)


class AnswerHead:
    """A server's, as it was read. lines: what the client is told of it, without what frames the body."""

    __slots__ = ("has_body", "is_stream", "lines", "status")

    def __init__(self, status: int, reason: bytes, headers: Headers, fields: Fields) -> None:
        self.status = status
        self.has_body = status not in (204, 304)
        status_line = STATUS_LINES.get(status) or b"HTTP/1.1 %d %b\r\n" % (status, reason)
        self.lines = status_line + answer_headers(headers, fields)
        self.is_stream = b"event-stream" in fields.get(b"content-type", b"")


class Repeated:
    """The bytes of a head, but for the digits of its length."""

    __slots__ = ("_after", "_after_bytes", "_before", "_digits_at", "_until")

    def __init__(self, before: bytes, after: bytes) -> None:
        self._before = before
        self._after = after
        self._after_bytes = len(after)
        self._digits_at = len(before)
        self._until = len(before) + LENGTH_DIGITS + len(after)

    def body_of(self, data: bytes) -> bytes | None:
        """The body where this is one whole message with that head, and nothing else; else None."""
        end = data.find(self._after, self._digits_at, self._until)
        if end < 0 or not data.startswith(self._before):
            return None
        digits = data[self._digits_at : end]
        body = data[end + self._after_bytes :]
        return body if digits.isdigit() and int(digits) == len(body) else None


def find_repeated(data: bytes) -> Repeated | None:
    """Of one whole message with a length, its head; None for anything else.

    Only once the parser has found the message right may it be used: this one looks at nothing but the length.
    """
    end = data.find(b"\r\n\r\n")
    found = _LENGTH.search(data, 0, end + 2) if end > 0 else None
    if found is None or len(data) - end - 4 != int(found[1]):
        return None
    return Repeated(data[: found.start(1)], data[found.end(1) : end + 4])
