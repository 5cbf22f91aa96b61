"""Variants of a real model: one process answers in several ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.serving import Serving, serving, serving_environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MODEL = "smollm2_135m_fast"
# The first shows that it is there by what it makes of the prompt, the second by what it makes of the answer.
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}<|im_start|>assistant\n{{ opening | default('') }}"
)
PARIS = {
    "name": "geographer",
    "system_prompt": "You are a geographer. The capital of Freedonia is Marxville.",
    "sampling": {"temperature": 0, "max_tokens": 24},
}
SHORT = {"name": "short", "sampling": {"temperature": 0, "max_tokens": 3}}
OPENED = {
    "name": "opened",
    "sampling": {"temperature": 0, "max_tokens": 8},
    "chat_template_kwargs": {"opening": "The answer to everything is 42, because"},
}
QUESTION = "What is the capital of Freedonia?"


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("variants")
    models = folder / "models"
    models.mkdir()
    (models / smollm2_path.name).symlink_to(smollm2_path)
    template = folder / "template.jinja"
    template.write_text(TEMPLATE)
    with serving(serving_environment(folder / "data", models)) as serve:
        settings = {
            "variants": [PARIS, SHORT, OPENED],
            "jinja": True,
            "chat_template_file": str(template),
            "ctx_size": 2048,
        }
        edited = serve.http.patch(f"/api/models/{MODEL}", json={"enabled": True, "settings": settings})
        assert edited.status_code == 200, edited.text
        yield serve


def post(serve: Serving, path: str, model: str, **asked: Any) -> dict[str, Any]:
    answer = serve.http.post(path, json={"model": model, **asked})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def chat(serve: Serving, model: str, **asked: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": QUESTION}]
    return post(serve, "/v1/chat/completions", model, messages=messages, **asked)


def said(answer: dict[str, Any]) -> str:
    content: str = answer["choices"][0]["message"]["content"]
    return content


def test_each_answers_in_its_way_and_one_process_does_it(serve: Serving) -> None:
    plain = chat(serve, MODEL, temperature=0, max_tokens=24)
    assert "Marxville" not in said(plain)
    geographer = chat(serve, "geographer")
    assert "Marxville" in said(geographer)
    assert geographer["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]
    assert chat(serve, "short")["usage"]["completion_tokens"] == 3
    opened = chat(serve, "opened")
    assert opened["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]
    # What a request says itself goes before.
    assert chat(serve, f"{MODEL}:short", max_tokens=5)["usage"]["completion_tokens"] == 5
    servers = serve.http.get("/api/models/servers").json()
    assert [(server["model_id"], server["status"]) for server in servers["servers"]] == [(MODEL, "running")]
    assert len([child for child in serve.children() if "llama-server" in child.name()]) == 1
    calls = serve.http.get("/api/activity").json()["calls"]
    while len(calls) < 5:
        calls = serve.http.get("/api/activity").json()["calls"]
    assert [call["variant"] for call in reversed(calls)] == [None, "geographer", "short", "opened", "short"]
    assert {call["model_id"] for call in calls} == {MODEL}


def test_the_answer_names_the_model_that_answered(serve: Serving) -> None:
    names = (MODEL, "short", f"{MODEL}:short")
    assert {chat(serve, name, max_tokens=1)["model"] for name in names} == {MODEL}


def test_the_other_endpoints(serve: Serving) -> None:
    messages = [{"role": "user", "content": QUESTION}]
    asked = {"messages": messages, "max_tokens": 24}
    message = post(serve, "/v1/messages", "geographer", **asked)
    assert "Marxville" in message["content"][0]["text"]
    counts = [
        post(serve, "/v1/messages/count_tokens", name, messages=messages)["input_tokens"]
        for name in (MODEL, "geographer")
    ]
    assert counts[1] > counts[0] + 5
    response = post(serve, "/v1/responses", "geographer", input=QUESTION, max_output_tokens=24)
    assert "Marxville" in response["output"][-1]["content"][0]["text"]
    completion = post(serve, "/v1/completions", "short", prompt="Once upon a time")
    assert completion["usage"]["completion_tokens"] == 3
