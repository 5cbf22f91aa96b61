"""How a mode asks a model. Who is behind it, and how it is reached, a mode does not know."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Message:
    """role: `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True)
class Order:
    """options: fields of a request in OpenAI's words (`temperature`, `max_tokens`, `seed`, `response_format`,
    `chat_template_kwargs`, ...), and llama-server's own beside them.
    """

    messages: tuple[Message, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """Some more of an answer, as it is written. thinking: of the thoughts that come before it."""

    text: str = ""
    thinking: str = ""


@dataclass(frozen=True)
class Figures:
    """What an answer took. None: the server does not say.

    queue_seconds: until it was given to its server, without load_seconds, in which that server was loading.
    first_token_seconds and total_seconds: from then on, until the first of the text or of the thoughts, and
    to the end. prompt_tokens has the cached ones in it. Per second: llama-server's own `timings`.
    finish_reason: `stop`, `length`, or what the server calls it.
    """

    model_id: str | None
    server_id: str | None
    queue_seconds: float
    load_seconds: float
    first_token_seconds: float | None
    total_seconds: float
    prompt_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    prompt_per_second: float | None
    output_per_second: float | None
    finish_reason: str | None


class Asker(Protocol):
    """Asks models on somebody's behalf."""

    def ask(self, model: str, order: Order) -> AsyncGenerator[Piece | Figures]:
        """The answer's pieces as they come, and its Figures last, once.

        model: any name that a request may use. A model that is not running may be started for it. Closing it
        (`aclosing`) ends the request at its server. Raises SynapseError.
        """
        ...
