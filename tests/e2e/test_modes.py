"""Every mode with real llama-servers: one small model under three names, each with its own tier."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.e2e.serving import COMMAND, Serving, serving, serving_environment
from tests.fakes.control_plane import write_model
from tests.fakes.stage import Behaviour, write_engine

from synapse_engine.api.wire.queries import QueryRecord

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ALPHA, BETA, GAMMA = "alpha_135m_fast", "beta_135m_fast", "gamma_135m_fast"
TIERS = {ALPHA: "fast", BETA: "balanced", GAMMA: "powerful"}
POET = {"name": "poet", "system_prompt": "You answer in one short verse.", "sampling": {"temperature": 0.9}}
QUESTION = "What is the capital of France? Answer in one sentence."
SHORT = {"max_tokens": 16, "temperature": 0.2, "seed": 1}


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("modes")
    models = folder / "models"
    models.mkdir()
    for name in ("Alpha", "Beta", "Gamma"):
        shutil.copy(smollm2_path, models / f"{name}-135M-Instruct.Q4_1.gguf")
    with serving(serving_environment(folder / "data", models)) as serve:
        for model_id, tier in TIERS.items():
            settings: dict[str, Any] = {"ctx_size": 6144, "cache_ram": 0, "threads": 1, "parallel": 3}
            if model_id == ALPHA:
                settings["variants"] = [POET]
            choices = {"enabled": True, "tier": tier, "settings": settings}
            serve.http.patch(f"/api/models/{model_id}", json=choices).raise_for_status()
        yield serve


def query(serve: Serving, mode: str, **asked: Any) -> dict[str, Any]:
    body = {"query": QUESTION, "mode": mode, "options": SHORT, **asked}
    response = serve.http.post("/api/query", json=body, timeout=110)
    assert response.status_code == 200, response.text
    record: dict[str, Any] = response.json()
    QueryRecord.model_validate(record)
    assert (record["status"], record["problem"]) == ("done", None)
    assert record["answer"]["text"]
    assert all(turn["error"] is None for turn in record["turns"]), record["notes"]
    assert all(0 < turn["figures"]["output_tokens"] for turn in record["turns"])
    return record


def test_simple(serve: Serving) -> None:
    """The only one that runs; the figures are its server's own."""
    serve.http.post(f"/api/models/servers/{ALPHA}/start").raise_for_status()
    record = query(serve, "simple")
    (turn,) = record["turns"]
    assert (turn["model"], record["answer"]["text"]) == (ALPHA, turn["text"].strip())
    figures = turn["figures"]
    assert figures["prompt_tokens"] > 10 and figures["output_per_second"] > 0
    assert 0 < figures["first_token_seconds"] <= figures["total_seconds"] <= record["total_seconds"]


def test_auto(serve: Serving) -> None:
    easy = query(serve, "auto")
    assert (easy["choice"]["mode"], easy["choice"]["tier"]) == ("simple", "fast")
    assert [turn["model"] for turn in easy["turns"]] == [ALPHA]
    hard = "Prove step by step that the derivative of x^2 is 2x, and explain why the proof works."
    harder = query(serve, "auto", query=hard)
    assert (harder["choice"]["mode"], harder["choice"]["tier"]) == ("two_stage", "powerful")
    assert [turn["model"] for turn in harder["turns"]] == [ALPHA, GAMMA]


def test_two_stage(serve: Serving) -> None:
    """The one that does not run is started for it."""
    record = query(serve, "two_stage")
    draft, refine = record["turns"]
    assert (draft["model"], refine["model"]) == (ALPHA, BETA)
    assert draft["text"].strip() in refine["messages"][-1]["content"]
    assert record["notes"] == []


def test_a_council_of_three_answers_at_the_same_time(serve: Serving) -> None:
    serve.http.post("/api/models/servers/start-all").raise_for_status()
    record = query(serve, "council", options={**SHORT, "max_tokens": 32})
    assert {player["model"] for player in record["players"]} == {ALPHA, BETA, GAMMA}
    for number in (1, 2, 3):
        turns = [turn for turn in record["turns"] if turn["round"] == number]
        assert len(turns) == 3
        began = [turn["began_seconds"] for turn in turns]
        ended = [turn["ended_seconds"] for turn in turns]
        timeline = [f"{t['member']} {b:.3f}-{e:.3f}" for t, b, e in zip(turns, began, ended, strict=True)]
        sys.stdout.write(f"round {number} ({turns[0]['role']}): {', '.join(timeline)}\n")
        if number == 1:
            assert max(began) < min(ended), timeline
    assert len(record["reviews"]) == 3
    assert all(0 <= s["score"] <= 10 for review in record["reviews"] for s in review["scores"])
    assert all(ranked["score"] is not None and ranked["reviews"] == 2 for ranked in record["ranking"])
    first, last = record["agreements"]
    assert 0 < first["similarity"] <= 1 and 0 <= last["concordance"] <= 1
    assert record["turns"][-1]["member"] == record["ranking"][0]["member"]
    assert record["model_seconds"] <= record["total_seconds"]


def test_a_council_of_one_model_and_its_variant(serve: Serving) -> None:
    options = {**SHORT, "refine": False}
    record = query(serve, "council", models=[ALPHA, "poet", f"{ALPHA}:poet"], options=options)
    assert [player["model"] for player in record["players"]] == [ALPHA, "poet", f"{ALPHA}:poet"]
    lone = query(serve, "council", models=[ALPHA], options=options)
    assert "speaks for several" in lone["notes"][0]["text"]
    answers = [turn["text"] for turn in lone["turns"] if turn["role"] == "answer"]
    assert len(answers) == 3


def test_a_debate(serve: Serving) -> None:
    options = {
        **SHORT,
        "max_tokens": 40,
        "turns": 4,
        "personas": "economist_and_historian",
        "moderator": True,
    }
    record = query(serve, "debate", query="Should cities ban cars?", options=options)
    assert record["ending"]["reason"] in ("turn_limit", "repetition", "disengagement", "concession")
    roles = [turn["role"] for turn in record["turns"]]
    assert roles[:2] == ["pro", "con"] and roles[-1] == "synthesis"
    assert "You are Economist." in record["turns"][0]["messages"][-1]["content"]
    assert record["answer"]["turn"] == record["turns"][-1]["turn"]


@pytest.mark.parametrize("in_parallel", [True, False])
def test_a_benchmark(serve: Serving, in_parallel: bool) -> None:
    record = query(serve, "benchmark", options={**SHORT, "in_parallel": in_parallel})
    turns = record["turns"]
    assert {turn["model"] for turn in turns} == {ALPHA, BETA, GAMMA}
    assert all(model in record["answer"]["text"] for model in TIERS)
    overlap = max(turn["began_seconds"] for turn in turns) < min(turn["ended_seconds"] for turn in turns)
    assert overlap is in_parallel


@pytest.mark.parametrize("mode", ["auto", "simple", "two_stage", "council", "debate", "benchmark"])
def test_over_the_shell(serve: Serving, mode: str) -> None:
    """The answer on stdout, all else on stderr."""
    more = {"debate": ["-o", "turns=2"], "council": ["-o", "refine=false"]}.get(mode, [])
    asked = ["ask", "--mode", mode, "-o", "max_tokens=12", "-o", "seed=1", *more, QUESTION]
    ended = serve.synapse(*asked)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip()
    assert "-- " in ended.stderr and " tokens/s" in ended.stderr and "done in " in ended.stderr
    if mode == "simple":
        assert json.loads(serve.synapse(*asked, "--json").stdout)["mode"] == mode


def test_a_question_from_stdin(serve: Serving) -> None:
    ended = subprocess.run(
        [*COMMAND, "ask", "--mode", "simple", "-m", ALPHA, "-o", "max_tokens=8"],
        env=serve.environment,
        input=QUESTION,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0 and ended.stdout.strip(), ended.stderr
    latest = serve.http.get("/api/query?limit=1").json()["queries"][0]
    assert latest["query"] == QUESTION


def test_ctrl_c_ends_it(serve: Serving) -> None:
    """Everywhere: its record says cancelled, and no server works on it any more."""
    asked = [*COMMAND, "ask", "--mode", "simple", "-m", ALPHA, "Write a very long story about a river."]
    process = subprocess.Popen(asked, env=serve.environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("-- A answers" in line for line in iter(process.stderr.readline, ""))
    while not serve.http.get(f"/api/models/servers/{ALPHA}").json()["active_requests"]:
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 1
    while (row := serve.http.get("/api/query?limit=1").json()["queries"][0])["status"] == "running":
        pass
    assert row["status"] == "cancelled"
    while serve.http.get(f"/api/models/servers/{ALPHA}").json()["active_requests"]:
        pass


def test_the_openai_client(serve: Serving) -> None:
    """Unmodified, streaming and whole; and it finds the modes among the models."""
    with openai.OpenAI(base_url=f"{serve.url}/v1", api_key="none") as client:
        assert "synapse/two_stage" in [model.id for model in client.models.list()]
        messages: list[Any] = [{"role": "user", "content": QUESTION}]
        asked: dict[str, Any] = {"model": "synapse/two_stage", "messages": messages, "max_tokens": 24}
        stream = client.chat.completions.create(
            **asked, stream=True, stream_options={"include_usage": True}, temperature=0.2
        )
        chunks = list(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text and len(chunks) > 5
        assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens > 2
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in ("stop", "length")
        record = serve.http.get("/api/query?limit=1").json()["queries"][0]
        assert (record["mode"], record["status"]) == ("two_stage", "done")
        assert record["answer"].strip()[:20] == text.strip()[:20]
        whole = client.chat.completions.create(**asked)
        assert whole.choices[0].message.content and whole.model == "synapse/two_stage"


def test_a_kill_takes_no_more_than_the_turn_under_way(tmp_path: Path) -> None:
    models = tmp_path / "models"
    model = write_model(models / "Alpha-7B-Q4_K_M.gguf")
    word = {"choices": [{"delta": {"content": "word "}}]}
    Behaviour(events=[word] * 20, pace_seconds=0.05).write(model, None)
    engine = write_engine(tmp_path / "llama-server", sys.executable)
    environment = serving_environment(tmp_path / "data", models) | {"LLAMA_SERVER_PATH": str(engine)}
    with serving(environment) as serve:
        serve.http.patch("/api/models/alpha_7b_fast", json={"enabled": True}).raise_for_status()
        asked = {"query": QUESTION, "mode": "two_stage", "stream": True}
        with serve.http.stream("POST", "/api/query", json=asked) as response:
            lines = response.iter_lines()
            turns = 0
            while turns < 2:
                turns += next(lines) == "event: turn"
            while next(lines) != "event: text":
                pass
            serve.end(signal.SIGKILL)
    with serving(environment) as serve:
        record = serve.http.get("/api/query/1").json()
        assert record["status"] == "interrupted"
        draft, refine = record["turns"]
        assert draft["text"].strip() == " ".join(["word"] * 20)
        assert (refine["role"], refine["text"], refine["ended_seconds"]) == ("refine", "", None)
        assert serve.http.get("/api/query").json()["queries"][0]["status"] == "interrupted"
        again = serve.http.post("/api/query", json={"query": "Again", "mode": "simple"}).json()
        assert (again["id"], again["status"]) == (2, "done")


@pytest.mark.parametrize("keeps_servers", ["0", "1"])
def test_a_graceful_end_cancels_what_is_under_way(tmp_path: Path, keeps_servers: str) -> None:
    models = tmp_path / "models"
    model = write_model(models / "Alpha-7B-Q4_K_M.gguf")
    word = {"choices": [{"delta": {"content": "word "}}]}
    Behaviour(events=[word] * 10_000, pace_seconds=0.02).write(model, None)
    engine = write_engine(tmp_path / "llama-server", sys.executable)
    environment = serving_environment(tmp_path / "data", models) | {
        "LLAMA_SERVER_PATH": str(engine),
        "SYNAPSE_KEEP_SERVERS": keeps_servers,
    }
    with serving(environment) as serve:
        serve.http.patch("/api/models/alpha_7b_fast", json={"enabled": True}).raise_for_status()
        asked = {"query": QUESTION, "mode": "two_stage", "detach": True}
        query_id = serve.http.post("/api/query", json=asked).json()["id"]
        with serve.http.stream("GET", f"/api/query/{query_id}/events") as response:
            lines = response.iter_lines()
            while next(lines) != "event: text":
                pass
            serve.process.send_signal(signal.SIGINT)
            rest = list(lines)
        assert "event: done" in rest and '"status":"cancelled"' in rest[rest.index("event: done") + 1]
        assert serve.process.wait(60) == 0
    with serving(environment | {"SYNAPSE_KEEP_SERVERS": "0"}) as serve:
        record = serve.http.get(f"/api/query/{query_id}").json()
        assert (record["status"], record["turns"][0]["role"]) == ("cancelled", "draft")
        calls = serve.http.get("/api/activity?limit=9").json()["calls"]
        assert [call["outcome"] for call in calls if call["asked"] == "synapse/two_stage"] == ["cancelled"]
