"""Downloads with the real command: killed in their midst, interrupted, and a real model that then answers."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.killing import ControlPlane, until
from tests.e2e.serving import COMMAND, serving, serving_environment
from tests.fakes.hub import FakeHub, hub_aside
from tests.gguf_files import build_file

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

REPO = "org/Tiny-1B-GGUF"
HEADER = build_file({"general.architecture": "llama", "llama.context_length": 4096})
MODEL = HEADER + random.Random(1).randbytes(3_000_000)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with hub_aside() as hub:
        hub.add(REPO, {"Tiny-1B-Q8_0.gguf": MODEL})
        yield hub


@pytest.fixture
def environment(tmp_path: Path, hub: FakeHub) -> dict[str, str]:
    models = tmp_path / "models"
    models.mkdir()
    return serving_environment(tmp_path / "data", models) | {"HF_ENDPOINT": hub.endpoint}


def only_download(plane: ControlPlane) -> Any:
    (download,) = plane.http.get("/api/downloads").json()["downloads"]
    return download


def test_killed_in_its_midst_again_and_again(
    tmp_path: Path, hub: FakeHub, environment: dict[str, str]
) -> None:
    hub.bytes_per_second = 1_000_000
    folder = tmp_path / "data" / "models" / "huggingface.co" / REPO
    with ControlPlane(environment, tmp_path) as plane:
        plane.http.post("/api/downloads", json={"repo": REPO}).raise_for_status()
        for share in (0.2, 0.5, 0.8):
            until(lambda share=share: only_download(plane)["progress"] > share)  # type: ignore[misc]
            plane.kill_and_start_again()
            # Nothing of it was taken for a model, by those who were here before or by who came.
            assert plane.http.get("/api/models/registry").json()["models"] == []
            assert {path.suffix for path in folder.iterdir()} == {".part"}
        hub.bytes_per_second = None
        until(lambda: only_download(plane)["status"] == "done")
        assert only_download(plane)["model_id"] == "tiny_1b_fast"
    assert [path.name for path in folder.iterdir()] == ["Tiny-1B-Q8_0.gguf"]
    assert (folder / "Tiny-1B-Q8_0.gguf").read_bytes() == MODEL
    begun = [int(asked.removeprefix("bytes=").rstrip("-") or 0) for asked in hub.ranges()]
    assert len(begun) == 4
    assert begun == sorted(begun) and begun[1] > 0.15 * len(MODEL)


def test_an_interrupted_pull_is_paused_and_goes_on(hub: FakeHub, environment: dict[str, str]) -> None:
    hub.bytes_per_second = 500_000
    with serving(environment) as serve:
        pulling = subprocess.Popen(
            [*COMMAND, "pull", REPO],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: any(d["progress"] > 0.1 for d in serve.http.get("/api/downloads").json()["downloads"]))
        pulling.send_signal(signal.SIGINT)
        _, said = pulling.communicate(timeout=30)
        assert (pulling.returncode, "The download is paused" in said) == (1, True), said
        (paused,) = serve.http.get("/api/downloads").json()["downloads"]
        assert paused["status"] == "paused"
        hub.bytes_per_second = None
        ended = serve.synapse("pull", f"{REPO}:Q8_0")
        assert (ended.returncode, ended.stdout) == (
            0,
            "tiny_1b_fast is there. Start it with: synapse start tiny_1b_fast\n",
        )
        assert hub.ranges()[-1].startswith("bytes=")


def test_what_the_shell_says(hub: FakeHub, environment: dict[str, str]) -> None:
    hub.add("org/private", {"p.gguf": HEADER}, token="hf_right")
    with serving(environment) as serve:
        listed = serve.synapse("pull", REPO, "--list")
        assert listed.stdout.splitlines()[2].split() == [
            "x",
            "Q8_0",
            "3",
            "303.6",
            "yes",
            "Tiny-1B-Q8_0.gguf",
        ]
        assert json.loads(serve.synapse("pull", REPO, "--list", "--json").stdout)["repo"] == REPO
        refused = serve.synapse("pull", "org/private")
        assert refused.returncode == 1
        assert refused.stderr.startswith("Repository not found: org/private\n")
        assert "set HF_TOKEN" in refused.stderr
        done = json.loads(serve.synapse("pull", REPO, "--json").stdout)
        assert (done["status"], done["model_id"]) == ("done", "tiny_1b_fast")


def test_a_real_model_comes_and_answers(
    tmp_path: Path, hub: FakeHub, environment: dict[str, str], smollm2_path: Path
) -> None:
    hub.add("org/SmolLM2-GGUF", {smollm2_path.name: smollm2_path.read_bytes()})
    with serving(environment) as serve:
        assert serve.synapse("pull", "org/SmolLM2-GGUF").returncode == 0
        assert serve.synapse("start", "smollm2_135m_fast").returncode == 0
        question = "What is the capital of France? Answer in one sentence."
        chat = {
            "model": "org/SmolLM2-GGUF",
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
        }
        answer = serve.http.post("/v1/chat/completions", json=chat).json()
        assert "Paris" in answer["choices"][0]["message"]["content"]
