"""What OpenAI's and Anthropic's clients ask a mode for: a query. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from synapse_engine.gateway.errors import BadRequest
from synapse_engine.gateway.fields import NOT_JSON
from synapse_engine.gateway.queries import Query
from synapse_engine.modes.asking import Message
from synapse_engine.modes.options import Options
from synapse_engine.modes.steps import Mode

# What goes for all that is written, under llama-server's names; each with those that it may come under.
SAMPLING: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in "temperature top_p top_k min_p seed repeat_penalty logit_bias".split()},
    **{name: (name,) for name in "presence_penalty frequency_penalty chat_template_kwargs".split()},
    "max_tokens": ("max_completion_tokens", "max_tokens"),
    "reasoning_effort": ("reasoning_effort",),
}
# What is a matter of the whole answer's shape.
FINAL: Mapping[str, tuple[str, ...]] = {
    "stop": ("stop", "stop_sequences"),
    "response_format": ("response_format",),
}
# What no mode does.
REFUSED = {
    "tools": "It calls no tools.",
    "functions": "It calls no functions.",
    "audio": "It does not speak.",
}
INSTEAD = "Ask a model for that: GET /v1/models lists them."
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
# Blocks of a message that are no part of what was said.
PASSED_OVER = frozenset({"thinking", "redacted_thinking"})


@dataclass(frozen=True)
class ModeAsked:
    """name: as the client calls it. with_usage: whether the stream is to tell the tokens."""

    query: Query
    name: str
    is_stream: bool
    with_usage: bool


def read_chat(body: bytes, mode: Mode, priority: int) -> ModeAsked:
    """Of a chat in OpenAI's words, or messages in Anthropic's. Raises BadRequest."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except NOT_JSON as error:
        raise BadRequest("The body is not the JSON that was expected", str(error)) from error
    for name, why in REFUSED.items():
        if fields.get(name):
            raise BadRequest(f"A mode cannot take `{name}`", f"{why} {INSTEAD}")
    if fields.get("n") not in (None, 1):
        raise BadRequest("A mode gives one answer", "Leave out `n`.")
    messages = [*_system(fields.get("system")), *_messages(fields.get("messages"))]
    if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
        raise BadRequest("There is no question", "The last message has to be the user's, with text in it.")
    options = Options(sampling=_found(fields, SAMPLING), final=_found(fields, FINAL))
    stream_options = fields.get("stream_options")
    query = Query(
        messages[-1].content,
        mode,
        _models(fields.get("synapse")),
        options,
        {**options.sampling, **options.final},
        tuple(messages[:-1]),
        priority=priority,
    )
    with_usage = isinstance(stream_options, dict) and stream_options.get("include_usage") is True
    return ModeAsked(query, str(fields.get("model")), fields.get("stream") is True, with_usage)


def _found(fields: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    found = {
        name: next((fields[each] for each in names if fields.get(each) is not None), None)
        for name, names in wanted.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _models(ours: object) -> tuple[str, ...]:
    """Of `"synapse": {"models": [...]}`."""
    models = ours.get("models") if isinstance(ours, dict) else None
    if models is None:
        return ()
    if not isinstance(models, list) or not all(isinstance(name, str) and name for name in models):
        raise BadRequest("Bad synapse.models", "It is a list of names that a request may use.")
    return tuple(models)


def _system(content: object) -> list[Message]:
    """Anthropic's, beside the messages."""
    return [Message("system", _text(content))] if content else []


def _messages(messages: object) -> list[Message]:
    if not isinstance(messages, list):
        raise BadRequest("There are no messages", "`messages` is a list.")
    return [_message(message) for message in messages]


def _message(message: object) -> Message:
    role = ROLES.get(str(message.get("role"))) if isinstance(message, dict) else None
    if not isinstance(message, dict) or role is None or message.get("tool_calls"):
        raise BadRequest("A mode cannot take this message", f"It takes text of {', '.join(ROLES)}. {INSTEAD}")
    return Message(role, _text(message.get("content")))


def _text(content: object) -> str:
    """Plain, or of all the text parts."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    texts = []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in PASSED_OVER:
            continue
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            raise BadRequest("A mode takes text only", f"A message has a part of type {kind}. {INSTEAD}")
        texts.append(part["text"])
    return "\n".join(texts)
