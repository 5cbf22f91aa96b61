"""What Prometheus sees, read by its own client library; and that what is asked of it is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from tests.fakes.control_plane import ControlPlane
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour

from synapse_engine.metrics import Family, Histogram, Sample, ServerCounts, exposition

DEPLOY = Path(__file__).parent.parent / "deploy"
EXPRESSION = re.compile(r"expr: (.*(?:\n {10}.*)*)")
NAME = re.compile(r"\b(?:synapse|process)_[a-z_]+\b")

Read = dict[tuple[str, tuple[str, ...]], float]


def read(text: str) -> Read:
    """Value by name and label values."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_histogram() -> None:
    histogram = Histogram((1.0, 2.5))
    for value in (0.5, 1.0, 2.0, 99.0):
        histogram.observe(value)
    values = read(exposition([Family("h", "histogram", "of loads", histogram.samples({"model": "a"}))]))
    assert values == {
        ("h_bucket", ("a", "1")): 2,
        ("h_bucket", ("a", "2.5")): 3,
        ("h_bucket", ("a", "+Inf")): 4,
        ("h_sum", ("a",)): 102.5,
        ("h_count", ("a",)): 4,
    }


def test_labels_may_hold_anything() -> None:
    odd = 'back\\slash "quoted"\nbroken'
    assert read(exposition([Family("g", "gauge", "odd", [Sample(0.5, {"model": odd})])])) == {
        ("g", (odd,)): 0.5
    }


def test_what_becomes_of_servers_is_counted() -> None:
    now = 0.0
    counts = ServerCounts(lambda: now)
    lives = {
        "fine": "queued starting starting ready stopping stopped",
        "broken": "queued starting failed",
        "crashing": "queued starting ready backoff starting ready backoff starting backoff failed",
        "adopted": "starting ready",
    }
    for model_id, states in lives.items():
        for state in states.split():
            counts.see(model_id, state)
            now += 1
    values = read(exposition(counts.families()))

    def of(name: str) -> dict[str, float]:
        return {labels[0]: value for (found, labels), value in values.items() if found == name and value}

    assert of("synapse_server_starts_total") == {"fine": 1, "broken": 1, "crashing": 3}
    assert of("synapse_server_failures_total") == {"broken": 1, "crashing": 3}
    assert of("synapse_server_restarts_total") == {"crashing": 2}
    assert of("synapse_server_load_seconds_count") == {"fine": 1, "crashing": 2}
    assert of("synapse_server_load_seconds_sum") == {"fine": 2, "crashing": 2}


async def test_the_control_plane_tells(plane: ControlPlane) -> None:
    good = await plane.add("Qwen-7B-Q4_K_M.gguf")
    bad = await plane.add("Llama-3B-Q4_K_M.gguf", Behaviour(exit_code=1))
    await plane.start(good)
    await plane.post(f"/api/models/servers/{bad}/start")
    answer = await plane.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = read(answer.text)
    assert values["synapse_server_state", (good, "1", "running")] == 1
    assert values["synapse_server_state", (good, "1", "stopped")] == 0
    assert values["synapse_server_state", (bad, "1", "failed")] == 1
    assert values["synapse_server_failures_total", (bad,)] == 1
    assert values["synapse_server_memory_resident_bytes", (good, "1")] > 0
    assert values["synapse_models", ()] == 2
    assert values["process_cpu_seconds_total", ()] > 0


async def test_requests_are_counted_and_measured(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(streams_when_told=True))
    actor = await plane.start(model_id)
    for name in (model_id, model_id, "nobody"):
        await plane.post("/v1/chat/completions", json_of(name))
    await until(lambda: not plane.services.recorder.activity.live)
    await plane.services.recorder.flush()
    async with plane.http.stream("POST", "/v1/chat/completions", json=json_of(model_id, stream=True)) as r:
        pieces = r.aiter_raw()
        await anext(pieces)
        values = read((await plane.get("/metrics")).text)
        assert values["synapse_requests_in_flight", (model_id,)] == 1
    await actor.saw("client left")
    assert values["synapse_requests_total", (model_id, "openai", "ok")] == 2
    assert values["synapse_requests_total", ("", "openai", "refused")] == 1
    assert values["synapse_requests_unrecorded_total", ()] == 0
    for name in ("synapse_request_seconds", "synapse_request_first_byte_seconds"):
        assert values[f"{name}_count", (model_id,)] == 2
        assert 0 < values[f"{name}_sum", (model_id,)] < 10
    assert values["synapse_request_queue_seconds_count", (model_id,)] == 2
    assert values["synapse_prompt_tokens_total", (model_id,)] == 14
    assert values["synapse_cached_tokens_total", (model_id,)] == 4
    assert values["synapse_output_tokens_total", (model_id,)] == 6


def json_of(name: str, **more: object) -> dict[str, object]:
    return {"model": name, **more}


async def test_what_the_dashboard_and_the_alerts_ask_for_exists(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.start(model_id)
    await plane.post("/v1/chat/completions", json_of(model_id))
    await until(lambda: not plane.services.recorder.activity.live)
    await plane.services.recorder.flush()
    answer = (await plane.get("/metrics")).text
    known = {sample.name for family in text_string_to_metric_families(answer) for sample in family.samples}
    known |= {line.split()[2] for line in answer.splitlines() if line.startswith("# TYPE")}
    dashboard = json.loads((DEPLOY / "grafana" / "synapse.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += EXPRESSION.findall((DEPLOY / "prometheus" / "alerts.yml").read_text())
    named = {name for expression in asked for name in NAME.findall(expression)}
    assert len(named) > 20
    assert named - known == set()
