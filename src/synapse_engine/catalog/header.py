"""A GGUF file's keys -> what they mean: the facts of one file.

Source: the key names are those of llama-arch.cpp of llama.cpp, and of gguf-py's constants.py.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from synapse_engine.catalog.cursor import Read
from synapse_engine.catalog.ggml import FILE_TYPE_GUESSED, FILE_TYPES
from synapse_engine.catalog.gguf import ArrayMemo, SkippedValue, read_gguf
from synapse_engine.catalog.model import Geometry, Weights

TOOLS = re.compile(r"\btools\b")
THINKING = re.compile(r"</?think>|\benable_thinking\b|\breasoning_content\b|\breasoning_effort\b")
CONTROL_VECTOR = "controlvector"

# A field of Geometry -> its key, below the architecture's name.
COUNTS = {
    "block_count": "block_count",
    "embedding_length": "embedding_length",
    "key_length": "attention.key_length",
    "value_length": "attention.value_length",
    "key_length_mla": "attention.key_length_mla",
    "value_length_mla": "attention.value_length_mla",
    "key_length_swa": "attention.key_length_swa",
    "value_length_swa": "attention.value_length_swa",
    "kv_lora_rank": "attention.kv_lora_rank",
    "sliding_window": "attention.sliding_window",
    "shared_kv_layers": "attention.shared_kv_layers",
    "full_attention_interval": "full_attention_interval",
    "ssm_conv_kernel": "ssm.conv_kernel",
    "ssm_inner_size": "ssm.inner_size",
    "ssm_state_size": "ssm.state_size",
    "ssm_group_count": "ssm.group_count",
    "ssm_time_step_rank": "ssm.time_step_rank",
    "shortconv_l_cache": "shortconv.l_cache",
    "kda_head_dim": "kda.head_dim",
    "wkv_head_size": "wkv.head_size",
    "token_shift_count": "token_shift_count",
    "expert_count": "expert_count",
    "expert_used_count": "expert_used_count",
    "expert_feed_forward_length": "expert_feed_forward_length",
    "leading_dense_block_count": "leading_dense_block_count",
    "nextn_predict_layers": "nextn_predict_layers",
}
COUNTS_PER_LAYER = {
    "head_count": "attention.head_count",
    "head_count_kv": "attention.head_count_kv",
    "feed_forward_length": "feed_forward_length",
}


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one file's header says. What it does not say is None.

    type: `model`, `adapter`, `mmproj`, `imatrix`, or None; a `clip` architecture is an mmproj.
    file_type: the quantization's name, from `general.file_type`.
    has_encoder: an encoder of pictures or sound is in the file. sees, hears: of an mmproj, what it encodes.
    split_count: of how many shards this file is one; 0 and 1 are none.
    projection_dimension: of an mmproj, the width of the model that it feeds.
    parameters_by_type: tensor type -> number of elements; empty without tensors.
    digest: hash of the header without its long arrays, to know a moved file by (with its size).
    """

    byte_order: str = "little"
    architecture: str | None = None
    type: str | None = None
    name: str | None = None
    basename: str | None = None
    size_label: str | None = None
    file_type: str | None = None
    context_length: int | None = None
    geometry: Geometry = Geometry()
    weights: Weights = Weights()
    pooling_type: int | None = None
    template_has_tools: bool = False
    template_has_thinking: bool = False
    has_encoder: bool = False
    sees: bool = False
    hears: bool = False
    split_no: int | None = None
    split_count: int | None = None
    projection_dimension: int | None = None
    parameters_by_type: dict[str, int] = {}
    digest: str = ""


def read_header(content: bytes, memo: ArrayMemo | None = None) -> Header:
    """Read the header of the GGUF file whose whole content this is. Raises GgufError."""

    def read(at: int, byte_count: int) -> bytes:
        return content[at : at + byte_count]

    return read_header_from(read, len(content), memo or ArrayMemo())


def read_header_from(read: Read, size: int, memo: ArrayMemo) -> Header:
    """Read the header of the GGUF file of `size` bytes that `read` reads from. Raises GgufError."""
    gguf = read_gguf(read, size, memo)
    keys = gguf.keys
    architecture = _text(keys, "general.architecture")
    file_type = _number(keys, "general.file_type")
    template = _text(keys, "tokenizer.chat_template") or ""
    hears = keys.get("clip.has_audio_encoder") is True
    return Header(
        byte_order=gguf.byte_order,
        architecture=architecture,
        type=_type(keys, architecture),
        name=_text(keys, "general.name"),
        basename=_text(keys, "general.basename"),
        size_label=_text(keys, "general.size_label"),
        file_type=None if file_type is None else FILE_TYPES.get(file_type & ~FILE_TYPE_GUESSED),
        context_length=_number(keys, f"{architecture}.context_length"),
        geometry=_geometry(keys, architecture),
        weights=gguf.tensors.weights,
        pooling_type=_number(keys, f"{architecture}.pooling_type"),
        template_has_tools="tokenizer.chat_template.tool_use" in keys or bool(TOOLS.search(template)),
        template_has_thinking=bool(THINKING.search(template)),
        has_encoder=gguf.tensors.has_encoder,
        sees=keys.get("clip.has_vision_encoder", not hears) is True,
        hears=hears,
        split_no=_number(keys, "split.no"),
        split_count=_number(keys, "split.count"),
        projection_dimension=_projection_dimension(keys),
        parameters_by_type=gguf.tensors.parameters_by_type,
        digest=gguf.digest,
    )


def _type(keys: dict[str, Any], architecture: str | None) -> str | None:
    if architecture == "clip":
        return "mmproj"
    if architecture == CONTROL_VECTOR or "adapter.type" in keys:
        return "adapter"
    return _text(keys, "general.type")


def _projection_dimension(keys: dict[str, Any]) -> int | None:
    seen = _number(keys, "clip.vision.projection_dim")
    return _number(keys, "clip.audio.projection_dim") if seen is None else seen


# Memory is reckoned layer by layer; a header that claims millions of them is damaged, or made to harm.
MOST_LAYERS = 10_000


def _geometry(keys: dict[str, Any], architecture: str | None) -> Geometry:
    facts: dict[str, Any] = {name: _number(keys, f"{architecture}.{key}") for name, key in COUNTS.items()}
    if (facts["block_count"] or 0) > MOST_LAYERS:
        facts["block_count"] = None
    facts |= {name: _numbers(keys, f"{architecture}.{key}") for name, key in COUNTS_PER_LAYER.items()}
    return Geometry(
        **facts,
        sliding_window_pattern=_pattern(keys, f"{architecture}.attention.sliding_window_pattern"),
        vocabulary_size=_vocabulary_size(keys, architecture),
    )


def _pattern(keys: dict[str, Any], key: str) -> int | list[bool] | None:
    """Every how many layers one attends to all, or for each layer whether it slides."""
    value = keys.get(key)
    if isinstance(value, list) and value and all(isinstance(slides, int) for slides in value):
        return [bool(slides) for slides in value]
    return _number(keys, key)


def _vocabulary_size(keys: dict[str, Any], architecture: str | None) -> int | None:
    tokens = keys.get("tokenizer.ggml.tokens")
    if isinstance(tokens, SkippedValue):
        return tokens.length
    return _number(keys, f"{architecture}.vocab_size")


def _text(keys: dict[str, Any], key: str) -> str | None:
    value = keys.get(key)
    return value.strip() or None if isinstance(value, str) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _number(keys: dict[str, Any], key: str) -> int | None:
    value = keys.get(key)
    return value if _is_count(value) else None


def _numbers(keys: dict[str, Any], key: str) -> int | list[int] | None:
    """One number, or one per layer."""
    value = keys.get(key)
    if isinstance(value, list) and value and all(map(_is_count, value)):
        return value
    return _number(keys, key)
