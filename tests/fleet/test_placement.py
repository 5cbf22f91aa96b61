"""Where a model's parts go: tables, without an event loop and without a GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.rig import fake_model

from synapse_engine.catalog.model import Geometry, Model, Weights
from synapse_engine.fleet.cache import LayerCache
from synapse_engine.fleet.memory import Estimate
from synapse_engine.fleet.placement import Gpu, plan_placements
from synapse_engine.launch.base import RAM

# Four layers of 100 (60 of each experts), an embedding of 50 and an output of 40.
WEIGHTS = Weights(
    total_bytes=490,
    expert_bytes=240,
    token_embedding_bytes=50,
    output_bytes=40,
    layer_bytes=[100] * 4,
    layer_expert_bytes=[60] * 4,
)
ESTIMATE = Estimate(
    weights_bytes=490,
    parts_bytes=7,
    kv_bytes=40,
    state_bytes=0,
    compute_bytes=3,
    process_bytes=5,
    prompt_cache_bytes=0,
    layers=(LayerCache(10, 0),) * 4,
)
ONE = [Gpu("CUDA0", 100)]
TWO = [Gpu("CUDA0", 300), Gpu("CUDA1", 100)]


def model(weights: Weights = WEIGHTS) -> Model:
    return fake_model(Path("/m.gguf"), weights=weights, geometry=Geometry(block_count=4))


DENSE = Weights(total_bytes=490, token_embedding_bytes=50, output_bytes=40, layer_bytes=[100] * 4)
TIED = Weights(total_bytes=450, token_embedding_bytes=50, layer_bytes=[100] * 4)

ASKED: dict[str, tuple[dict[str, Any], list[Gpu], Weights, dict[str, int]]] = {
    "no GPU": ({}, [], WEIGHTS, {RAM: 545}),
    "no layers on it": ({"n_gpu_layers": 0}, ONE, WEIGHTS, {RAM: 545}),
    "all": ({"n_gpu_layers": 99}, ONE, WEIGHTS, {RAM: 58, "CUDA0": 490}),
    "all, in the engine's words": ({"n_gpu_layers": -1}, ONE, WEIGHTS, {RAM: 58, "CUDA0": 490}),
    "the output alone": ({"n_gpu_layers": 1}, ONE, WEIGHTS, {RAM: 498, "CUDA0": 50}),
    "the output and the last layer": ({"n_gpu_layers": "2"}, ONE, WEIGHTS, {RAM: 388, "CUDA0": 160}),
    "experts of two layers in RAM": ({"n_cpu_moe": 2}, ONE, WEIGHTS, {RAM: 178, "CUDA0": 370}),
    "all experts in RAM": ({"cpu_moe": True}, ONE, WEIGHTS, {RAM: 298, "CUDA0": 250}),
    "the cache in RAM": (
        {"n_gpu_layers": 99, "kv_offload": False},
        ONE,
        WEIGHTS,
        {RAM: 98, "CUDA0": 450},
    ),
    "a tied output is a copy": ({"n_gpu_layers": 99}, ONE, TIED, {RAM: 58, "CUDA0": 500}),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_the_person_asked_for(case: str) -> None:
    options, gpus, weights, expected = ASKED[case]
    estimate = replace(ESTIMATE, weights_bytes=weights.total_bytes)
    (placement,) = plan_placements(estimate, model(weights), options, gpus)
    assert dict(placement.need) == expected


def test_by_itself_experts_go_to_ram_first_then_layers() -> None:
    placements = plan_placements(ESTIMATE, model(), {}, ONE)
    on_gpu = [placement.need.get("CUDA0", 0) for placement in placements]
    assert on_gpu == [490, 430, 370, 310, 250, 200, 150, 100, 50, 0]
    assert [placement.notice for placement in placements][:3] == [
        None,
        "the experts of 1 of 4 layers are in RAM, because the GPUs have no room for more",
        "the experts of 2 of 4 layers are in RAM, because the GPUs have no room for more",
    ]
    assert placements[-1].notice == "4 of 4 layers are in RAM, because the GPUs have no room for more"
    assert dict(placements[-1].need) == {RAM: 545}


def test_a_dense_model_has_layers_alone_to_give() -> None:
    placements = plan_placements(ESTIMATE, model(DENSE), {}, ONE)
    assert [placement.need.get("CUDA0", 0) for placement in placements] == [490, 380, 270, 160, 50, 0]


def test_several_gpus_share_by_their_size() -> None:
    placement = plan_placements(ESTIMATE, model(DENSE), {}, TWO)[0]
    # Four layers and the output are five: the first has three quarters of the memory, so four of them.
    assert dict(placement.need) == {RAM: 58, "CUDA0": 450, "CUDA1": 43}
