"""Mixed load on a real `synapse serve`: nothing is left of it, and memory stays flat.

SYNAPSE_SOAK makes it ten minutes, and prints how memory went.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.e2e.mixed_load import ACTS, Load
from tests.e2e.serving import Serving, serving, serving_environment
from tests.fakes.control_plane import write_model
from tests.fakes.leaks import Sample, assert_flat
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour, write_engine
from tests.fakes.wire import within

SOAK = "SYNAPSE_SOAK" in os.environ
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200 if SOAK else 120)]

LOAD_SECONDS = 600.0 if SOAK else 6.0
CLIENTS = 24 if SOAK else 12
SAMPLES = 120 if SOAK else 24
# In the short form that is all that counts: it is there for what is left over at its end.
SPREAD_BYTES = 4_000_000 if SOAK else 16_000_000
RECORDS_KEPT = 500
# A server that is not told to end closes no idle connection, so the pool's stay.
KEPT_CONNECTIONS_MAX = 2 * CLIENTS

WORDS: list[dict[str, Any]] = [
    *({"choices": [{"delta": {"content": word}}]} for word in ("Hel", "lo", " there")),
    {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5}},
]
FLOOD: list[dict[str, Any]] = [{"choices": [{"delta": {"content": "x" * 8_000}}]} for _ in range(600)]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serving]:
    models = tmp_path / "models"
    behaviours = {
        "Words": Behaviour(events=WORDS, pace_seconds=0.002),
        "Flood": Behaviour(events=FLOOD),
        "Held": Behaviour(),
    }
    for name, behaviour in behaviours.items():
        behaviour.write(write_model(models / f"{name}-7B-Q4_K_M.gguf"), None)
    environment = serving_environment(tmp_path / "data", models) | {
        "LLAMA_SERVER_PATH": str(write_engine(tmp_path / "llama-server", sys.executable)),
        "SYNAPSE_ACTIVITY_MAX": str(RECORDS_KEPT),
    }
    with serving(environment) as serve:
        yield serve


def begin(serve: Serving) -> Load:
    """Two servers for words, one for floods, and a model that is held."""
    changed = {"settings": {"replicas": 2, "variants": [{"name": "brief", "sampling": {"max_tokens": 3}}]}}
    serve.http.patch("/api/models/words_7b_fast", json=changed).raise_for_status()
    serve.http.post("/api/models/enable", json={"enabled": True}).raise_for_status()
    serve.http.post("/api/models/servers/start-all").raise_for_status()
    serve.http.post("/api/models/servers/held_7b_fast/stop").raise_for_status()
    while serve.http.get("/api/models/servers").json()["total_running"] < 2:
        time.sleep(0.02)
    port = int(serve.environment["SYNAPSE_PORT"])
    return Load(port, "words_7b_fast", "brief", "flood_7b_fast", "held_7b_fast")


async def put_under(load: Load, process: psutil.Process) -> list[Sample]:
    """The load for its time, and the process's memory meanwhile."""
    began = time.monotonic()
    samples: list[Sample] = []

    def is_over() -> bool:
        return time.monotonic() - began > LOAD_SECONDS

    async def look() -> None:
        while not is_over():
            await asyncio.sleep(LOAD_SECONDS / SAMPLES)
            resident = process.memory_info().rss
            samples.append(Sample(time.monotonic() - began, load.done.total(), resident))

    async with asyncio.TaskGroup() as group:
        group.create_task(look())
        for number in range(CLIENTS):
            group.create_task(load.work(random.Random(number), is_over))
    return samples


def connections(process: psutil.Process, port: int) -> tuple[int, int]:
    """The clients' that it has accepted, and those to its servers."""
    found = [each for each in process.net_connections("tcp") if each.status != psutil.CONN_LISTEN]
    accepted = sum(each.laddr.port == port for each in found)
    return accepted, len(found) - accepted


async def test_mixed_load_leaves_nothing_behind(
    serve: Serving, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    load = begin(serve)
    process = psutil.Process(serve.process.pid)
    before = connections(process, load.port)
    open_before = process.num_fds()
    samples = await put_under(load, process)
    async with within(10, "no request is in flight"):
        await until(lambda: not serve.http.get("/api/activity/live").json()["calls"])
    async with within(10, "no connection of a client is left"):
        await until(lambda: connections(process, load.port)[0] <= before[0])
    kept = connections(process, load.port)[1]
    rows = serve.http.get("/api/models/servers").json()["servers"]
    series = [
        f"{each.seconds:6.1f} s {each.requests:8} {each.resident_bytes / 1e6:7.1f} MB" for each in samples
    ]
    told = "\n".join([f"{dict(load.done)}", f"{kept} connections kept", *series])
    if SOAK:
        with capsys.disabled():
            sys.stdout.write(f"\n{told}\n")
    assert load.done.keys() == {act.__name__ for act in ACTS}
    assert [row["active_requests"] for row in rows] == [0, 0, 0]
    assert serve.http.get("/api/queue").json() == {"waiting": 0, "lines": []}
    assert kept <= KEPT_CONNECTIONS_MAX
    assert process.num_fds() - open_before <= kept + CLIENTS
    assert_flat(samples, spread_bytes=SPREAD_BYTES)
    serve.end()
    with closing(sqlite3.connect(tmp_path / "data" / "synapse.db")) as database:
        (records,) = database.execute("SELECT count(*) FROM activity").fetchone()
    assert records == RECORDS_KEPT if SOAK else 0 < records <= RECORDS_KEPT
