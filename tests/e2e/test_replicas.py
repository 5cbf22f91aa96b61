"""The real llama-server twice for one model: both answer, one dies, the other goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.serving import Serving, serving, serving_environment
from tests.fakes.rig import LIMITS, open_rig
from tests.fakes.stage import Stage

from synapse_engine.launch.engine import find_engine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PATIENT = replace(LIMITS, startup_seconds=60.0)

SMOLLM = "smollm2_135m_fast"
BODY = {
    "model": SMOLLM,
    "messages": [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}],
    "max_tokens": 16,
    "temperature": 0,
}


@pytest.fixture
def serve(tmp_path: Path, smollm2_path: Path) -> Iterator[Serving]:
    models = tmp_path / "models"
    models.mkdir()
    (models / smollm2_path.name).symlink_to(smollm2_path)
    with serving(serving_environment(tmp_path / "data", models)) as serve:
        yield serve


def rows(serve: Serving) -> list[dict[str, Any]]:
    servers: list[dict[str, Any]] = serve.http.get("/api/models/servers").json()["servers"]
    return servers


def until_running(serve: Serving, count: int) -> list[dict[str, Any]]:
    """The rows, once so many run."""
    while True:
        running = [row for row in rows(serve) if row["status"] == "running"]
        if len(running) == count:
            return running
        time.sleep(0.02)


def answer(serve: Serving) -> str:
    response = serve.http.post("/v1/chat/completions", json=BODY)
    assert response.status_code == 200, response.text
    content: str = response.json()["choices"][0]["message"]["content"]
    return content


def test_one_is_killed_the_other_goes_on_and_it_comes_back(serve: Serving) -> None:
    serve.http.patch(f"/api/models/{SMOLLM}", json={"settings": {"replicas": 2}}).raise_for_status()
    serve.http.post(f"/api/models/servers/{SMOLLM}/start").raise_for_status()
    first, second = until_running(serve, 2)
    assert (first["replica"], second["replica"]) == (1, 2)
    assert first["port"] != second["port"]
    assert "Paris" in answer(serve)
    os.kill(first["pid"], signal.SIGKILL)
    until_running(serve, 1)
    assert "Paris" in answer(serve)
    back, kept = until_running(serve, 2)
    assert kept["pid"] == second["pid"] and back["pid"] != first["pid"]
    assert serve.synapse("stop", SMOLLM).returncode == 0
    assert rows(serve) == []


async def test_the_slots_are_as_many_as_the_engine_says(
    tmp_path: Path, smollm2_path: Path, stage: Stage, ports: range
) -> None:
    engine = Path(find_engine(None, None))
    async with open_rig(tmp_path, engine, stage, ports, limits=PATIENT) as rig:
        rig.path("alpha").symlink_to(smollm2_path)
        await rig.add("alpha", size_bytes=smollm2_path.stat().st_size, context_length=8192)
        for settings, expected in (({}, 1), ({"parallel": 3}, 3), ({"ctx_size": 16_384}, 4)):
            await rig.choose("alpha", settings=settings)
            await rig.fleet.start("alpha")
            with rig.fleet.lease("alpha") as lease:
                headers = {"Authorization": f"Bearer {lease.api_key}"}
                async with rig.session.get(f"{lease.url}/props", headers=headers) as response:
                    said = (await response.json())["total_slots"]
            assert (rig.server("alpha").slots, said) == (expected, expected)
            await rig.fleet.stop("alpha")
