"""What Ollama's clients ask, and the order to llama-server that it becomes. Pure.

The shapes: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec

from synapse_engine.gateway.errors import BadRequest
from synapse_engine.gateway.fields import NOT_JSON
from synapse_engine.gateway.ollama.messages import ChatMessage, openai_messages, picture
from synapse_engine.gateway.ollama.template import render

CHAT = b"/v1/chat/completions"
COMPLETION = b"/completion"
INFILL = b"/infill"
EMBEDDINGS = b"/v1/embeddings"

# Ollama's words for what llama-server calls otherwise; the other options have one name.
OPTIONS = {"num_predict": "max_tokens", "num_keep": "n_keep"}
SAMPLING = frozenset(
    "seed top_k top_p min_p typical_p repeat_last_n temperature repeat_penalty presence_penalty"
    " frequency_penalty mirostat mirostat_tau mirostat_eta stop".split()
)
# Of loading: here these are a model's own settings, and no request changes them.
OF_LOADING = {"num_ctx": "ctx_size", "num_gpu": "n_gpu_layers", "num_thread": "threads"}


class Asked(msgspec.Struct, kw_only=True):
    """What every question may have. stream: None is yes.

    Any field may be null, as clients write out what they leave unsaid.
    """

    model: str | None = None
    stream: bool | None = None
    keep_alive: str | float | None = None
    options: dict[str, Any] | None = None


class Generating(Asked, kw_only=True):
    format: str | dict[str, Any] | None = None
    think: bool | str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class ChatAsked(Generating, kw_only=True):
    messages: list[ChatMessage] | None = None
    tools: list[dict[str, Any]] | None = None


class GenerateAsked(Generating, kw_only=True):
    """raw: the prompt is whole as it is. template: in Ollama's form, in place of the model's own."""

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    raw: bool | None = None
    images: list[str] | None = None


class EmbedAsked(Asked, kw_only=True):
    input: str | list[str] | None = None
    dimensions: Annotated[int, msgspec.Meta(ge=0)] | None = None


class EmbeddingsAsked(Asked, kw_only=True):
    prompt: str | None = None


class NameAsked(msgspec.Struct):
    """model: also called name, by older clients."""

    model: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Order:
    """What a server is asked: a path and its JSON. What is written is always asked for as a stream.

    begun: of an answer that the client has begun itself, what there is of it.
    """

    path: bytes
    body: dict[str, Any]
    begun: str = ""


Kind = TypeVar("Kind", bound=msgspec.Struct)


def read(body: bytes, kind: type[Kind]) -> Kind:
    """Raises BadRequest. Fields that nobody knows are passed over, as Ollama does."""
    try:
        return msgspec.json.decode(body, type=kind)
    except NOT_JSON as error:
        raise BadRequest("The body is not the JSON that was expected", str(error)) from error


def order_chat(asked: ChatAsked) -> Order:
    """Raises BadRequest."""
    messages = asked.messages or []
    body = _chat_body(asked, openai_messages(messages))
    if asked.tools:
        body["tools"] = asked.tools
    is_begun = bool(messages) and messages[-1].role == "assistant"
    return Order(CHAT, body, (messages[-1].content or "") if is_begun else "")


def order_generate(asked: GenerateAsked) -> Order:
    """A chat of one message; a text to go on with, where the prompt is whole; or one with a gap in it.

    Raises BadRequest.
    """
    if asked.suffix and not asked.template:
        gap = {"input_prefix": asked.prompt or "", "input_suffix": asked.suffix}
        return Order(INFILL, _completion_body(asked) | gap)
    if asked.raw or asked.template:
        if asked.images:
            raise BadRequest(
                "Images need the model's own template", "Leave out `raw` and `template`, or the images."
            )
        prompt = asked.prompt or "" if asked.raw else _templated(asked)
        return Order(COMPLETION, _completion_body(asked) | {"prompt": prompt})
    messages: list[dict[str, Any]] = [{"role": "system", "content": asked.system}] if asked.system else []
    return Order(CHAT, _chat_body(asked, [*messages, _user_message(asked)]))


def order_embed(texts: str | list[str]) -> Order:
    return Order(EMBEDDINGS, {"input": texts, "encoding_format": "float"})


def ignored_options(asked: Asked) -> dict[str, str]:
    """Options that no request can set, each with the model's setting that can."""
    return {name: OF_LOADING[name] for name in asked.options or {} if name in OF_LOADING}


def _chat_body(asked: Generating, messages: list[dict[str, Any]]) -> dict[str, Any]:
    body = {
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        **_sampling(asked.options),
    }
    if asked.think is not None:
        # An effort is a word of its own in some templates; all that think know `enable_thinking`.
        kwargs = {"enable_thinking": asked.think is not False}
        effort = {"reasoning_effort": asked.think} if isinstance(asked.think, str) else {}
        body["chat_template_kwargs"] = kwargs | effort
    if (schema := _schema(asked)) is not None:
        wrapped = {"name": "format", "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": wrapped}
    if asked.logprobs:
        body["logprobs"] = True
        body["top_logprobs"] = asked.top_logprobs or 0
    return body


def _completion_body(asked: Generating) -> dict[str, Any]:
    body: dict[str, Any] = {"stream": True, **_sampling(asked.options)}
    if (schema := _schema(asked)) is not None:
        body["json_schema"] = schema
    return body


def _sampling(options: dict[str, Any] | None) -> dict[str, Any]:
    sampling = {
        OPTIONS.get(name, name): value
        for name, value in (options or {}).items()
        if value is not None and (name in SAMPLING or name in OPTIONS)
    }
    if sampling.get("max_tokens") == -2:
        # Ollama's word for the rest of the context, where llama-server ends anyway.
        sampling["max_tokens"] = -1
    return sampling


def _schema(asked: Generating) -> dict[str, Any] | None:
    """What the answer must keep to. `json` is any object; llama-server keeps to that by a schema alone."""
    if isinstance(asked.format, dict):
        return asked.format
    if asked.format == "json":
        return {"type": "object"}
    if asked.format:
        raise BadRequest(f"Unknown format: {asked.format}", "It is `json` or a JSON schema.")
    return None


def _user_message(asked: GenerateAsked) -> dict[str, Any]:
    text = asked.prompt or ""
    if not asked.images:
        return {"role": "user", "content": text}
    return {"role": "user", "content": [{"type": "text", "text": text}, *map(picture, asked.images)]}


def _templated(asked: GenerateAsked) -> str:
    said = {"System": asked.system, "Prompt": asked.prompt, "Suffix": asked.suffix, "Response": ""}
    return render(asked.template or "", {name: text or "" for name, text in said.items()})
