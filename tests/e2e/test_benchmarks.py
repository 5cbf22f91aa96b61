"""Benchmarks with the real command: speeds held against the servers' own logs, Ctrl-C, a kill, the shell."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.killing import ControlPlane, engines_of, until
from tests.e2e.serving import COMMAND, Serving, serving, serving_environment
from tests.fakes.control_plane import write_model
from tests.fakes.stage import Behaviour, write_engine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ALPHA, BETA, GAMMA = "alpha_135m_fast", "beta_135m_fast", "gamma_135m_fast"
SHARE = 0.05
TIMING = re.compile(r"task \d+ \| +(prompt eval|eval) time = +([\d.]+) ms / +(\d+) tokens")
CHAT: list[dict[str, Any]] = [
    {"choices": [{"delta": {"content": "Yes"}}]},
    {"choices": [{"delta": {"content": "."}, "finish_reason": "stop"}]},
    {"choices": [], "timings": {"prompt_n": 5, "cache_n": 0, "prompt_per_second": 90.5, "predicted_n": 2}},
]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def fakes(tmp_path: Path, models: Path) -> dict[str, str]:
    """The environment of one with three models that answer at once."""
    for name in ("Alpha", "Beta", "Gamma"):
        Behaviour(events=CHAT).write(write_model(models / f"{name}-135M.gguf"), None)
    engine = write_engine(tmp_path / "llama-server", sys.executable)
    return serving_environment(tmp_path / "data", models) | {"LLAMA_SERVER_PATH": str(engine)}


@contextmanager
def watched(serve: Serving) -> Iterator[list[set[int]]]:
    """Which engines run, as the system has it, again and again."""
    seen: list[set[int]] = []
    done = threading.Event()
    children = Path(f"/proc/{serve.process.pid}/task/{serve.process.pid}/children")

    def look() -> None:
        while not done.wait(0.02):
            seen.append({int(pid) for pid in children.read_text().split() if _has_model(pid)})

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def _has_model(pid: str) -> bool:
    """Else it is only asked for its version or devices, or is dead and not reaped yet."""
    with contextlib.suppress(OSError):
        return b"\0--model\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def fleet(http: Any) -> tuple[dict[str, str], set[str]]:
    """What runs, and what may not be started by requests."""
    servers = http.get("/api/models/servers").json()["servers"]
    registry = http.get("/api/models/registry").json()["models"]
    return (
        {server["model_id"]: server["status"] for server in servers},
        {model["model_id"] for model in registry if model["held"]},
    )


def own_timings(data: Path, model_id: str) -> list[tuple[float, float]]:
    """Prompt and generation speed of every request, as the server wrote them into its log."""
    logs = sorted((data / "logs").glob(f"{model_id}*.log"), key=lambda path: path.stat().st_mtime)
    found = [TIMING.search(line) for path in logs for line in path.read_text().splitlines()]
    speeds = [(line[1], int(line[3]) / float(line[2]) * 1000) for line in found if line]
    return [
        (prompt, output)
        for (kind, prompt), (next_kind, output) in pairwise(speeds)
        if (kind, next_kind) == ("prompt eval", "eval")
    ]


def agree(samples: list[Any], timings: list[tuple[float, float]]) -> bool:
    """Whether these are the speeds of these requests, one after another."""
    return all(
        sample["prompt_per_second"] == pytest.approx(prompt, rel=SHARE)
        and sample["output_per_second"] == pytest.approx(output, rel=SHARE)
        for sample, (prompt, output) in zip(samples, timings, strict=True)
    )


def test_real_models_one_after_another(tmp_path: Path, models: Path, smollm2_path: Path) -> None:
    for name in ("Alpha", "Beta"):
        shutil.copy(smollm2_path, models / f"{name}-135M.Q4_1.gguf")
    with serving(serving_environment(tmp_path / "data", models)) as serve:
        for model_id in (ALPHA, BETA):
            # Several threads wait for each other, which takes long where others keep the machine busy.
            serve.http.patch(f"/api/models/{model_id}", json={"settings": {"threads": 1}}).raise_for_status()
        assert serve.synapse("start", ALPHA).returncode == 0
        serve.http.post(f"/api/models/servers/{BETA}/stop").raise_for_status()
        before, before_pids = fleet(serve.http), engines_of(models)
        assert before == ({ALPHA: "running"}, {BETA})
        with watched(serve) as seen:
            ask = {
                "models": [ALPHA, BETA],
                "manner": "isolated",
                "prompts": [
                    {"text": "What is the capital of France? Answer in one sentence.", "max_tokens": 8},
                    {"text": "Tell me a story about a lighthouse.", "max_tokens": 8, "fixed_length": True},
                ],
                "repetitions": 2,
            }
            begun = serve.http.post("/api/benchmarks", json=ask).json()
            path = f"/api/benchmarks/{begun['id']}"
            until(lambda: serve.http.get(path).json()["status"] not in ("queued", "running"), 240)
        after = fleet(serve.http)
        whole = serve.http.get(path).json()
        assert whole["status"] == "done", whole
        assert after == before
        # Never two at a time, and each of them at some time.
        assert max(len(pids) for pids in seen) == 1
        assert len(set().union(*seen) - before_pids) == 3
        for model_id in (ALPHA, BETA):
            samples = [sample for sample in whole["samples"] if sample["model"] == model_id]
            assert len(samples) == 4 and not any(sample["error"] for sample in samples)
            timings = own_timings(tmp_path / "data", model_id)
            # One before them was the warm-up.
            places = range(1, len(timings) - len(samples) + 1)
            assert any(agree(samples, timings[at : at + len(samples)]) for at in places), (samples, timings)
            for sample in samples:
                assert sample["cached_tokens"] == 0 and sample["other_requests"] == 0
                reading = sample["prompt_tokens"] / sample["prompt_per_second"]
                assert reading * (1 - SHARE) <= sample["first_token_seconds"] < sample["total_seconds"]
            assert [s["output_tokens"] for s in samples if s["prompt"] == 1] == [8, 8]
            # Seed and temperature are fixed.
            assert len({s["text"] for s in samples if s["prompt"] == 1}) == 1
        first, second = whole["by_model"]
        assert first["load_seconds"] > 0 and second["load_seconds"] > 0
        assert first["memory_used_mb"] > first["memory_private_mb"] > 50


def test_an_interrupt_cancels_and_the_fleet_is_put_back(models: Path, fakes: dict[str, str]) -> None:
    Behaviour(events=CHAT, pace_seconds=60.0).write(models / "Beta-135M.gguf", None)
    with serving(fakes) as serve:
        assert serve.synapse("start", ALPHA, GAMMA).returncode == 0
        before = fleet(serve.http)
        bench = subprocess.Popen(
            [*COMMAND, "bench", ALPHA, BETA, "--isolated", "-r", "1"],
            env=fakes,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Beta's warm-up does not come to its end.
        until(lambda: (running(serve) or {}).get("now", {}).get("model") == BETA)
        until(lambda: fleet(serve.http)[0] == {BETA: "running"})
        bench.send_signal(signal.SIGINT)
        said, problems = bench.communicate(timeout=60)
        assert bench.returncode == 1
        assert "Cancelled; the fleet is being put back" in problems
        assert "cancelled, 3 of " in said and ALPHA in said
        assert fleet(serve.http) == before
        assert running(serve) is None


def running(serve: Serving) -> dict[str, Any] | None:
    listed = serve.http.get("/api/benchmarks").json()["benchmarks"]
    return next((each for each in listed if each["status"] in ("queued", "running")), None)


def test_killed_in_its_midst_the_next_one_puts_the_fleet_back(
    tmp_path: Path, models: Path, fakes: dict[str, str]
) -> None:
    Behaviour(events=CHAT, pace_seconds=60.0).write(models / "Beta-135M.gguf", None)
    with ControlPlane(fakes, tmp_path) as plane:
        for model_id in (ALPHA, GAMMA):
            plane.http.post(f"/api/models/servers/{model_id}/start").raise_for_status()
        before = fleet(plane.http)
        ask = {"models": [ALPHA, BETA], "manner": "isolated", "warm_ups": 0, "repetitions": 1}
        path = f"/api/benchmarks/{plane.http.post('/api/benchmarks', json=ask).json()['id']}"
        until(lambda: plane.http.get(path).json()["done_requests"] == 3)
        until(lambda: fleet(plane.http)[0] == {BETA: "running"})
        plane.kill_and_start_again()
        until(lambda: fleet(plane.http) == before)
        whole = plane.http.get(path).json()
        assert (whole["status"], whole["error"]["error"]) == ("interrupted", "Interrupted")
        assert [sample["model"] for sample in whole["samples"]] == [ALPHA] * 3
        assert len(engines_of(models)) == 2
        # Ended properly, servers and all, it leaves nothing to put back.
        again = plane.http.post("/api/benchmarks", json=ask).json()["id"]
        until(lambda: fleet(plane.http)[0] == {BETA: "running"})
        plane.end()
        assert engines_of(models) == set()
        plane.start_again()
        assert plane.http.get(f"/api/benchmarks/{again}").json()["status"] == "interrupted"
        assert fleet(plane.http)[0] == {}


def test_what_the_shell_says(tmp_path: Path, fakes: dict[str, str]) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("Hello,\nyou.\n---\n\n---\nWho are you?\n")
    with serving(fakes) as serve:
        assert serve.synapse("bench", "--list").stdout == "No benchmark yet.\n"
        nobody = serve.synapse("bench")
        assert (nobody.returncode, nobody.stderr.splitlines()[0]) == (1, "No model to ask")
        unknown = serve.synapse("bench", "nobody")
        assert (unknown.returncode, unknown.stderr.splitlines()[0]) == (1, "Model not found: nobody")

        table = serve.synapse("bench", ALPHA, BETA, "--prompt", "Hi", "-r", "2", "--title", "Mine")
        assert table.returncode == 0, table.stderr
        first, _, head, _, alpha, beta, *rest = table.stdout.splitlines()
        assert first == "benchmark 1: done, 4 of 4"
        assert head.split()[:3] == ["model", "first", "token"]
        assert alpha.split()[0] == ALPHA and "90.5 (90.5 to 90.5)" in alpha
        assert beta.split()[0] == BETA
        assert "Every prompt is read anew (cache_prompt: false)." in rest

        arguments = ("bench", ALPHA, "--file", str(prompts), "--isolated", "-r", "1", "--judge")
        refused = serve.synapse(*arguments, BETA)
        assert (refused.returncode, refused.stderr.splitlines()[0]) == (1, f"judge: {BETA}")
        whole = json.loads(serve.synapse(*arguments[:-1], "--json").stdout)
        assert [each["prompt"]["text"] for each in whole["results"]] == ["Hello,\nyou.", "Who are you?"]
        assert (whole["manner"], whole["status"]) == ("isolated", "done")

        rows = list(csv.DictReader(io.StringIO(serve.synapse("bench", "--show", "1", "--csv").stdout)))
        assert [(row["model"], row["answer"]) for row in rows[:2]] == [(ALPHA, "Yes."), (BETA, "Yes.")]
        assert serve.synapse("bench", "--show", "1", "--markdown").stdout.startswith("# Mine\n")
        listed = serve.synapse("bench", "--list").stdout.splitlines()
        assert [line.split()[0] for line in listed[2:]] == ["2", "1"]
        compared = serve.synapse("bench", "--compare", "1", "1").stdout
        assert "Benchmark 1 divided by benchmark 1" in compared and "1.00x (1.00 to 1.00)" in compared
        assert "chat" in serve.synapse("bench", "--sets").stdout
        assert serve.synapse("bench", "--cancel", "1").stdout == "benchmark 1: done, 4 of 4\n"
        assert serve.synapse("bench", "--delete", "1").stdout == "Benchmark deleted\n"
        gone = serve.synapse("bench", "--show", "1")
        assert (gone.returncode, gone.stderr.splitlines()[0]) == (1, "Benchmark not found: 1")
