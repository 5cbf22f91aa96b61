"""The real llama-server: a real model answers through the gateway, and five at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.serving import Serving, serving, serving_environment
from tests.fakes.rig import is_alive
from tests.gguf_files import write_llama

from synapse_engine.launch.command import RESERVED, RESERVED_ENV
from synapse_engine.launch.engine import Engines

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

QUESTION = "What is the capital of France? Answer in one sentence."
SMOLLM = "smollm2_135m_fast"
SYNTHETIC = ("red", "green", "blue", "white")


@pytest.fixture
def serve(tmp_path: Path, smollm2_path: Path) -> Iterator[Serving]:
    models = tmp_path / "models"
    models.mkdir()
    (models / smollm2_path.name).symlink_to(smollm2_path)
    for seed, name in enumerate(SYNTHETIC):
        write_llama(models / f"{name}-1B.gguf", seed=seed)
    with serving(serving_environment(tmp_path / "data", models)) as serve:
        yield serve


def ask(serve: Serving, model: str, **more: object) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 16}
    answer = serve.http.post("/v1/chat/completions", json=body | {"temperature": 0} | more)
    assert answer.status_code == 200, answer.text
    content: str = answer.json()["choices"][0]["message"]["content"]
    return content


def test_the_capital_of_france(serve: Serving) -> None:
    started = serve.http.post(f"/api/models/servers/{SMOLLM}/start")
    assert started.status_code == 200, started.text
    assert started.json()["startup_time_seconds"] < 30
    assert "Paris" in ask(serve, SMOLLM)
    body = {
        "model": "SmolLM2-135M-Instruct.Q4_1",
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": 16,
        "temperature": 0,
        "stream": True,
    }
    words, chunks = "", 0
    with serve.http.stream("POST", "/v1/chat/completions", json=body) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                chunks += 1
                delta = json.loads(line.removeprefix("data: "))["choices"][0]["delta"]
                words += delta.get("content") or ""
    assert "Paris" in words and chunks > 3
    (server,) = serve.http.get("/api/models/servers").json()["servers"]
    assert server["status"] == "running" and server["memory_used_mb"] > 50
    assert serve.http.get(f"/api/models/servers/{SMOLLM}/logs?tail=5").json()["lines"]


def test_five_at_once(serve: Serving) -> None:
    serve.http.post("/api/models/enable", json={"enabled": True}).raise_for_status()
    answer = serve.http.post("/api/models/servers/start-all").json()
    assert answer["message"] == "Started 5/5 servers", answer["failed"]
    assert len({model["port"] for model in answer["models"]}) == 5
    servers = serve.http.get("/api/models/servers").json()
    assert servers["total_running"] == 5
    for server in servers["servers"]:
        ask(serve, server["model_id"])
    stopped = serve.http.post("/api/models/servers/stop-all").json()
    assert stopped["message"] == "Stopped 5 servers"
    assert not any(is_alive(server["pid"]) for server in servers["servers"])
    assert not serve.children()


def test_a_real_failure_is_said_in_words(serve: Serving, tmp_path: Path) -> None:
    write_llama(tmp_path / "models" / "odd-1B.gguf", architecture="nosucharch")
    serve.http.post("/api/models/rescan").raise_for_status()
    response = serve.http.post("/api/models/servers/odd-1B/start")
    assert response.status_code == 500
    reason = "This engine does not know the architecture nosucharch (exit code 1)"
    assert response.json()["detail"].startswith(reason), response.text


def test_what_would_misdirect_the_engine_is_not_inherited(tmp_path: Path) -> None:
    write_llama(tmp_path / "models" / "red-1B.gguf")
    misleading = {
        "LLAMA_ARG_API_PREFIX": "/elsewhere",
        "LLAMA_ARG_MODELS_DIR": str(tmp_path),
        "LLAMA_SERVER_ROUTER_PORT": "1",
    }
    environment = serving_environment(tmp_path / "data", tmp_path / "models") | misleading
    with serving(environment) as serve:
        started = serve.http.post("/api/models/servers/red-1B/start")
        assert started.status_code == 200, started.text
        refused = serve.http.patch("/api/models/red-1B", json={"settings": {"env": misleading}})
        assert (refused.status_code, refused.json()["error"]) == (
            422,
            "Reserved setting: env.LLAMA_ARG_API_PREFIX",
        )
        ask(serve, "red-1B")


async def test_no_reserved_option_can_come_by_the_environment() -> None:
    engine = await Engines(None).current()
    found = {name: engine.flag(name) for name in RESERVED}
    assert {flag.env for flag in found.values() if flag and flag.env} <= RESERVED_ENV
    assert sum(flag is not None for flag in found.values()) > 10


def test_a_real_one_with_settings(serve: Serving) -> None:
    path = f"/api/models/{SMOLLM}"
    edit = {"ctx_size": 512, "mmap": False, "flash_attn": True, "parallel": 2, "extra_args": ["--no-warmup"]}
    assert serve.http.patch(path, json={"settings": edit}).status_code == 200
    assert serve.http.patch(path, json={"settings": {"no_such_option": 1}}).status_code == 422
    serve.http.post(f"/api/models/servers/{SMOLLM}/start").raise_for_status()
    log = "\n".join(serve.http.get(f"/api/models/servers/{SMOLLM}/logs?tail=1000").json()["lines"])
    assert "n_slots = 2" in log or "slots" in log
    assert ask(serve, SMOLLM)


def test_a_model_drafts_with_the_small_one_beside_it(tmp_path: Path) -> None:
    models = tmp_path / "models"
    write_llama(models / "big-2B.gguf", layers=8, embedding=128)
    write_llama(models / "big-draft.gguf", layers=1)
    with serving(serving_environment(tmp_path / "data", models)) as serve:
        (model,) = serve.http.get("/api/models/registry").json()["models"]
        start = f"/api/models/servers/{model['model_id']}/start"
        body = {"model": model["model_id"], "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}
        assert serve.http.post(start).status_code == 200
        assert serve.http.post("/v1/chat/completions", json=body).json()["timings"]["draft_n"] > 0
        serve.http.post(start.removesuffix("start") + "stop")
        serve.http.patch(f"/api/models/{model['model_id']}", json={"settings": {"model_draft": ""}})
        assert serve.http.post(start).status_code == 200
        assert "draft_n" not in serve.http.post("/v1/chat/completions", json=body).json()["timings"]
