"""What an answer says of itself at its end: tokens and speeds, and where it is an error, its words.

Never the whole answer: its last bytes, cut anywhere, and, where numbers stand at the beginning (embeddings,
the prompt of Anthropic's streams), its first ones. A name in quotes is no part of a text that a model wrote:
there the quotes are escaped.

llama-server adds `timings` to OpenAI's `usage`, also to a stream that was not asked for `usage`. The shapes:
https://github.com/ggml-org/llama.cpp/tree/master/tools/server
https://platform.openai.com/docs/api-reference/chat-streaming
https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, TypeVar

import msgspec

from synapse_engine.gateway.errors import ServerRefused
from synapse_engine.gateway.fields import NOT_JSON

# What follows a name: an object with at most one level of objects in it. It never steps back.
_OBJECT = re.compile(rb"\s*+:\s*+(\{(?:[^{}]++|\{[^{}]*+\})*+\})")

_Tokens = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)] | None
_Speed = Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None


class Usage(msgspec.Struct, frozen=True):
    """prompt_tokens: with the cached ones. Per second: as the server measured it. None: it did not say."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    prompt_per_second: float | None = None
    output_per_second: float | None = None


class _Details(msgspec.Struct):
    cached_tokens: _Tokens = None


class _Usage(msgspec.Struct):
    """`usage` of OpenAI's chat, of its responses, and of Anthropic's messages (`cache_*`)."""

    prompt_tokens: _Tokens = None
    completion_tokens: _Tokens = None
    prompt_tokens_details: _Details | None = None
    input_tokens: _Tokens = None
    output_tokens: _Tokens = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: _Tokens = None
    cache_creation_input_tokens: _Tokens = None

    def prompt(self) -> int | None:
        if self.input_tokens is None:
            return self.prompt_tokens
        # Anthropic's `input_tokens` are those beside the cache.
        return (
            self.input_tokens + (self.cache_read_input_tokens or 0) + (self.cache_creation_input_tokens or 0)
        )

    def output(self) -> int | None:
        return self.completion_tokens if self.output_tokens is None else self.output_tokens

    def cached(self) -> int | None:
        if self.cache_read_input_tokens is not None:
            return self.cache_read_input_tokens
        details = self.prompt_tokens_details or self.input_tokens_details
        return details.cached_tokens if details else None


class _Timings(msgspec.Struct):
    """llama-server's own. prompt_n: the tokens beside the cache; cache_n: builds of 2025 and later."""

    prompt_n: _Tokens = None
    cache_n: _Tokens = None
    predicted_n: _Tokens = None
    prompt_per_second: _Speed = None
    predicted_per_second: _Speed = None

    def prompt(self) -> int | None:
        return None if self.prompt_n is None or self.cache_n is None else self.prompt_n + self.cache_n


_NO_TIMINGS = _Timings()
_Said = TypeVar("_Said", _Usage, _Timings)


def read_usage(tail: bytes, head: bytes = b"") -> Usage:
    """What the end of an answer says, or else its beginning. Whatever makes no sense says nothing."""
    timings = next(_last_first(tail, b'"timings"', _Timings), _NO_TIMINGS)
    prompt, cached, output = timings.prompt(), timings.cache_n, timings.predicted_n
    for usage in chain(_last_first(tail, b'"usage"', _Usage), _last_first(head, b'"usage"', _Usage)):
        prompt = usage.prompt() if prompt is None else prompt
        cached = usage.cached() if cached is None else cached
        output = usage.output() if output is None else output
        if prompt is not None and cached is not None and output is not None:
            break
    # Of a single token its speed is said to be 0.
    return Usage(
        prompt, cached, output, timings.prompt_per_second or None, timings.predicted_per_second or None
    )


def read_error(tail: bytes) -> str | None:
    """The words of an error in OpenAI's, Anthropic's, Ollama's or our own shape, if there are any."""
    try:
        error = msgspec.json.decode(tail, type=dict[str, Any]).get("error")
    except NOT_JSON:
        return None
    if isinstance(error, dict):
        error = error.get("message")
    return error if isinstance(error, str) else None


def refusal_of(status: int, body: bytes) -> ServerRefused:
    """A server's whole answer that is an error, as one of ours."""
    return ServerRefused(status, read_error(body) or body.decode(errors="replace")[:1000])


def _last_first(text: bytes, name: bytes, kind: type[_Said]) -> Iterator[_Said]:
    """The objects of that name, from the end on; what is no such object is passed over."""
    end = len(text)
    while (at := text.rfind(name, 0, end)) >= 0:
        end = at
        if found := _OBJECT.match(text, at + len(name)):
            try:
                yield msgspec.json.decode(found[1], type=kind)
            except NOT_JSON:
                continue
