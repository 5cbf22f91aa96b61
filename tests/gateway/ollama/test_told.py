"""From a server's stream to Ollama's records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from synapse_engine.gateway.ollama.shown import FOR_EVER, tagged
from synapse_engine.gateway.ollama.told import Piece, Teller, chat_answer, generate_answer
from synapse_engine.gateway.sse import Events


def chunk(finish: str | None = None, logprobs: Any = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}]}


def call(index: int, name: str | None = None, arguments: str = "") -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "id": "x", "type": "function", "function": function}


def test_a_chat() -> None:
    teller = Teller()
    timings = {"cache_n": 30, "prompt_n": 1, "prompt_ms": 20.5, "predicted_n": 2, "predicted_ms": 40.25}
    events = [
        chunk(role="assistant", content=None),
        chunk(reasoning_content="Hm."),
        chunk(content="Hel"),
        chunk(content="lo"),
        chunk(finish="length"),
        {
            "choices": [],
            "usage": {"prompt_tokens": 31, "completion_tokens": 2},
            "timings": timings,
        },
    ]
    assert [teller.read(event) for event in events] == [
        Piece(),
        Piece(thinking="Hm."),
        Piece("Hel"),
        Piece("lo"),
        Piece(),
        Piece(),
    ]
    assert not teller.finish()
    assert teller.end() == {
        "done_reason": "length",
        "prompt_eval_count": 31,
        "prompt_eval_duration": 20_500_000,
        "eval_count": 2,
        "eval_duration": 40_250_000,
    }


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["The capital of", " it"], [" of", " it"]),
        (["The ", "capital", " of"], ["", "", " of"]),
        ([" of", " it"], [" of", " it"]),
        (["The ", "queen", " of"], ["", "The queen", " of"]),
        (["The capital", "The capital"], ["", "The capital"]),
    ],
)
def test_what_the_client_began_is_not_said_again(said: list[str], told: list[str]) -> None:
    """Some builds say it, with what follows or by itself, and some do not."""
    teller = Teller("The capital")
    assert [teller.read(chunk(content=text)).content for text in said] == told
    assert not teller.finish()


def test_an_answer_that_ends_within_what_may_be_its_beginning() -> None:
    teller = Teller("The capital")
    assert not teller.read(chunk(content="The"))
    assert teller.finish() == Piece("The")


@pytest.mark.parametrize(("stop_type", "reason"), [("limit", "length"), ("eos", "stop"), ("word", "stop")])
def test_a_completion(stop_type: str, reason: str) -> None:
    teller = Teller()
    timings = {"cache_n": 2, "prompt_n": 3, "prompt_ms": 1.0, "predicted_n": 4, "predicted_ms": 2.0}
    assert teller.read({"content": " Paris", "stop": False}) == Piece(" Paris")
    assert teller.read({"content": "", "stop": True, "stop_type": stop_type, "timings": timings}) == Piece()
    end = teller.end()
    assert (end["done_reason"], end["prompt_eval_count"], end["eval_count"]) == (reason, 5, 4)


def test_a_server_without_timings() -> None:
    teller = Teller()
    teller.read({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
    assert teller.end() == {"done_reason": "stop", "prompt_eval_count": 3, "eval_count": 1}


def test_calls_come_in_parts_and_go_out_whole() -> None:
    teller = Teller()
    for event in (
        chunk(tool_calls=[call(0, "weather", '{"ci')]),
        chunk(tool_calls=[call(0, None, 'ty": "Rome"}'), call(1, "time")]),
        chunk(finish="tool_calls"),
    ):
        assert not teller.read(event)
    piece = teller.finish()
    assert piece.tool_calls == [
        {"function": {"name": "weather", "arguments": {"city": "Rome"}}},
        {"function": {"name": "time", "arguments": {}}},
    ]
    assert teller.end()["done_reason"] == "stop"


@pytest.mark.parametrize("arguments", ['{"city": "Ro', "[1]"])
def test_a_call_that_breaks_off_is_text(arguments: str) -> None:
    teller = Teller()
    teller.read(chunk(tool_calls=[call(0, "weather", arguments)]))
    assert teller.finish() == Piece(content=f"weather {arguments}")


def test_logprobs() -> None:
    one = {"id": 7, "token": "hi", "bytes": [104, 105], "logprob": -0.5}
    told = {"token": "hi", "bytes": [104, 105], "logprob": -0.5}
    piece = Teller().read(chunk(content="hi", logprobs={"content": [{**one, "top_logprobs": [one]}]}))
    assert piece.logprobs == [{**told, "top_logprobs": [told]}]
    assert chat_answer(piece)["logprobs"] == generate_answer(piece)["logprobs"] == piece.logprobs


def test_an_answers_two_shapes() -> None:
    piece = Piece("text", "thought", [{"function": {"name": "f", "arguments": {}}}])
    assert chat_answer(piece) == {
        "message": {
            "role": "assistant",
            "content": "text",
            "thinking": "thought",
            "tool_calls": piece.tool_calls,
        }
    }
    assert generate_answer(piece) == {"response": "text", "thinking": "thought"}
    assert chat_answer(Piece()) == {"message": {"role": "assistant", "content": ""}}


def test_events_cut_anywhere() -> None:
    stream = b': news\n\ndata: {"a":1}\n\nevent: x\r\ndata:{"b":2}\r\n\r\ndata: [DONE]\n\n'
    for size in range(1, len(stream)):
        events = Events()
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [data for piece in pieces for data in events.feed(piece)] == [b'{"a":1}', b'{"b":2}']


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("qwen_7b_fast", "qwen_7b_fast:latest"),
        ("llama3.2:3b", "llama3.2:3b"),
        ("host:8000/owner/name", "host:8000/owner/name:latest"),
    ],
)
def test_every_name_has_a_tag(name: str, listed: str) -> None:
    assert tagged(name) == listed


def test_for_ever_is_far_away() -> None:
    assert (FOR_EVER - datetime.now(UTC)).days > 20 * 365
