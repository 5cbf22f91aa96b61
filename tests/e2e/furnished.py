"""A control plane with something of everything on its page: what axe looks at, and what the pictures show."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.killing import until
from tests.e2e.serving import Serving, serving, serving_environment
from tests.gguf_files import write_llama

from synapse_engine.launch.engine import find_engine

RUNNING, ALSO_RUNNING, THIRD = "smollm2_135m_fast", "lighthouse_135m_fast", "harbour_135m_fast"
FAILED, STOPPED = "tiny_llama_1b_fast", "qwen2.5_coder_7b_fast"
NAMES = {
    RUNNING: "SmolLM2 135M Instruct (Q4_1)",
    ALSO_RUNNING: "Lighthouse 135M Chat (Q4_1)",
    THIRD: "Harbour 135M Chat (Q4_1)",
    FAILED: "Tiny Llama 1B Instruct (F32)",
    STOPPED: "Qwen2.5 Coder 7B (F32)",
}
QUESTION = "Why is the sky blue?"


@contextmanager
def furnished(folder: Path, model: Path, *, tokens: int = 16) -> Iterator[Serving]:
    """Three that run, one that has failed, one that is stopped; a benchmark's figures, an upstream, a file
    that is skipped, and a council's answer of at most so many tokens a turn."""
    models = folder / "models"
    models.mkdir(parents=True)
    for stem in ("SmolLM2-135M-Instruct", "Lighthouse-135M-Chat", "Harbour-135M-Chat"):
        # One that is linked would be the same model; a copy is one more.
        shutil.copy(model, models / f"{stem}.Q4_1.gguf")
    write_llama(models / "Tiny-Llama-1B-Instruct-F32.gguf")
    write_llama(models / "Qwen2.5-Coder-7B-F32.gguf", seed=2)
    with open(model, "rb") as whole:
        (models / "cut-in-half-7B-Q4_K_M.gguf").write_bytes(whole.read(5_000_000))
    # By a path that says nothing of the machine that the pictures are made on.
    engine = folder / "bin" / "llama-server"
    engine.parent.mkdir()
    engine.symlink_to(find_engine(None, None))
    environment = serving_environment(folder / "data", models) | {"LLAMA_SERVER_PATH": str(engine)}
    with serving(environment) as plane:
        run_models(plane)
        keep_results(plane, tokens)
        yield plane


def run_models(plane: Serving) -> None:
    # One thread each, as a browser works beside them.
    settings = {"ctx_size": 4096, "parallel": 1, "threads": 1, "n_predict": 48}
    for model_id, tier in ((RUNNING, "fast"), (ALSO_RUNNING, "balanced"), (THIRD, "powerful")):
        edit = {"enabled": True, "tier": tier, "settings": settings}
        plane.http.patch(f"/api/models/{model_id}", json=edit).raise_for_status()
    broken = {"enabled": True, "settings": {"cache_type_k": "no_such_type"}}
    plane.http.patch(f"/api/models/{FAILED}", json=broken).raise_for_status()
    started = plane.http.post("/api/models/servers/start-all").json()
    assert (started["started"], len(started["failed"])) == (3, 1), started


def keep_results(plane: Serving, tokens: int) -> None:
    asked = {"query": QUESTION, "mode": "council", "options": {"max_tokens": tokens}}
    plane.http.post("/api/query", json=asked).raise_for_status()
    benchmark(plane)
    upstream = {"url": f"{plane.url}/v1"}
    plane.http.put("/api/upstreams/box", json=upstream).raise_for_status()


def benchmark(plane: Serving) -> None:
    """A short run of two models, from beginning to end."""
    prompts = [{"text": "What is the capital of France?", "max_tokens": 8, "fixed_length": True}]
    run = {"models": [RUNNING, ALSO_RUNNING], "prompts": prompts, "repetitions": 1}
    begun = plane.http.post("/api/benchmarks", json=run)
    begun.raise_for_status()
    path = f"/api/benchmarks/{begun.json()['id']}"
    until(lambda: plane.http.get(path).json()["status"] == "done", 60)
