"""One `synapse serve` as the upstream of another, with the real llama-server behind it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.serving import Serving, serving, serving_environment

from synapse_engine.gateway.names import MODES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MODEL = "smollm2_135m_fast"
CHAT = "/v1/chat/completions"
ASKED = {
    "model": f"far/{MODEL}",
    "messages": [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}],
    "max_tokens": 16,
    "temperature": 0,
}


@pytest.fixture
def far(tmp_path: Path, smollm2_path: Path) -> Iterator[Serving]:
    models = tmp_path / "models"
    models.mkdir()
    (models / smollm2_path.name).symlink_to(smollm2_path)
    environment = serving_environment(tmp_path / "far", models) | {"SYNAPSE_API_KEY": "theirs"}
    with serving(environment) as far:
        far.http.headers["authorization"] = "Bearer theirs"
        far.http.patch(f"/api/models/{MODEL}", json={"enabled": True}).raise_for_status()
        yield far


def test_a_model_of_another_machine(tmp_path: Path, far: Serving) -> None:
    environment = serving_environment(tmp_path / "near", tmp_path / "none")
    with serving(environment) as near:
        put = near.http.put("/api/upstreams/far", json={"url": f"{far.url}/v1", "api_key": "theirs"})
        assert put.json()["models"] == [MODEL, *MODES], put.text
        assert [model["id"] for model in near.http.get("/v1/models").json()["data"]] == [
            f"far/{name}" for name in (MODEL, *MODES)
        ]
        answer = near.http.post(CHAT, json=ASKED)
        assert "Paris" in answer.json()["choices"][0]["message"]["content"], answer.text
    # Its key is kept, and whole streams pass.
    with serving(environment) as near:
        words = ""
        with near.http.stream("POST", CHAT, json=ASKED | {"stream": True}) as response:
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    choices = json.loads(line.removeprefix("data: "))["choices"]
                    words += choices[0]["delta"].get("content") or "" if choices else ""
        assert "Paris" in words
        far.end(signal.SIGINT)
        refused = near.http.post(CHAT, json=ASKED)
        assert refused.status_code == 502
        assert refused.json()["error"]["message"].startswith(
            "The upstream far did not answer. Connection ref"
        )
        calls: list[dict[str, Any]] = []
        while not calls or not calls[0]["stream"]:
            calls = near.http.get("/api/activity?outcome=ok").json()["calls"]
        call = calls[0]
        assert (call["model_id"], call["stream"], call["output_tokens"] > 3) == (f"far/{MODEL}", True, True)
