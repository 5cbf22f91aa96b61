"""What answers say of themselves, by their last and first bytes: llama-server's and vendors'."""

from __future__ import annotations

import json

import pytest

from synapse_engine.gateway.usage import Usage, read_error, read_usage

TIMINGS = (
    '"timings":{"cache_n":32,"prompt_n":1,"prompt_ms":30.8,"prompt_per_token_ms":30.8,"prompt_per_second":32.4,'
    '"predicted_n":5,"predicted_ms":86.5,"predicted_per_token_ms":21.6,"predicted_per_second":46.2}'
)
OPENAI = (
    '"usage":{"completion_tokens":5,"prompt_tokens":33,"total_tokens":38,'
    '"prompt_tokens_details":{"cached_tokens":32}}'
)
RESPONSES = (
    '"usage":{"input_tokens":33,"output_tokens":5,"total_tokens":38,'
    '"input_tokens_details":{"cached_tokens":32},"output_tokens_details":{"reasoning_tokens":0}}'
)
CHAT = (
    '{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"hi"}}],'
    f'"object":"chat.completion",{OPENAI},"id":"chatcmpl-1",{TIMINGS}}}'
)
CHUNK = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}],"object":"chat.completion.chunk"}\n\n'
DONE = "data: [DONE]\n\n"
MESSAGE_START = (
    'event: message_start\ndata: {"type":"message_start","message":{"id":"1","content":[],'
    '"usage":{"cache_read_input_tokens":32,"input_tokens":1,"output_tokens":0}}}\n\n'
)
MESSAGE_END = (
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"max_tokens"},'
    '"usage":{"output_tokens":5}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)

ALL = Usage(33, 32, 5, 32.4, 46.2)
NO_SPEEDS = Usage(33, 32, 5)

TAILS = {
    "chat": (CHAT, ALL),
    "a stream that was asked for usage": (f'{CHUNK}data: {{"choices":[],{OPENAI},{TIMINGS}}}\n\n{DONE}', ALL),
    "a stream that was not": (f'{CHUNK}data: {{"choices":[{{"delta":{{}}}}],{TIMINGS}}}\n\n{DONE}', ALL),
    "a vendor's stream": (f'data: {{"choices":[],"usage":null}}\n\ndata: {{{OPENAI}}}\n\n{DONE}', NO_SPEEDS),
    "with spaces": (json.dumps(json.loads(CHAT), indent=1), ALL),
    "timings with every chunk": (
        f'data: {{"choices":[],{TIMINGS.replace("5,", "4,")}}}\n\ndata: {{{TIMINGS}}}\n\n{DONE}',
        ALL,
    ),
    "timings of an old build": (
        '{"timings":{"prompt_n":9,"predicted_n":5,"prompt_per_second":32.4,"predicted_per_second":46.2}}',
        Usage(None, None, 5, 32.4, 46.2),
    ),
    "completion": (
        f'{{"content":"hi","tokens_evaluated":33,"generation_settings":{{"stop":[]}},{TIMINGS}}}',
        ALL,
    ),
    "one token has no speed": (
        '{"timings":{"cache_n":0,"prompt_n":2,"prompt_per_second":9.5,"predicted_n":1,"predicted_per_second":0.0}}',
        Usage(2, 0, 1, 9.5, None),
    ),
    "responses": (f'{{"object":"response","output":[],"status":"completed",{RESPONSES}}}', NO_SPEEDS),
    "a stream of responses": (
        f'event: response.completed\ndata: {{"response":{{"output":[],{RESPONSES}}},{TIMINGS}}}\n\n',
        ALL,
    ),
    "messages": (
        '{"type":"message","usage":{"cache_read_input_tokens":32,"input_tokens":1,"output_tokens":5}}',
        NO_SPEEDS,
    ),
    "messages that wrote to a cache": (
        '{"usage":{"input_tokens":1,"cache_creation_input_tokens":2,"cache_read_input_tokens":30,'
        '"cache_creation":{"ephemeral_5m_input_tokens":2},"output_tokens":5,"service_tier":"standard"}}',
        Usage(33, 30, 5),
    ),
    "a short stream of messages": (MESSAGE_START + MESSAGE_END, NO_SPEEDS),
    "the end of a stream of messages": (MESSAGE_END, Usage(output_tokens=5)),
    "embeddings": (
        '{"object":"list","usage":{"prompt_tokens":3,"total_tokens":3},"data":[]}',
        Usage(prompt_tokens=3),
    ),
    "an error": ('{"error":{"code":400,"message":"no"}}', Usage()),
    "nothing": ("", Usage()),
}


@pytest.mark.parametrize("case", TAILS)
def test_tails(case: str) -> None:
    tail, usage = TAILS[case]
    assert read_usage(tail.encode()) == usage


@pytest.mark.parametrize("case", TAILS)
def test_a_tail_cut_anywhere_says_the_same_or_less(case: str) -> None:
    tail, whole = TAILS[case]
    for cut in range(len(tail)):
        usage = read_usage(tail[cut:].encode())
        for field in Usage.__struct_fields__:
            assert getattr(usage, field) in (None, getattr(whole, field)), (cut, field)


@pytest.mark.parametrize(
    ("head", "tail", "usage"),
    [
        (MESSAGE_START, CHUNK * 9 + MESSAGE_END, NO_SPEEDS),
        ('{"object":"list","usage":{"prompt_tokens":3,"total_tokens":3},"data":[', "0.1]}]}", Usage(3)),
        ('{"usage":{"prompt_tokens":9,"completion_tokens":9}', f"{{{OPENAI}}}", NO_SPEEDS),
        ('"usage":{"prompt_tok', "", Usage()),
    ],
)
def test_the_head_adds_what_the_tail_lacks(head: str, tail: str, usage: Usage) -> None:
    assert read_usage(tail.encode(), head.encode()) == usage


def test_what_a_model_writes_is_no_usage() -> None:
    said = json.dumps(
        {"choices": [{"text": '"usage":{"prompt_tokens":999},"timings":{"cache_n":9,"prompt_n":9}'}]}
    )
    assert read_usage(said.encode()) == Usage()


@pytest.mark.parametrize(
    "nonsense",
    [
        b'"usage":{"prompt_tokens":-1}',
        b'"usage":{"prompt_tokens":"many"}',
        b'"usage":{"prompt_tokens":1e300}',
        b'"usage":{"prompt_tokens":99999999999999999999999}',
        b'"timings":{"predicted_per_second":1e300}',
        b'"usage":{"prompt_tokens":3',
        b'"usage":{"\xff":3}',
        b'"usage":[3]',
        b'"usage":{' * 400,
        b'"usage":{"a":{"b":{}}}',
        b"\x1f\x8b\x08 compressed",
    ],
)
def test_nonsense_says_nothing(nonsense: bytes) -> None:
    assert read_usage(nonsense, nonsense) == Usage()


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (b'{"error":{"message":"too long","type":"invalid_request_error"}}', "too long"),
        (b'{"type":"error","error":{"type":"api_error","message":"too long"}}', "too long"),
        (b'{"error":"too long"}', "too long"),
        (b'{"error":"Not found","detail":"there is none"}', "Not found"),
        (b'{"error":{"message":5}}', None),
        (b'{"error":null}', None),
        (b"[1]", None),
        (b"<html>", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_the_words_of_an_error(tail: bytes, words: str | None) -> None:
    assert read_error(tail) == words
