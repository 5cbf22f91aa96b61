"""Records of requests to a real llama-server, and what a kill leaves of them."""

from __future__ import annotations

import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.killing import ControlPlane, until
from tests.e2e.serving import Serving, run_synapse, serving, serving_environment
from tests.fakes.control_plane import write_model
from tests.fakes.stage import write_engine
from tests.gguf_files import write_llama

from synapse_engine.gateway.activity import TAIL_BYTES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CHAT = "/v1/chat/completions"
SMOLLM, EMBED, PLAIN = "smollm2_135m_fast", "embed_1b_fast", "plain_1b_fast"
TOKENS = 5
QUESTION = "Count to one hundred."
SAYS = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": TOKENS, "temperature": 0}
RESPONDS = {"input": QUESTION, "max_output_tokens": TOKENS, "temperature": 0}
COMPLETES = {"prompt": "One, two,", "max_tokens": TOKENS, "n_predict": TOKENS, "temperature": 0}
STREAMED = {"stream": True}
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
# Path, body, and whether llama-server says there how fast it was.
ASKED: dict[str, tuple[str, dict[str, Any], bool]] = {
    "chat": (CHAT, SAYS, True),
    "chat, streamed": (CHAT, SAYS | STREAMED, True),
    "chat, streamed with usage": (CHAT, SAYS | WITH_USAGE, True),
    "messages": ("/v1/messages", SAYS, False),
    "messages, streamed": ("/v1/messages", SAYS | STREAMED, True),
    "responses": ("/v1/responses", RESPONDS, False),
    "responses, streamed": (
        "/v1/responses",
        RESPONDS | STREAMED,
        True,
    ),
    "completions": ("/v1/completions", COMPLETES, True),
    "completions, streamed": (
        "/v1/completions",
        COMPLETES | STREAMED,
        True,
    ),
    "completion": ("/completion", COMPLETES, True),
    "completion, streamed": ("/completion", COMPLETES | STREAMED, True),
}


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Iterator[Serving]:
    """One that chats and one that embeds, both running."""
    folder = tmp_path_factory.mktemp("records")
    (folder / "models").mkdir()
    (folder / "models" / smollm2_path.name).symlink_to(smollm2_path)
    write_llama(folder / "models" / "embed-1B.gguf")
    with serving(serving_environment(folder / "data", folder / "models")) as serve:
        settings = {"embeddings": True, "pooling": "mean"}
        serve.http.patch(f"/api/models/{EMBED}", json={"settings": settings}).raise_for_status()
        started = serve.http.post("/api/models/servers/start-all", json={"model_ids": [SMOLLM, EMBED]})
        assert started.json()["started"] == 2, started.text
        yield serve


def record_of(http: httpx.Client, asked: Callable[[], httpx.Response]) -> tuple[httpx.Response, Any]:
    """The answer to a request and its record, once it is there."""

    def latest() -> Any:
        calls = http.get("/api/activity?limit=1").json()["calls"]
        return calls[0] if calls else {"id": 0}

    before = latest()["id"]
    answer = asked()
    until(lambda: latest()["id"] > before)
    return answer, latest()


@pytest.mark.parametrize("case", ASKED)
def test_tokens_and_speeds(serve: Serving, case: str) -> None:
    path, body, has_speed = ASKED[case]
    answer, call = record_of(serve.http, lambda: serve.http.post(path, json={"model": SMOLLM, **body}))
    assert answer.status_code == 200, answer.text
    assert (call["path"], call["outcome"], call["stream"]) == (path, "ok", body.get("stream", False))
    assert (call["model_id"], call["output_tokens"]) == (SMOLLM, TOKENS)
    assert 0 <= call["cached_tokens"] < call["prompt_tokens"] < 60
    assert (call["output_per_second"] is not None) == has_speed
    assert call["bytes_out"] == len(answer.content)


def test_a_long_stream(serve: Serving) -> None:
    """Longer than what is kept of it, so that Anthropic's prompt is known from its first bytes alone."""
    body = SAYS | STREAMED | {"model": SMOLLM, "max_tokens": 60}
    answer, call = record_of(serve.http, lambda: serve.http.post("/v1/messages", json=body))
    assert len(answer.content) > TAIL_BYTES
    assert 0 < call["output_tokens"] <= 60
    assert call["bytes_out"] == len(answer.content)
    assert call["prompt_tokens"] > 20


def test_embeddings(serve: Serving) -> None:
    body = {"model": EMBED, "input": "w1 w2 w3 " * 30}
    answer, call = record_of(serve.http, lambda: serve.http.post("/v1/embeddings", json=body))
    assert call["prompt_tokens"] == answer.json()["usage"]["prompt_tokens"] > 0
    assert call["output_tokens"] is None


def test_an_error_of_the_server_is_kept_in_its_words(serve: Serving) -> None:
    body = {"model": SMOLLM, "input": "hello"}
    answer, call = record_of(serve.http, lambda: serve.http.post("/v1/embeddings", json=body))
    assert (call["outcome"], call["status"]) == ("error", answer.status_code) == ("error", 501)
    assert call["error"] == answer.json()["error"]["message"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    write_model(tmp_path / "models" / "Plain-1B-Q4_K_M.gguf")
    engine = write_engine(tmp_path / "llama-server", sys.executable)
    return serving_environment(tmp_path / "data", tmp_path / "models") | {"LLAMA_SERVER_PATH": str(engine)}


def test_a_kill_takes_the_last_second_at_most(environment: dict[str, str], tmp_path: Path) -> None:
    with ControlPlane(environment, tmp_path) as plane:
        plane.http.post(f"/api/models/servers/{PLAIN}/start").raise_for_status()
        for _ in range(2):
            answered = ask_until_killed(plane)
            with closing(sqlite3.connect(tmp_path / "data" / "synapse.db")) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                kept = {name for (name,) in database.execute("SELECT asked FROM activity")}
            killed = max(answered.values())
            missing = [killed - at for name, at in answered.items() if name not in kept]
            # Written twice a second; on a busy machine the writing itself may wait as long again.
            assert max(missing, default=0.0) < 2.0
            assert len(answered) > len(missing)
        plane.end()


def ask_until_killed(plane: ControlPlane) -> dict[str, float]:
    """Ask for one name after the other; then kill it and start it again. Which were answered, and when."""
    answered: dict[str, float] = {}

    def ask() -> None:
        with httpx.Client(base_url=plane.url, trust_env=False) as http, suppress(httpx.TransportError):
            for number in count():
                name = f"{id(answered)}-{number}"
                http.post(CHAT, json={"model": name})
                answered[name] = time.monotonic()

    asking = threading.Thread(target=ask)
    asking.start()
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 2 and len(answered) > 10)
    plane.kill_and_start_again()
    asking.join()
    return answered


def test_a_graceful_end_takes_none(environment: dict[str, str], tmp_path: Path) -> None:
    with serving(environment) as serve:
        for number in range(5):
            serve.http.post(CHAT, json={"model": f"nobody-{number}"})
        assert serve.end(signal.SIGTERM) == 0
    with closing(sqlite3.connect(tmp_path / "data" / "synapse.db")) as database:
        asked = [name for (name,) in database.execute("SELECT asked FROM activity ORDER BY id")]
    assert asked == [f"nobody-{number}" for number in range(5)]
    assert not list((tmp_path / "data").glob("synapse.db-*"))


def test_records_of_a_newer_version_are_refused(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "synapse.db")) as database:
        database.execute("PRAGMA user_version = 99")
    ended = run_synapse("serve", environment=environment)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-2] == "The records were written by a newer version"
    assert "has version 99" in ended.stderr
