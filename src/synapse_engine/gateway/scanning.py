"""Reads `model` and `stream` out of a JSON object that comes in pieces, whatever else is in it. Pure.

It keeps nothing but what it looks for, so that an object of 100 MB takes no memory. It does not judge whether
the JSON is right: that is the server's business.
"""

from __future__ import annotations

import re

import msgspec

WANTED = frozenset({b'"model"', b'"stream"'})
# Longer than any name that a model has, with every character escaped.
VALUE_BYTES = 8192

_END_OF_STRING = re.compile(rb'["\\]')
_MARK = re.compile(rb'["{}\[\],:]')


class Scanner:
    """Feed it the pieces in order; `found` has the raw JSON of each wanted key's value, the last one where
    it comes twice.
    """

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self._depth = 0
        self._in_string = False
        self._is_escaped = False
        # Text at depth 1: a key, or a wanted key's value; None where it is of no interest.
        self._text: bytearray | None = None
        self._key: bytes | None = None

    def feed(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            if self._in_string:
                position = self._through_string(data, position)
            else:
                position = self._to_next_mark(data, position)

    def _through_string(self, data: bytes, position: int) -> int:
        if self._is_escaped:
            self._is_escaped = False
            self._keep(data[position : position + 1])
            return position + 1
        match = _END_OF_STRING.search(data, position)
        end = match.end() if match else len(data)
        self._keep(data[position:end])
        if match:
            self._is_escaped = match.group() == b"\\"
            self._in_string = self._is_escaped
        return end

    def _to_next_mark(self, data: bytes, position: int) -> int:
        match = _MARK.search(data, position)
        if match is None:
            self._keep(data[position:])
            return len(data)
        self._keep(data[position : match.start()])
        self._meet(match.group())
        return match.end()

    def _meet(self, mark: bytes) -> None:
        if mark == b'"':
            self._in_string = True
            self._keep(mark)
        elif mark in b"{[":
            self._depth += 1
            if self._depth == 1 and mark == b"{":
                self._text = bytearray()
            else:
                self._keep(mark)
        elif mark in b"}]":
            self._depth -= 1
            if self._depth == 0:
                self._end_value()
                self._text = None
            else:
                self._keep(mark)
        elif self._depth != 1:
            self._keep(mark)
        elif mark == b":":
            key = bytes(self._text or b"").strip()
            self._key = key if key in WANTED else None
            self._text = bytearray() if self._key else None
        else:
            self._end_value()
            self._text = bytearray()

    def _end_value(self) -> None:
        if self._key is not None and self._text is not None:
            self.found[self._key.strip(b'"').decode()] = bytes(self._text).strip()
        self._key = None

    def _keep(self, piece: bytes) -> None:
        if self._text is not None:
            self._text += piece[: VALUE_BYTES - len(self._text)]


def value(raw: bytes | None) -> object:
    """What the raw JSON says; None where it is absent. Raises msgspec.DecodeError."""
    return None if raw is None else msgspec.json.decode(raw)
