"""A further name of a model, with its own sampling, system prompt and template arguments. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from synapse_engine.errors import BadRequest


class Variant(msgspec.Struct, frozen=True):
    name: str
    sampling: dict[str, Any] = {}
    system_prompt: str | None = None
    chat_template_kwargs: dict[str, Any] = {}

    @staticmethod
    def read(settings: Mapping[str, Any]) -> Variant:
        return msgspec.convert(settings, Variant)


def rewrite(variant: Variant, body: bytes, path: bytes) -> bytes:
    """The body with what the variant brings. What the request says itself goes before that, but for a system
    prompt: the variant's stands before the request's own. Raises BadRequest.
    """
    try:
        asked = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise BadRequest("The body is not the JSON that was expected", str(error)) from error
    asked = {**variant.sampling, **asked}
    if variant.chat_template_kwargs:
        asked["chat_template_kwargs"] = variant.chat_template_kwargs | (
            asked.get("chat_template_kwargs") or {}
        )
    if variant.system_prompt:
        _put_system_prompt(asked, variant.system_prompt, path.partition(b"?")[0])
    return msgspec.json.encode(asked)


def _put_system_prompt(asked: dict[str, Any], prompt: str, path: bytes) -> None:
    if path.endswith(b"/responses"):
        asked["instructions"] = _joined(prompt, asked.get("instructions"))
    elif "/messages" in path.decode("latin-1"):
        own = asked.get("system")
        if isinstance(own, list):
            asked["system"] = [{"type": "text", "text": prompt}, *own]
        else:
            asked["system"] = _joined(prompt, own)
    elif isinstance(messages := asked.get("messages"), list):
        first = messages[0] if messages and isinstance(messages[0], dict) else {}
        if first.get("role") in ("system", "developer") and isinstance(first.get("content"), str):
            asked["messages"] = [{**first, "content": _joined(prompt, first["content"])}, *messages[1:]]
        else:
            asked["messages"] = [{"role": "system", "content": prompt}, *messages]


def _joined(prompt: str, own: object) -> str:
    return f"{prompt}\n\n{own}" if isinstance(own, str) and own else prompt
