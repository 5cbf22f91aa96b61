"""Facts of many architectures, each equal to what the gguf library reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import gguf
import pytest
from gguf import GGMLQuantizationType as Type
from tests.gguf_files import write_gguf

from synapse_engine.catalog.discovery import scan
from synapse_engine.catalog.header import COUNTS, COUNTS_PER_LAYER, Header, read_header
from synapse_engine.catalog.model import Geometry, Kind

DENSE = {
    "context_length": 4096,
    "embedding_length": 256,
    "block_count": 2,
    "feed_forward_length": 512,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
}
EXPERTS = {"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 128}
MLA = {
    "attention.kv_lora_rank": 64,
    "attention.key_length": 96,
    "attention.value_length": 64,
    "attention.key_length_mla": 48,
    "attention.value_length_mla": 32,
    "leading_dense_block_count": 1,
}
SSM = {
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 512,
    "ssm.state_size": 128,
    "ssm.group_count": 2,
    "ssm.time_step_rank": 16,
}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": DENSE,
    "qwen2": DENSE | {"feed_forward_length": 768},
    "qwen3": DENSE | {"attention.key_length": 128, "attention.value_length": 128},
    "qwen3moe": DENSE | EXPERTS,
    "qwen3next": DENSE | EXPERTS | SSM | {"full_attention_interval": 4},
    "gemma3": DENSE | {"attention.sliding_window": 512, "attention.key_length": 256},
    "gemma3n": DENSE
    | {
        "attention.sliding_window": 512,
        "attention.sliding_window_pattern": [True, False],
        "attention.shared_kv_layers": 1,
        "feed_forward_length": [512, 640],
    },
    "cohere2": DENSE | {"attention.sliding_window": 4096, "attention.sliding_window_pattern": 4},
    "deepseek2": DENSE | EXPERTS | MLA,
    "glm4moe": DENSE | EXPERTS | {"nextn_predict_layers": 1},
    "gpt-oss": DENSE | EXPERTS | {"attention.sliding_window": 128},
    "granitehybrid": DENSE | SSM | {"attention.head_count_kv": [0, 2]},
    "mamba2": DENSE | SSM | {"attention.head_count": 0, "attention.head_count_kv": 0},
    "lfm2": DENSE | {"shortconv.l_cache": 3, "attention.head_count_kv": [0, 2]},
    "kimi-linear": DENSE | MLA | {"kda.head_dim": 64, "attention.head_count_kv": [0, 1]},
    "rwkv7": DENSE | {"wkv.head_size": 64, "token_shift_count": 2},
    "phi3": DENSE | {"attention.sliding_window": 262_144},
    "bert": DENSE | {"pooling_type": 1, "attention.causal": False},
    "gemma4": DENSE | {"attention.key_length_swa": 128, "attention.value_length_swa": 128},
}


def write(path: Path, architecture: str) -> Path:
    facts = ARCHITECTURES[architecture]
    keys: dict[str, Any] = {f"{architecture}.{key}": value for key, value in facts.items()}
    keys |= {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": [f"t{n}" for n in range(64)]}
    tensors = {"token_embd.weight": ((64, 256), Type.Q6_K), "output_norm.weight": ((256,), Type.F32)}
    for layer in range(2):
        tensors |= {f"blk.{layer}.attn_{part}.weight": ((256, 256), Type.Q4_K) for part in ("q", "k", "v")}
        tensors[f"blk.{layer}.attn_norm.weight"] = ((256,), Type.F32)
        if "expert_count" in facts:
            tensors[f"blk.{layer}.ffn_gate_inp.weight"] = ((4, 256), Type.F32)
            tensors[f"blk.{layer}.ffn_down_shexp.weight"] = ((256, 256), Type.Q8_0)
            for part in ("up", "gate"):
                tensors[f"blk.{layer}.ffn_{part}_exps.weight"] = ((4, 128, 256), Type.MXFP4)
        else:
            tensors[f"blk.{layer}.ffn_up.weight"] = ((512, 256), Type.IQ4_XS)
    if architecture != "gemma3":
        tensors["output.weight"] = ((64, 256), Type.Q8_0)
    return write_gguf(path, architecture, keys, tensors)


def assert_equals_library(header: Header, reader: gguf.GGUFReader) -> None:
    def value(key: str) -> Any:
        field = reader.get_field(f"{header.architecture}.{key}")
        return None if field is None else field.contents()

    for name, key in (COUNTS | COUNTS_PER_LAYER).items():
        assert getattr(header.geometry, name) == value(key), name
    assert header.geometry.sliding_window_pattern == value("attention.sliding_window_pattern")
    assert header.geometry.vocabulary_size == len(reader.fields["tokenizer.ggml.tokens"].data)
    assert header.context_length == value("context_length")
    assert_same_weights(header, reader)


def assert_same_weights(header: Header, reader: gguf.GGUFReader) -> None:
    elements: Counter[str] = Counter()
    layers: Counter[int] = Counter()
    experts: Counter[int] = Counter()
    named: Counter[str] = Counter()
    for tensor in reader.tensors:
        elements[tensor.tensor_type.name] += int(tensor.n_elements)
        first, *rest = tensor.name.split(".")
        named[first] += tensor.n_bytes
        if first == "blk":
            layers[int(rest[0])] += tensor.n_bytes
            experts[int(rest[0])] += tensor.n_bytes if rest[1].endswith("_exps") else 0
    weights = header.weights
    assert header.parameters_by_type == dict(elements)
    assert weights.total_bytes == sum(named.values())
    assert weights.layer_bytes == [layers[layer] for layer in range(2)]
    assert weights.expert_bytes == sum(experts.values())
    assert weights.layer_expert_bytes == [experts[layer] for layer in range(2) if experts[layer]]
    assert (weights.token_embedding_bytes, weights.output_bytes) == (named["token_embd"], named["output"])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_the_library(tmp_path: Path, architecture: str) -> None:
    path = write(tmp_path / "x.gguf", architecture)
    assert_equals_library(read_header(path.read_bytes()), gguf.GGUFReader(path))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_reaches_the_model(tmp_path: Path, architecture: str) -> None:
    path = write(tmp_path / "x.gguf", architecture)
    (model,) = scan([tmp_path]).models
    header = read_header(path.read_bytes())
    assert (model.geometry, model.weights, model.problem) == (header.geometry, header.weights, None)
    assert model.parameter_count == sum(header.parameters_by_type.values())
    assert (model.kind is Kind.EMBEDDING) == (architecture == "bert")
    assert ("multi_token" in model.capabilities) == (architecture == "glm4moe")


def test_every_fact_has_a_field() -> None:
    named = {*COUNTS, *COUNTS_PER_LAYER, "sliding_window_pattern", "vocabulary_size"}
    assert named == set(Geometry.__struct_fields__)


def test_shards_weigh_together(tmp_path: Path) -> None:
    for number, layer in ((1, 0), (2, 1)):
        write_gguf(
            tmp_path / f"x-0000{number}-of-00002.gguf",
            "llama",
            {},
            {f"blk.{layer}.ffn_up_exps.weight": ((4, 32), Type.Q8_0), "other": ((32,), Type.F32)},
        )
    (model,) = scan([tmp_path]).models
    assert model.weights.total_bytes == 2 * (4 * 34 + 128)
    assert model.weights.layer_bytes == model.weights.layer_expert_bytes == [136, 136]
    assert model.weights.expert_bytes == 272
