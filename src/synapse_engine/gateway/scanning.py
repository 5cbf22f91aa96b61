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

# What needs no look is passed over whole, by patterns that never go back: byte by byte it would take a second
# for a megabyte of brackets, in which nobody else is served. Possessive patterns (`*+`) around more than one
# character are wrong in Python before 3.11.5; atomic groups are not.
_INSIDE = rb'(?>(?:[^"\\]++|\\.)*)'
_STRING = rb'"' + _INSIDE + rb'"'


def _until(marks: bytes, *wholes: bytes) -> bytes:
    """All up to one of the marks, with whole strings, and whatever else is whole."""
    return rb"(?>(?:[^" + marks + rb"]++|" + rb"|".join([_STRING, *wholes]) + rb")*)"


_BRACKETS = rb'"{}\[\]'
_PART = rb"[\[{]" + _until(_BRACKETS) + rb"[\]}]"
for _ in range(2):  # parts of parts, as deep as they come by the thousand
    _PART = rb"[\[{]" + _until(_BRACKETS, _PART) + rb"[\]}]"
_OTHER_KEY = rb'"(?!(?:model|stream)")' + _INSIDE + rb'"\s*+:'
_OTHER_VALUE = _until(_BRACKETS + rb",", _PART)

_IN_STRING = re.compile(_INSIDE, re.DOTALL)
# At depth 1, from a key on: pairs that are not wanted; and of one, what comes before its end.
_OTHER_PAIRS = re.compile(rb"(?>(?:\s*+" + _OTHER_KEY + _OTHER_VALUE + rb",)*)", re.DOTALL)
_REST_OF_VALUE = re.compile(_OTHER_VALUE, re.DOTALL)
# Below it: all that leaves the depth as it is; and runs of brackets.
_LEVEL = re.compile(_until(_BRACKETS, _PART), re.DOTALL)
_OPENING = re.compile(rb"[\[{]++")
_CLOSING = re.compile(rb"[\]}]++")
_MARK = re.compile(rb'["{}\[\],:]')


class Scanner:
    """Feed it the pieces in order; `found` has the raw JSON of each wanted key's value, the last one where
    it comes twice.
    """

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self._depth = 0
        self._is_over = False
        self._in_string = False
        self._is_escaped = False
        # Text at depth 1: a key, or a wanted key's value; None where it is of no interest.
        self._text: bytearray | None = None
        self._key: bytes | None = None

    def feed(self, data: bytes) -> None:
        position = 0
        while position < len(data) and not self._is_over:
            if self._in_string:
                position = self._through_string(data, position)
            elif self._depth > 1:
                position = self._below(data, position)
            else:
                position = self._to_next_mark(data, position)

    def _through_string(self, data: bytes, position: int) -> int:
        """To its end, or to that of the piece."""
        if self._is_escaped:
            self._is_escaped = False
            self._keep(data, position, position + 1)
            return position + 1
        match = _IN_STRING.match(data, position)
        assert match is not None  # as all of these it may be empty
        end = match.end()
        if end < len(data):
            # Where it is no quote, it is a backslash that ends the piece.
            self._is_escaped = data[end : end + 1] == b"\\"
            self._in_string = self._is_escaped
            end += 1
        self._keep(data, position, end)
        return end

    def _below(self, data: bytes, position: int) -> int:
        """Within a value that has parts: to where the depth changes."""
        match = _LEVEL.match(data, position)
        assert match is not None
        end = match.end()
        if brackets := _OPENING.match(data, end):
            end = brackets.end()
            self._depth += brackets.end() - brackets.start()
        elif brackets := _CLOSING.match(data, end):
            closed = min(brackets.end() - end, self._depth - 1)
            end += closed
            self._depth -= closed
        elif end < len(data):
            # A string that is not whole in this piece.
            self._in_string = True
            end += 1
        self._keep(data, position, end)
        return end

    def _to_next_mark(self, data: bytes, position: int) -> int:
        if self._depth == 1 and not self._text:
            others = _OTHER_PAIRS if self._text is not None else _REST_OF_VALUE
            if (passed := others.match(data, position)) is not None:
                position = passed.end()
        match = _MARK.search(data, position)
        if match is None:
            self._keep(data, position, len(data))
            return len(data)
        self._keep(data, position, match.start())
        self._meet(match.group())
        return match.end()

    def _meet(self, mark: bytes) -> None:
        if mark == b'"':
            self._in_string = True
            self._keep(mark, 0, 1)
        elif mark in b"{[":
            self._depth += 1
            if self._depth == 1 and mark == b"{":
                self._text = bytearray()
            else:
                self._keep(mark, 0, 1)
        elif mark in b"}]":
            self._depth -= 1
            if self._depth <= 0:
                self._end_value()
                self._is_over = True
            else:
                self._keep(mark, 0, 1)
        elif self._depth != 1:
            self._keep(mark, 0, 1)
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

    def _keep(self, data: bytes, start: int, end: int) -> None:
        if self._text is not None:
            self._text += data[start : min(end, start + VALUE_BYTES - len(self._text))]


def value(raw: bytes | None) -> object:
    """What the raw JSON says; None where it is absent. Raises msgspec.DecodeError."""
    return None if raw is None else msgspec.json.decode(raw)
