"""The estimate of weights and caches, held against what the real llama-server says of itself."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.e2e.serving import serving, serving_environment
from tests.fakes.ports import free_port
from tests.geometries.attending import ATTENDING
from tests.geometries.recurrent import RECURRENT
from tests.geometries.sliding import SLIDING

from synapse_engine.catalog.discovery import scan
from synapse_engine.catalog.model import Model
from synapse_engine.fleet.memory import estimate
from synapse_engine.launch.engine import find_engine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

TOLERANCE = 0.02
MIB = 1 << 20
BUFFER = re.compile(r"(model|KV|RS|compute) buffer size = +([\d.]+) MiB")

GEOMETRIES = ATTENDING | SLIDING | RECURRENT
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {"ctx_size": 8192, "parallel": 1},
    "auto": {"ctx_size": 8192},
}
MORE: list[tuple[str, dict[str, Any]]] = [
    ("llama", {"ctx_size": 5000, "parallel": 1}),
    ("llama", {"ctx_size": 8192, "parallel": 4}),
    ("llama", {"ctx_size": 5000, "parallel": 3}),
    ("llama", {"ctx_size": 8192, "parallel": 2, "kv_unified": True}),
    *(
        ("llama", {"ctx_size": 8192, "parallel": 1, "cache_type_k": name, "cache_type_v": name})
        for name in ("f32", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
    ),
    ("llama-grouped", {"ctx_size": 8192, "parallel": 1, "cache_type_k": "q8_0"}),
    ("gemma2", {"ctx_size": 8192, "parallel": 4}),
    ("gemma3", {"ctx_size": 8192, "parallel": 3, "ubatch_size": 256}),
    ("gemma3", {"ctx_size": 8192, "parallel": 1, "swa_full": True}),
    ("gpt-oss", {"ctx_size": 4096, "parallel": 2, "kv_unified": True}),
    ("mamba", {"ctx_size": 4096, "parallel": 5}),
    ("granite-hybrid", {"ctx_size": 8192, "parallel": 3, "cache_type_k": "q8_0", "cache_type_v": "q8_0"}),
    ("deepseek2-mla", {"ctx_size": 8192, "parallel": 2}),
    ("gemma4", {"ctx_size": 8192, "parallel": 3, "cache_type_k": "q8_0"}),
    ("mimo2", {"ctx_size": 4096, "parallel": 4}),
    ("llama4", {"ctx_size": 20_480, "parallel": 1}),
    ("smallthinker", {"ctx_size": 16_384, "parallel": 2}),
    ("exaone4", {"ctx_size": 8192, "parallel": 2, "kv_unified": True}),
    *(
        (name, {"ctx_size": 8192, "parallel": 3})
        for name in ("kimi-linear", "qwen3next", "nemotron-h", "rwkv7")
    ),
]
CASES = [(name, SHAPES["plain"]) for name in GEOMETRIES] + [(name, SHAPES["auto"]) for name in GEOMETRIES]


class Taken(NamedTuple):
    weights_mib: float
    kv_mib: float
    state_mib: float


def arguments(options: dict[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        yield "--" + name.replace("_", "-")
        if value is not True:
            yield str(value)


@contextmanager
def loading(path: Path, options: dict[str, Any]) -> Iterator[Iterator[str]]:
    command = [find_engine(None, os.environ["PATH"]), "--model", str(path), "--port", str(free_port())]
    command += ["-lv", "4", "--no-warmup", "--fit", "off", *arguments(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as engine:
        assert engine.stdout is not None
        try:
            yield engine.stdout
        finally:
            engine.kill()


def what_it_takes(path: Path, options: dict[str, Any]) -> Taken:
    """As llama-server logs it, in MiB; a model with several caches logs each."""
    found: dict[str, float] = {}
    log = []
    with loading(path, options) as lines:
        for line in lines:
            log.append(line)
            if buffer := BUFFER.search(line):
                found[buffer[1]] = found.get(buffer[1], 0.0) + float(buffer[2])
            if "compute" in found:
                break
    assert "compute" in found, "".join(log[-20:])
    return Taken(found["model"], found.get("KV", 0.0), found.get("RS", 0.0))


def the_model(path: Path) -> Model:
    (model,) = scan((path.parent,)).models
    return model


def assert_close(path: Path, options: dict[str, Any]) -> None:
    taken = what_it_takes(path, options)
    expected = estimate(the_model(path), options)
    assert expected.weights_bytes / MIB == pytest.approx(taken.weights_mib, rel=TOLERANCE, abs=0.01)
    assert expected.kv_bytes / MIB == pytest.approx(taken.kv_mib, rel=TOLERANCE, abs=0.01)
    assert expected.state_bytes / MIB == pytest.approx(taken.state_mib, rel=TOLERANCE, abs=0.01)


@pytest.mark.parametrize(("name", "options"), CASES + MORE, ids=str)
def test_weights_and_caches_are_within_two_percent(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    assert_close(GEOMETRIES[name].write(tmp_path / f"{name}.gguf"), options)


@pytest.mark.parametrize("context", [4096, 8192])
def test_those_of_a_real_model(tmp_path: Path, smollm2_path: Path, context: int) -> None:
    link = tmp_path / smollm2_path.name
    link.symlink_to(smollm2_path)
    assert_close(link, {"ctx_size": context})


def test_after_a_first_run_the_total_is_what_it_took(tmp_path: Path, smollm2_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / smollm2_path.name).symlink_to(smollm2_path)
    with serving(serving_environment(tmp_path / "data", models)) as serve:
        (model,) = serve.http.get("/api/models/registry").json()["models"]
        url = f"/api/models/{model['model_id']}"
        before = serve.http.get(f"{url}/plan").json()
        started = serve.http.post(f"/api/models/servers/{model['model_id']}/start")
        assert started.status_code == 200
        (engine,) = serve.children()
        while (model := serve.http.get(url).json())["measured_memory_mb"] is None:
            assert engine.is_running()
        resident_mb = engine.memory_info().rss / 1e6
        plan = serve.http.get(f"{url}/plan").json()
    assert before["needed_mb"] == pytest.approx(resident_mb, rel=0.25)
    assert plan["is_measured"]
    assert plan["needed_mb"] == pytest.approx(resident_mb, rel=0.1)


def test_two_real_models_take_turns_under_a_limit(tmp_path: Path, smollm2_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("First-135M-Q4_1.gguf", "Second-135M-Q4_1.gguf"):
        (models / name).write_bytes(smollm2_path.read_bytes())
    environment = serving_environment(tmp_path / "data", models) | {"SYNAPSE_MEMORY_LIMIT_MB": "500"}
    with serving(environment) as serve:
        ids = [model["model_id"] for model in serve.http.get("/api/models/registry").json()["models"]]
        with ThreadPoolExecutor() as pool:
            answers = list(pool.map(lambda id_: serve.http.post(f"/api/models/servers/{id_}/start"), ids))
        assert sorted(answer.status_code for answer in answers) == [200, 507]
        refused = next(answer.json() for answer in answers if answer.status_code == 507)
        assert refused["error"] == "Not enough memory"
        assert "would have to stop" in refused["detail"]
        assert len(serve.children()) == 1
