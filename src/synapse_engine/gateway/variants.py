"""A further name of a model, with its own sampling, system prompt and template arguments. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from synapse_engine.errors import InvalidChoice
from synapse_engine.gateway.fields import Fields, encode, is_plain, read_fields, text_of

NAME_CHARACTERS = 100
# What a request says of itself, and what has a field of its own.
NOT_SAMPLING = frozenset(
    "model messages prompt input instructions system stream chat_template_kwargs".split()
)
CHAT = frozenset([b"/chat/completions", b"/chat/completions/input_tokens", b"/apply-template"])
MESSAGES = frozenset([b"/messages", b"/messages/count_tokens"])
RESPONSES = frozenset([b"/responses", b"/responses/input_tokens"])
# A bare text has no place for a system prompt.
COMPLETIONS = frozenset([b"/completions", b"/completion", b"/infill"])


class Variant(msgspec.Struct, frozen=True):
    name: str
    sampling: dict[str, Any] = {}
    system_prompt: str | None = None
    chat_template_kwargs: dict[str, Any] = {}

    @staticmethod
    def read(settings: Mapping[str, Any]) -> Variant:
        return msgspec.convert(settings, Variant)


def check_variants(variants: Iterable[Variant]) -> None:
    """Whether a model may have these, for themselves. Raises InvalidChoice."""
    seen = set[str]()
    for variant in variants:
        name = variant.name
        if not is_plain(name, NAME_CHARACTERS):
            raise InvalidChoice(
                f"Bad name of a variant: {name}",
                f"It takes 1 to {NAME_CHARACTERS} printable characters, without spaces around them.",
            )
        if name.casefold() in seen:
            raise InvalidChoice(f"Variant named twice: {name}", "Each of a model's variants needs a name.")
        seen.add(name.casefold())
        if misplaced := sorted(NOT_SAMPLING & variant.sampling.keys()):
            raise InvalidChoice(
                f"Not for the sampling of {name}: {', '.join(misplaced)}",
                "The request says these itself; `system_prompt` and `chat_template_kwargs` stand beside it.",
            )


def rewrite(variant: Variant, body: bytes, path: bytes) -> bytes:
    """The body with what the variant brings. What the request says itself goes before that, but for a system
    prompt: the variant's stands before the request's own. All else stays as it was written, byte for byte.

    A body that generates nothing passes as it is. Raises BadRequest.
    """
    endpoint = path.partition(b"?")[0].removeprefix(b"/v1")
    if endpoint not in CHAT | MESSAGES | RESPONSES | COMPLETIONS or not body:
        return body
    asked = read_fields(body)
    added = {name: Raw(encode(value)) for name, value in variant.sampling.items() if not _says(asked, name)}
    asked |= added
    if endpoint in COMPLETIONS:
        return encode(asked)
    if variant.chat_template_kwargs:
        own = read_fields(asked["chat_template_kwargs"]) if _says(asked, "chat_template_kwargs") else {}
        asked["chat_template_kwargs"] = Raw(encode(variant.chat_template_kwargs | own))
    if variant.system_prompt:
        _put_system_prompt(asked, variant.system_prompt, endpoint)
    return encode(asked)


def _put_system_prompt(asked: Fields, prompt: str, endpoint: bytes) -> None:
    if endpoint in CHAT:
        asked["messages"] = _with_system_message(prompt, asked.get("messages"))
    else:
        field = "instructions" if endpoint in RESPONSES else "system"
        asked[field] = _joined(prompt, asked.get(field))


def _with_system_message(prompt: str, messages: Raw | None) -> Raw:
    """In front; a system message that is there already is made longer, as many templates take one only."""
    try:
        own = [] if messages is None else msgspec.json.decode(messages, type=list[Raw])
        first = msgspec.json.decode(own[0], type=Fields) if own else {}
    except msgspec.ValidationError:
        # What it means is for the server to say.
        return Raw(b"null") if messages is None else messages
    if text_of(first.get("role")) in ("system", "developer"):
        first["content"] = _joined(prompt, first.get("content"))
        return Raw(encode([first, *own[1:]]))
    return Raw(encode([{"role": "system", "content": prompt}, *own]))


def _joined(prompt: str, own: Raw | None) -> Raw:
    """Before a text, or as one more part before others."""
    text = text_of(own)
    if text is not None or own is None or bytes(own) == b"null":
        return Raw(encode(f"{prompt}\n\n{text}" if text else prompt))
    try:
        parts = msgspec.json.decode(own, type=list[Raw])
    except msgspec.ValidationError:
        return own
    return Raw(encode([{"type": "text", "text": prompt}, *parts]))


def _says(asked: Fields, name: str) -> bool:
    return name in asked and bytes(asked[name]) != b"null"
