"""From Ollama's questions to llama-server's."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from synapse_engine.gateway.errors import BadRequest
from synapse_engine.gateway.ollama.asked import (
    ChatAsked,
    EmbeddingsAsked,
    GenerateAsked,
    NameAsked,
    ignored_options,
    order_chat,
    order_generate,
    read,
)
from synapse_engine.gateway.ollama.keeping import keep_alive_seconds
from synapse_engine.gateway.ollama.template import render

JPEG = "/9j/4AAQ"
DEEP = b'{"options": {"a": ' + b"[" * 50_000


def chat(**asked: Any) -> dict[str, Any]:
    order = order_chat(read(msgspec.json.encode({"messages": [], **asked}), ChatAsked))
    assert order.path == b"/v1/chat/completions"
    assert order.body.pop("stream") is True
    assert order.body.pop("stream_options") == {"include_usage": True}
    return order.body


def generate(**asked: Any) -> tuple[str, dict[str, Any]]:
    order = order_generate(read(msgspec.json.encode(asked), GenerateAsked))
    assert order.body.pop("stream") is True
    order.body.pop("stream_options", None)
    return order.path.decode(), order.body


def test_options_by_llama_servers_names() -> None:
    options = {
        "num_predict": 5,
        "num_keep": 2,
        "temperature": 0,
        "top_k": 1,
        "min_p": 0.5,
        "repeat_penalty": 1.1,
        "seed": 7,
        "stop": ["a"],
        "num_ctx": 999,
        "num_gpu": 1,
        "penalize_newline": True,
        "top_p": None,
    }
    assert chat(options=options) == {
        "messages": [],
        "max_tokens": 5,
        "n_keep": 2,
        "temperature": 0,
        "top_k": 1,
        "min_p": 0.5,
        "repeat_penalty": 1.1,
        "seed": 7,
        "stop": ["a"],
    }
    asked = read(msgspec.json.encode({"options": options}), ChatAsked)
    assert chat(options={"num_predict": "many"})["max_tokens"] == "many"  # the server's to refuse
    assert ignored_options(asked) == {"num_ctx": "ctx_size", "num_gpu": "n_gpu_layers"}


@pytest.mark.parametrize("predict", [-1, -2])
def test_an_answer_without_a_limit(predict: int) -> None:
    assert chat(options={"num_predict": predict})["max_tokens"] == -1


@pytest.mark.parametrize(
    ("think", "kwargs"),
    [
        (True, {"enable_thinking": True}),
        (False, {"enable_thinking": False}),
        ("high", {"enable_thinking": True, "reasoning_effort": "high"}),
    ],
)
def test_thinking(think: bool | str, kwargs: dict[str, Any]) -> None:
    assert chat(think=think)["chat_template_kwargs"] == kwargs
    assert "chat_template_kwargs" not in chat()


def test_formats() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    for asked, kept in ((schema, schema), ("json", {"type": "object"})):
        form = chat(format=asked)["response_format"]
        assert (form["type"], form["json_schema"]["schema"]) == ("json_schema", kept)
        assert generate(prompt="x", raw=True, format=asked)[1]["json_schema"] == kept
    assert "response_format" not in chat(format="")
    with pytest.raises(BadRequest, match="Unknown format: xml"):
        chat(format="xml")


def test_pictures_are_data_urls() -> None:
    text = {"type": "text", "text": "Who?"}
    seen = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{JPEG}"}}
    messages = [{"role": "user", "content": "Who?", "images": [JPEG]}]
    assert chat(messages=messages)["messages"] == [{"role": "user", "content": [text, seen]}]
    path, body = generate(prompt="Who?", images=[JPEG])
    assert path == "/v1/chat/completions"
    assert body["messages"] == [{"role": "user", "content": [text, seen]}]


def test_tools_and_their_results_find_their_calls() -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]

    def call(name: str, **arguments: Any) -> dict[str, Any]:
        return {"function": {"name": name, "arguments": arguments}}

    two = [call("time"), call("weather", city="Rome")]
    body = chat(
        tools=tools,
        messages=[
            {"role": "user", "content": "?"},
            {
                "role": "assistant",
                "thinking": "hm",
                "tool_calls": two,
            },
            {"role": "tool", "tool_name": "weather", "content": "sunny"},
            {"role": "tool", "content": "noon"},
            {"role": "assistant", "tool_calls": [{"id": "mine", **call("time")}]},
            {"role": "tool", "tool_call_id": "mine", "content": "one"},
        ],
    )
    assert body["tools"] == tools
    assert [
        (m.get("tool_calls"), m.get("tool_call_id"), m.get("reasoning_content")) for m in body["messages"]
    ] == [
        (None, None, None),
        (
            [
                {"id": "call_1", "type": "function", "function": {"name": "time", "arguments": "{}"}},
                {
                    "id": "call_2",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
                },
            ],
            None,
            "hm",
        ),
        (None, "call_2", None),
        (None, "call_1", None),
        (
            [{"id": "mine", "type": "function", "function": {"name": "time", "arguments": "{}"}}],
            None,
            None,
        ),
        (None, "mine", None),
    ]


def test_a_prompt_becomes_a_chat() -> None:
    assert generate(prompt="Hi", system="Be kind", options={"seed": 1}) == (
        "/v1/chat/completions",
        {
            "messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Hi"}],
            "seed": 1,
        },
    )


def test_a_whole_prompt_goes_as_it_is() -> None:
    assert generate(prompt="<s>Hi", raw=True, options={"num_predict": 3}) == (
        "/completion",
        {"prompt": "<s>Hi", "max_tokens": 3},
    )
    path, body = generate(
        prompt="Hi", system="Be kind", template="[{{ .System }}] {{ .Prompt }}:{{ .Response }}!"
    )
    assert (path, body["prompt"]) == ("/completion", "[Be kind] Hi:")
    with pytest.raises(BadRequest, match="Images need"):
        generate(prompt="Hi", raw=True, images=[JPEG])


def test_what_is_null_is_unsaid() -> None:
    unsaid = dict.fromkeys(("suffix", "system", "template", "raw", "images", "format", "think", "options"))
    assert generate(prompt="Hi", **unsaid) == generate(prompt="Hi")
    assert generate(prompt=None, images=[JPEG])[1]["messages"][0]["content"][0]["text"] == ""
    assert generate(prompt=None, suffix="x") == ("/infill", {"input_prefix": "", "input_suffix": "x"})
    values = {"template": "[{{ .System }}]{{ .Prompt }}", "system": None, "prompt": None}
    assert generate(**values)[1]["prompt"] == "[]"
    call = {"id": None, "function": {"name": "time", "arguments": None}}
    (message,) = chat(messages=[{"role": "assistant", "content": None, "tool_calls": [call]}])["messages"]
    assert message["tool_calls"][0]["id"] == "call_1"
    assert message["tool_calls"][0]["function"]["arguments"] == "{}"
    read(b'{"model": "x", "name": null}', NameAsked)
    read(b'{"model": "x", "prompt": null}', EmbeddingsAsked)


def test_an_answer_that_the_client_has_begun() -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The capital"}]
    assert order_chat(read(msgspec.json.encode({"messages": messages}), ChatAsked)).begun == "The capital"
    assert order_chat(read(msgspec.json.encode({"messages": messages[:1]}), ChatAsked)).begun == ""


def test_a_gap_is_filled() -> None:
    assert generate(prompt="def f(", suffix="return 1") == (
        "/infill",
        {"input_prefix": "def f(", "input_suffix": "return 1"},
    )


@pytest.mark.parametrize("body", [b"", b"[]", b'{"messages": 1}', b'{"stream": "yes"}', b"\xff", DEEP])
def test_what_is_no_question(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read(body, ChatAsked)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (None, None),
        (0, 0.0),
        ("0", 0.0),
        ("0s", 0.0),
        (-1, math.inf),
        ("-1", math.inf),
        ("-1m", math.inf),
        (90, 90.0),
        (1.5, 1.5),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("250ms", 0.25),
    ],
)
def test_keep_alive(said: str | float | None, seconds: float | None) -> None:
    assert keep_alive_seconds(said) == seconds


@pytest.mark.parametrize("said", ["", "soon", "5 m", "5m!", "m", "nan"])
def test_no_keep_alive(said: str) -> None:
    with pytest.raises(BadRequest, match="Bad keep_alive"):
        keep_alive_seconds(said)


VALUES = {"System": "S", "Prompt": "P", "Suffix": "", "Response": ""}


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{{.Prompt}}", "P"),
        ("a {{- .Prompt -}} b", "aPb"),
        ("{{ if .System }}<{{ .System }}>{{ end }}{{ .Prompt }}", "<S>P"),
        ("{{ if .Suffix }}x{{ if .System }}y{{ end }}z{{ else }}no{{ end }}", "no"),
        ("{{ if .System }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ .Prompt }}{{ if .Suffix }}{{ .Response }}{{ end }}|{{ .Response }}ignored", "P|"),
        ("{{ if .System -}}\n  s\n{{- end }}", "s"),
    ],
)
def test_templates(template: str, rendered: str) -> None:
    assert render(template, VALUES) == rendered


@pytest.mark.parametrize(
    "template", ["{{ range .Messages }}{{ end }}", "{{ .Nobody }}", "{{ end }}", "{{ else }}", "{{ if }}"]
)
def test_templates_beyond_us(template: str) -> None:
    with pytest.raises(BadRequest, match="Template not understood"):
        render(template, VALUES)
