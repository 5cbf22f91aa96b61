"""Streams of the real llama-server: clients that leave, a stop in the midst of ten, a kill of a replica.

The model is a small one with random weights: what is seen is the same with any, and it is quick.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.serving import Serving, serving, serving_environment
from tests.fakes.fates import SAID, fate
from tests.fakes.raw_client import RawClient
from tests.fakes.rig import until
from tests.fakes.wire import within
from tests.gguf_files import write_llama

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MODEL = "tiny_llama_1b_fast"
CONTEXT_TOKENS = 32_768
PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/messages", "/api/chat", "/api/generate")
STREAMS = 10
# A test is no stopwatch, and the whole answer would take longer.
FREED_SECONDS = 5.0
# Tokens come slowly where other tests run too.
PATIENCE_SECONDS = 60.0


def long(tokens: int) -> dict[str, Any]:
    """An answer of that many tokens, by any dialect's name for it."""
    return {**SAID, "max_tokens": tokens, "options": {"num_predict": tokens}}


@contextmanager
def tiny(tmp_path: Path, settings: dict[str, Any], **more: str) -> Iterator[Serving]:
    """It runs and says no end of an answer. Threads that share a core with others wait for each other."""
    models = tmp_path / "models"
    write_llama(models / "Tiny-Llama-1B-F32.gguf", context_length=CONTEXT_TOKENS)
    settings = {"threads": 1, "ignore_eos": True, **settings}
    with serving(serving_environment(tmp_path / "data", models) | more) as serve:
        serve.http.patch(f"/api/models/{MODEL}", json={"settings": settings}).raise_for_status()
        serve.http.post(f"/api/models/servers/{MODEL}/start").raise_for_status()
        yield serve


def port_of(serve: Serving) -> int:
    return int(serve.environment["SYNAPSE_PORT"])


def rows(serve: Serving) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = serve.http.get("/api/models/servers").json()["servers"]
    return found


def active(serve: Serving) -> list[int]:
    return [row["active_requests"] for row in rows(serve)]


def busy_slots(serve: Serving) -> int:
    slots = serve.http.get(f"/slots?model={MODEL}&autoload=false").json()
    return sum(slot["is_processing"] for slot in slots)


async def test_a_client_that_leaves_frees_its_slot(tmp_path: Path) -> None:
    """In the midst of an answer that would go on for long, whoever it speaks like and however it goes."""
    with tiny(tmp_path, {"ctx_size": 8192}) as serve:
        for path in PATHS:
            for leave in (RawClient.close, RawClient.reset):
                client = RawClient.connect(port_of(serve))
                client.patience_seconds = PATIENCE_SECONDS
                body = json.dumps({"model": MODEL, "stream": True, **long(30_000)}).encode()
                head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
                await client.send(head.encode() + body)
                assert (await client.begin()).status == 200
                await client.chunk()
                assert busy_slots(serve) == 1
                leave(client)
                async with within(FREED_SECONDS, f"the slot is free, {path}"):
                    await until(lambda: busy_slots(serve) == 0)
                assert active(serve) == [0]


@pytest.mark.parametrize(("drain", "tokens", "expected"), [("60", 4, "whole"), ("0.3", 4000, "told")])
async def test_a_stop_during_ten_streams(tmp_path: Path, drain: str, tokens: int, expected: str) -> None:
    settings = {"ctx_size": 16_384}
    limits = {"SYNAPSE_DRAIN_SECONDS": drain, "SYNAPSE_STOP_TIMEOUT_SECONDS": "1"}
    with tiny(tmp_path, settings, **limits) as serve:
        asking = [
            asyncio.create_task(
                fate(port_of(serve), path, MODEL, patience_seconds=PATIENCE_SECONDS, **long(tokens))
            )
            for path in PATHS * 2
        ]
        await until(lambda: sum(active(serve)) == STREAMS or any(task.done() for task in asking))
        stopped = await asyncio.to_thread(serve.http.post, f"/api/models/servers/{MODEL}/stop")
        assert stopped.json()["status"] == "stopped"
        assert Counter(await asyncio.gather(*asking)) == {expected: STREAMS}


async def test_a_kill_fails_what_is_in_flight_on_that_replica_alone(tmp_path: Path) -> None:
    settings = {"ctx_size": 4096, "parallel": 4, "replicas": 2}
    with tiny(tmp_path, settings) as serve:
        await until(lambda: [row["status"] for row in rows(serve)] == ["running"] * 2)
        asking = [
            asyncio.create_task(
                fate(port_of(serve), PATHS[0], MODEL, patience_seconds=PATIENCE_SECONDS, **long(1000))
            )
            for _ in range(8)
        ]
        await until(lambda: sum(active(serve)) == len(asking))
        on_first, on_second = active(serve)
        assert on_first and on_second
        os.kill(rows(serve)[0]["pid"], signal.SIGKILL)
        assert Counter(await asyncio.gather(*asking)) == {"told": on_first, "whole": on_second}
        for _ in range(3):
            later = fate(port_of(serve), PATHS[0], MODEL, patience_seconds=PATIENCE_SECONDS, max_tokens=2)
            assert await later == "whole"
