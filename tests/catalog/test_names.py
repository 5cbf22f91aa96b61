from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pytest

from synapse_engine.catalog.model import Tier
from synapse_engine.catalog.names import (
    Hints,
    ModelName,
    assign_ids,
    choose_quantization,
    name_model,
    name_words,
    parse_file_name,
    parse_size,
    shard_file_name,
    tier_of,
)

GB = 1_000_000_000


class Row(NamedTuple):
    repo: str
    file: str
    kind: str
    size_b: str
    quantization: str
    shards: str
    model_id: str
    display_name: str
    tier: str


def read_rows() -> list[Row]:
    with open(Path(__file__).parent / "gguf_file_names.tsv", newline="") as file:
        return [Row(*row) for row in csv.reader(file, delimiter="\t") if not row[0].startswith("#")]


def name(file_name: str, repo: str | None = None, **hints: object) -> ModelName:
    return name_model(parse_file_name(file_name), repo, Hints(**hints), GB)  # type: ignore[arg-type]


@pytest.mark.parametrize("row", read_rows(), ids=lambda row: row.file)
def test_real_file_names(row: Row) -> None:
    file = parse_file_name(row.file)
    named = name_model(file, row.repo, Hints(), GB)
    is_model = row.kind == "model"
    assert (file.part or "model") == row.kind
    assert file.shard_count == int(row.shards)
    assert (named.quantization or "-") == row.quantization
    assert named.nominal_size_b == (None if row.size_b == "-" else float(row.size_b))
    assert (named.base_id if is_model else "-") == row.model_id
    assert (named.display_name if is_model else "-") == row.display_name
    assert (named.tier if is_model else "-") == row.tier


@pytest.mark.parametrize(
    ("word", "billions"),
    [
        ("7B", 7),
        ("0.5b", 0.5),
        ("135M", 0.135),
        ("8x7B", 56),
        ("8x22b", 176),
        ("E4B", 4),
        ("1T", 1000),
        ("16E", None),
        ("A3B", None),
        ("4k", None),
        ("b", None),
    ],
)
def test_a_size_word(word: str, billions: float | None) -> None:
    assert parse_size(word) == billions


@pytest.mark.parametrize(
    ("stem", "billions"),
    [
        ("Llama-4-Scout-17B-16E-Instruct", 17),
        ("gemma-3n-E4B-it", 4),
        ("Qwen2.5-7B-Instruct-1M", 7),
        ("Qwen3-30B-A3B", 30),
        ("Qwen1.5-MoE-A2.7B", None),
    ],
)
def test_the_size_in_a_name(stem: str, billions: float | None) -> None:
    assert name(f"{stem}.gguf").nominal_size_b == billions


@pytest.mark.parametrize(
    ("size_b", "file_size", "tier"),
    [
        (7.9, 90 * GB, Tier.FAST),
        (8, GB, Tier.BALANCED),
        (14, GB, Tier.BALANCED),
        (14.1, GB, Tier.POWERFUL),
        (None, 5 * GB - 1, Tier.FAST),
        (None, 5 * GB, Tier.BALANCED),
        (None, 10 * GB - 1, Tier.BALANCED),
        (None, 10 * GB, Tier.POWERFUL),
    ],
)
def test_tier_bounds(size_b: float | None, file_size: int, tier: Tier) -> None:
    assert tier_of(size_b, file_size) is tier


@pytest.mark.parametrize(
    ("named", "file_type", "tensor_type", "chosen"),
    [
        ("Q4_K_XL", "Q4_K_M", None, "Q4_K_XL"),
        ("Q6_K_L", "Q6_K", None, "Q6_K_L"),
        ("Q4_K_M", None, "Q4_K", "Q4_K_M"),
        ("Q4_K_M", "Q8_0", "Q8_0", "Q8_0"),
        ("IQ4_XS", "IQ4_NL", None, "IQ4_NL"),
        ("Q4", "Q4_K_M", None, "Q4_K_M"),
        ("Q4_K", "Q4_K_M", None, "Q4_K_M"),
        (None, "F16", "Q8_0", "F16"),
        (None, None, "Q5_K", "Q5_K"),
        ("Q5_K_M", None, None, "Q5_K_M"),
        (None, None, None, None),
    ],
)
def test_the_header_decides_the_quantization_and_the_name_refines_it(
    named: str | None, file_type: str | None, tensor_type: str | None, chosen: str | None
) -> None:
    assert choose_quantization(named, Hints(file_type=file_type, tensor_type=tensor_type)) == chosen


@pytest.mark.parametrize(
    ("stem", "quantization", "is_dynamic"),
    [
        ("x-FP16", "F16", False),
        ("x.fp32", "F32", False),
        ("x-mxfp4_moe", "MXFP4", False),
        ("x-UD-Q4_K_XL", "Q4_K_XL", True),
        ("x-ud-iq2_m", "IQ2_M", True),
        ("x-i1-IQ3_XXS", "IQ3_XXS", False),
        ("Q4_K_M", "Q4_K_M", False),
        ("qwen3-Q", None, False),
    ],
)
def test_the_quantization_in_a_name(stem: str, quantization: str | None, is_dynamic: bool) -> None:
    file = parse_file_name(f"{stem}.GGUF")
    assert (file.quantization, file.is_dynamic_quant) == (quantization, is_dynamic)


@pytest.mark.parametrize(
    ("file_name", "repo", "hints", "model_id"),
    [
        ("Qwen-7B-Q4_K_M.gguf", None, {}, "qwen_7b_fast"),
        ("Phi-3-mini-4k.gguf", None, {"size_label": "3.8B"}, "phi_3_mini_4k_3.8b_fast"),
        ("Phi-3-mini-4k.gguf", None, {"parameter_count": 3_821_079_552}, "phi_3_mini_4k_3.8b_fast"),
        ("smol.gguf", None, {"parameter_count": 134_515_008}, "smol_135m_fast"),
        ("big.gguf", None, {"parameter_count": 70_553_706_496}, "big_71b_powerful"),
        ("named-7b.gguf", None, {"size_label": "70B"}, "named_7b_fast"),
        ("google_gemma-3-27b-it.gguf", None, {}, "gemma_3_27b_powerful"),
        ("llama3_1-8b.gguf", None, {}, "llama3_1_8b_balanced"),
        ("tiny_llama_1b.gguf", None, {}, "tiny_llama_1b_fast"),
        ("ggml-model-q4_0.gguf", "me/Tiny-Llama-1B-GGUF", {}, "tiny_llama_1b_fast"),
        ("model.gguf", None, {"name": "Tiny Llama 1B"}, "tiny_llama_1b_fast"),
        ("model.gguf", None, {}, "model_fast"),
        ("instruct.gguf", None, {}, "model_fast"),
        (".gguf", None, {}, "model_fast"),
        ("Qwen 7B (copy).gguf", None, {}, "qwen_7b_copy_fast"),
    ],
)
def test_model_ids(file_name: str, repo: str | None, hints: dict[str, object], model_id: str) -> None:
    assert name(file_name, repo, **hints).base_id == model_id


@pytest.mark.parametrize(
    ("file_name", "family", "version", "variant"),
    [
        ("qwen2.5-coder-0.5b-instruct.gguf", "qwen", "2.5", "coder instruct"),
        ("Meta-Llama-3.1-8B.gguf", "llama", "3.1", None),
        ("mistral-7b-v0.2.gguf", "mistral", "0.2", None),
        ("7b-it.gguf", "it", None, None),
    ],
)
def test_families(file_name: str, family: str, version: str | None, variant: str | None) -> None:
    named = name(file_name)
    assert (named.family, named.version, named.variant) == (family, version, variant)


@pytest.mark.parametrize(
    ("file_name", "part"),
    [
        ("mmproj-model-f16.gguf", "mmproj"),
        ("gemma-3-4b-it-mmproj.gguf", "mmproj"),
        ("google_gemma-3-imatrix.gguf", "imatrix"),
        ("mtp-GLM-4.5.gguf", "draft"),
        ("EAGLE3-LLaMA3.1-8B.gguf", "draft"),
        ("smtp-helper-7b.gguf", None),
        ("Qwen3-27B-MTP-Q4_K_M.gguf", None),
    ],
)
def test_parts_by_name(file_name: str, part: str | None) -> None:
    assert parse_file_name(file_name).part == part


def test_another_shard_s_name() -> None:
    assert shard_file_name("x-00002-of-00003.GGUF", 1) == "x-00001-of-00003.GGUF"
    assert shard_file_name("x.gguf", 1) == "x.gguf"


def test_words_that_belong_together() -> None:
    assert name_words("google_gemma-3-4b-it-Q4_K_M") == {"gemma", "3", "4b", "it"}


FAST = Tier.FAST


@pytest.mark.parametrize(
    ("newcomers", "taken", "ids"),
    [
        ([("qwen_7b_fast", "Q4_K_M", FAST)], set(), ["qwen_7b_fast"]),
        (
            [("qwen_7b_fast", "Q2_K", FAST), ("qwen_7b_fast", "Q8_0", FAST)],
            set(),
            ["qwen_7b_q2_k_fast", "qwen_7b_q8_0_fast"],
        ),
        (
            [("qwen_7b_fast", "Q8_0", FAST)] * 3,
            set(),
            ["qwen_7b_q8_0_fast", "qwen_7b_q8_0_fast_2", "qwen_7b_q8_0_fast_3"],
        ),
        ([("qwen_7b_fast", "Q8_0", FAST)], {"qwen_7b_fast"}, ["qwen_7b_q8_0_fast"]),
        (
            [("qwen_7b_fast", "Q8_0", FAST)],
            {"qwen_7b_fast", "qwen_7b_q8_0_fast"},
            ["qwen_7b_q8_0_fast_2"],
        ),
        ([("x_fast", None, FAST)] * 2, set(), ["x_fast", "x_fast_2"]),
    ],
)
def test_ids_that_collide(
    newcomers: list[tuple[str, str | None, Tier]], taken: set[str], ids: list[str]
) -> None:
    assert assign_ids(newcomers, taken) == ids
