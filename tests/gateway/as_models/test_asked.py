"""What a mode is asked in OpenAI's and Anthropic's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from synapse_engine.gateway.as_models.asked import ModeAsked, read_chat
from synapse_engine.gateway.errors import BadRequest
from synapse_engine.modes.asking import Message

HI = {"role": "user", "content": "Hi"}


def read(**fields: Any) -> ModeAsked:
    body = {"model": "synapse/council", "messages": [HI], **fields}
    return read_chat(json.dumps(body).encode(), "council", 1)


def test_the_last_message_is_the_question() -> None:
    messages = [{"role": "developer", "content": "Be brief."}, HI, {"role": "assistant", "content": "Hello"}]
    parts = [{"type": "text", "text": "Why"}, {"type": "text", "text": "so?"}]
    asked = read(messages=[*messages, {"role": "user", "content": parts}])
    assert (asked.query.text, asked.query.mode, asked.name) == ("Why\nso?", "council", "synapse/council")
    assert asked.query.history == (
        Message("system", "Be brief."),
        Message("user", "Hi"),
        Message("assistant", "Hello"),
    )
    assert not asked.is_stream and not asked.with_usage


def test_anthropics_words() -> None:
    thought = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hello"}]
    messages = [HI, {"role": "assistant", "content": thought}, HI]
    asked = read(system=[{"type": "text", "text": "Be brief."}], messages=messages, stop_sequences=["x"])
    assert asked.query.history[0] == Message("system", "Be brief.")
    assert asked.query.history[2] == Message("assistant", "Hello")
    assert asked.query.options.final == {"stop": ["x"]}


def test_what_goes_for_all_turns_and_what_for_the_last() -> None:
    asked = read(
        temperature=0.1,
        max_completion_tokens=50,
        seed=None,
        stop="x",
        response_format={"type": "json_object"},
        user="me",
        stream=True,
        stream_options={"include_usage": True},
        synapse={"models": ["a", "b"]},
    )
    assert asked.query.options.sampling == {"temperature": 0.1, "max_tokens": 50}
    assert asked.query.options.final == {"stop": "x", "response_format": {"type": "json_object"}}
    assert asked.query.models == ("a", "b")
    assert asked.is_stream and asked.with_usage


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "tools": ({"tools": [{"type": "function"}]}, "`tools`"),
    "several answers": ({"n": 2}, "one answer"),
    "an image": ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
    "a tool's result": ({"messages": [{"role": "tool", "content": "4"}, HI]}, "this message"),
    "a tool's call": ({"messages": [{"role": "assistant", "tool_calls": [{}]}, HI]}, "this message"),
    "no messages": ({"messages": None}, "no messages"),
    "no message": ({"messages": []}, "no question"),
    "an answer to go on with": ({"messages": [HI, {"role": "assistant", "content": "So"}]}, "no question"),
    "an empty question": ({"messages": [{"role": "user", "content": " "}]}, "no question"),
    "what is no message": ({"messages": ["Hi"]}, "this message"),
    "models that are no names": ({"synapse": {"models": [1]}}, "synapse.models"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    fields, words = REFUSED[case]
    with pytest.raises(BadRequest, match=words):
        read(**fields)


def test_no_json() -> None:
    with pytest.raises(BadRequest):
        read_chat(b"{", "auto", 1)
