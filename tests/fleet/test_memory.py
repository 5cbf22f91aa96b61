"""What a model needs, from header facts and options: tables. That they are the engine's, e2e tests hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fakes.rig import fake_model

from synapse_engine.catalog.model import Geometry, Kind, Weights
from synapse_engine.catalog.registry import Choices, Entry
from synapse_engine.fleet.cache import plan_cache, plan_slots
from synapse_engine.fleet.demand import plan_demand, start_digest
from synapse_engine.fleet.memory import MIB, estimate, without_excess

# SmolLM2-135M: 90 MiB of cache at 4096, as the engine says.
SMOLLM2 = Geometry(
    block_count=30, embedding_length=576, head_count=9, head_count_kv=3, vocabulary_size=49_152
)
# gemma-3-270m: 12 and 15 MiB, as it says.
GEMMA = Geometry(
    block_count=18,
    embedding_length=640,
    head_count=4,
    head_count_kv=1,
    key_length=256,
    value_length=256,
    sliding_window=512,
)


def kv_mib(architecture: str, geometry: Geometry, **options: Any) -> float:
    model = fake_model(Path("/m.gguf"), architecture=architecture, geometry=geometry, context_length=32_768)
    return sum(layer.kv_bytes for layer in plan_cache(model, options)) / MIB


def test_smollm2() -> None:
    assert kv_mib("llama", SMOLLM2, ctx_size=4096, parallel=1) == 90.0


def test_gemma3() -> None:
    assert kv_mib("gemma3", GEMMA, ctx_size=4096, parallel=1) == 12.0 + 15.0


CACHES: dict[str, tuple[str, dict[str, Any], dict[str, Any], float]] = {
    "padded to 256": ("llama", {}, {"ctx_size": 4000}, 90.0),
    "quantized": ("llama", {}, {"cache_type_k": "q8_0", "cache_type_v": "q4_0"}, 45 * (34 + 18) / 64),
    "a type that is not known counts as f16": ("llama", {}, {"cache_type_k": "new"}, 90.0),
    "a text for a number": ("llama", {}, {"ctx_size": "4096"}, 90.0),
    "twice the slots, each with half": ("llama", {}, {"parallel": 2}, 90.0),
    "slots that do not divide evenly": ("llama", {}, {"parallel": 3}, 90.0 * 3 * 1536 / 4096),
    "layers that reuse others'": ("gemma3n", {"shared_kv_layers": 10}, {}, 60.0),
    "layers that only draft": ("glm4moe", {"nextn_predict_layers": 1}, {}, 90.0),
    "those without a cache": ("qwen3next", {"ssm_inner_size": 1, "nextn_predict_layers": 3}, {}, 18.0),
    "keys alone": ("deepseek2", {"key_length": 64, "key_length_mla": 48}, {}, 45.0),
    "an encoder keeps nothing": ("bert", {}, {}, 0.0),
    "a window that is not used": ("phi3", {"sliding_window": 128}, {}, 90.0),
    "a pattern from the header": (
        "new",
        {"sliding_window": 256, "sliding_window_pattern": [True, False]},
        {},
        45.0 + 45.0 * 768 / 4096,
    ),
    "all slide": ("new", {"sliding_window": 256, "sliding_window_pattern": 0}, {}, 90.0 * 768 / 4096),
    "the first of a period is dense": (
        "smallthinker",
        {"sliding_window": 256, "block_count": 4},
        {"ctx_size": 8192},
        6.0 + 18.0 * 4608 / 8192,
    ),
    "a window of its own": ("llama4", {"block_count": 4}, {"ctx_size": 16_384}, 12.0 + 36.0 * 8704 / 16_384),
    "no window at all": ("llama4", {"block_count": 4, "sliding_window": 0}, {"ctx_size": 16_384}, 48.0),
    "the window of a small one": ("exaone4", {"sliding_window": 128}, {}, 90.0),
    "every fourth attends": ("qwen3next", {"ssm_inner_size": 1}, {}, 21.0),
    "no geometry at all": ("llama", {"block_count": None}, {}, 0.0),
}


@pytest.mark.parametrize("case", CACHES)
def test_cache(case: str) -> None:
    architecture, facts, options, expected = CACHES[case]
    names = SMOLLM2.__struct_fields__
    geometry = Geometry(**({name: getattr(SMOLLM2, name) for name in names} | facts))
    assert kv_mib(architecture, geometry, **({"ctx_size": 4096, "parallel": 1} | options)) == expected


SLOTS: dict[str, tuple[dict[str, Any], tuple[int, int, int]]] = {
    "four share one context": ({"ctx_size": 8192}, (8192, 1, 4)),
    "one": ({"ctx_size": 8192, "parallel": 1}, (8192, 1, 1)),
    "each has its own": ({"ctx_size": 8192, "parallel": 4}, (2048, 4, 4)),
    "told to share": ({"ctx_size": 8192, "parallel": 4, "kv_unified": True}, (8192, 1, 4)),
    "told not to": ({"ctx_size": 8192, "kv_unified": False}, (2048, 4, 4)),
    "trained": ({"ctx_size": 0, "parallel": 1}, (32_768, 1, 1)),
}


@pytest.mark.parametrize("case", SLOTS)
def test_slots(case: str) -> None:
    options, expected = SLOTS[case]
    slots = plan_slots(fake_model(Path("/m.gguf"), context_length=32_768), options)
    assert (slots.cells, slots.streams, slots.sequences) == expected


def test_a_recurrent_layer_keeps_a_state_for_each_slot() -> None:
    geometry = Geometry(block_count=2, ssm_conv_kernel=4, ssm_inner_size=256, ssm_state_size=16)
    model = fake_model(Path("/m.gguf"), architecture="mamba", geometry=geometry)
    for slots in (1, 3):
        layers = plan_cache(model, {"parallel": slots})
        assert [layer.state_bytes for layer in layers] == [slots * 4 * (3 * 256 + 256 * 16)] * 2


def test_a_model_of_unknown_tensors_counts_its_files() -> None:
    assert estimate(fake_model(Path("/m.gguf"), size_bytes=77), {}).weights_bytes == 77


def test_a_prompt_cache_counts_where_a_person_set_it() -> None:
    model = fake_model(Path("/m.gguf"))
    assert [estimate(model, {"cache_ram": mib}).prompt_cache_bytes for mib in (0, 100, -1)] == [
        0,
        100 * MIB,
        8192 * MIB,
    ]


EXCESS = {
    "all of it": (100, 90, 100, 100),
    "a quarter more is believed": (125, 90, 100, 125),
    "what is mapped beyond is not": (200, 90, 100, 125),
    "but no more than what is mapped": (200, 50, 100, 150),
}


@pytest.mark.parametrize("case", EXCESS)
def test_pages_that_nothing_reads_do_not_count(case: str) -> None:
    resident, mapped, estimated, expected = EXCESS[case]
    assert without_excess(resident, mapped, estimated) == expected


def entry(**choices: Any) -> Entry:
    model = fake_model(
        Path("/m.gguf"),
        architecture="llama",
        geometry=SMOLLM2,
        context_length=32_768,
        weights=Weights(total_bytes=100 * MIB),
    )
    return Entry(model_id="m", model=model, choices=Choices(**choices))


@pytest.mark.parametrize(
    ("capacity_mib", "settings", "expected"),
    [
        (2000, {}, 32_768),
        (700, {}, 16_384),
        (400, {}, 8_192),
        (1, {}, 8_192),
        (1, {"ctx_size": 20_000}, 20_000),
    ],
)
def test_a_context_that_nobody_chose_is_what_the_machine_can_hold(
    capacity_mib: int, settings: dict[str, Any], expected: int
) -> None:
    demand = plan_demand(entry(settings=settings), None, capacity_mib * MIB)
    assert demand.options["ctx_size"] == expected


def test_a_measurement_counts_for_the_settings_that_it_was_made_with() -> None:
    before = entry(settings={"ctx_size": 4096})
    made_for = start_digest(before)
    same = entry(settings={"ctx_size": 4096, "pinned": True}, measured_memory_bytes=5, measured_for=made_for)
    other = entry(settings={"ctx_size": 8192}, measured_memory_bytes=5, measured_for=made_for)
    assert plan_demand(same, None, 1 << 40).total_bytes == 5
    assert plan_demand(other, None, 1 << 40).measured_bytes is None


@pytest.mark.parametrize(
    ("settings", "bytes_of_an_element"),
    [({}, 2), ({"cache_type_k": "q8_0"}, 2), ({"cache_type_k_draft": "f32", "cache_type_v_draft": "f32"}, 4)],
)
def test_a_draft_counts_with_its_file_and_its_context(
    tmp_path: Path, settings: dict[str, Any], bytes_of_an_element: int
) -> None:
    path = tmp_path / "draft.gguf"
    path.write_bytes(b"x" * 1000)
    draft = fake_model(path, geometry=Geometry(block_count=1, embedding_length=64, head_count=4))
    drafted = fake_model(Path("/m.gguf"), context_length=8192, draft=str(path), draft_model=draft)
    choices = Choices(settings=settings)
    demand = plan_demand(Entry(model_id="m", model=drafted, choices=choices), None, 1 << 40)
    compute = estimate(draft, {"ctx_size": 8192, "parallel": 1}).compute_bytes
    # The cache as the engine logged it for such a draft: 2.00 MiB in f16.
    assert demand.estimate.parts_bytes == 1000 + bytes_of_an_element * MIB + compute


def test_a_draft_that_is_not_used_does_not_count(tmp_path: Path) -> None:
    draft = fake_model(tmp_path / "draft.gguf", geometry=Geometry(block_count=1, embedding_length=64))
    drafted = fake_model(Path("/m.gguf"), draft=draft.path, draft_model=draft)
    other = Choices(settings={"model_draft": ""})
    assert plan_demand(Entry(model_id="m", model=drafted, choices=other), None, 1).estimate.parts_bytes == 0


def test_a_measurement_without_the_draft_does_not_count_with_it() -> None:
    plain = entry(settings={})
    draft = fake_model(Path("/draft.gguf"))
    model = msgspec.structs.replace(plain.model, draft=draft.path, draft_model=draft)
    assert start_digest(msgspec.structs.replace(plain, model=model)) != start_digest(plain)


def test_who_may_be_given_a_prompt_cache() -> None:
    def takes(kind: Kind, settings: dict[str, Any]) -> bool:
        known = entry(settings=settings)
        model = fake_model(Path("/m.gguf"), kind=kind)
        return plan_demand(Entry(model_id="m", model=model, choices=known.choices), None, 1).takes_cache

    assert takes(Kind.CHAT, {})
    assert not takes(Kind.CHAT, {"cache_ram": 5})
    assert not takes(Kind.EMBEDDING, {})
