"""A JSON object's fields as they were written: numbers keep their digits, unknown fields pass. Pure."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Raw

from synapse_engine.gateway.errors import BadRequest

Fields: TypeAlias = dict[str, Raw]

# What reading JSON raises where it is none, or nested beyond sense.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(dict[str, Raw])


def read_fields(text: bytes | Raw) -> Fields:
    """Of a field that comes twice the last. Raises BadRequest where the text is no JSON object."""
    try:
        return _decoder.decode(text)
    except NOT_JSON as error:
        raise BadRequest("The body is not the JSON that was expected", str(error)) from error


def with_text(text: bytes, name: str, value: str) -> bytes:
    """The object with that text in that field; what is no object is left as it is, as is one nested beyond
    sense.
    """
    try:
        fields = _decoder.decode(text)
    except NOT_JSON:
        return text
    return encode({**fields, name: Raw(encode(value))})


def text_of(field: Raw | None) -> str | None:
    """What it says, where it is a text."""
    try:
        return None if field is None else msgspec.json.decode(field, type=str)
    except NOT_JSON:
        return None


def is_plain(text: str, characters: int) -> bool:
    """Whether it is a line that can be read, of 1 to so many characters, without spaces around it."""
    return 0 < len(text) <= characters and text.isprintable() and text == text.strip()
