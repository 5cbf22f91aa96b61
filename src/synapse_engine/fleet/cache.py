"""What a context takes: the KV cache of attention layers and the state of recurrent ones, by layer. Pure.

Sources: llama-kv-cache.cpp, llama-kv-cache-iswa.cpp, llama-memory-recurrent.cpp and llama-hparams.cpp of
llama.cpp; docs/memory.md has the formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synapse_engine.catalog.model import Geometry, Model

CELL_PADDING = 256
UBATCH_TOKENS = 512
AUTO_SLOTS = 4
STATE_BYTES = 4  # recurrent state is kept in F32

# Bytes of 32 elements of a cache type (ggml's block), so that quantized rows stay whole numbers.
BYTES_OF_32 = {
    "f32": 128,
    "f16": 64,
    "bf16": 64,
    "q8_0": 34,
    "q5_1": 24,
    "q5_0": 22,
    "q4_1": 20,
    "q4_0": 18,
    "iq4_nl": 18,
}

# Every how many layers one attends to all, where the header does not say.
SLIDING_PERIODS = {
    "afmoe": 4,
    "cohere2": 4,
    "cohere2moe": 4,
    "exaone-moe": 4,
    "exaone4": 4,
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "gpt-oss": 2,
    "llama4": 4,
    "olmo2": 4,
    "plamo3": 8,
    "smallthinker": 4,
}
# Where the header names none, and where the engine uses its own, whatever the header names.
DEFAULT_WINDOWS = {"gemma2": 4096, "llama4": 8192}
OWN_WINDOWS = {"llama4": 8192, "smallthinker": 4096}
# The windows of the smaller ones are not used.
EXAONE4_SLIDING_LAYERS = 64
# In these the first of every period attends to all, in the others the last.
DENSE_FIRST = frozenset(["cohere2moe", "smallthinker"])
RECURRENT = frozenset(["mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"])
ATTENTION_BESIDE_STATE = frozenset(["falcon-h1"])
FULL_ATTENTION_INTERVALS = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
# These read a whole text at once and keep nothing between two.
WITHOUT_CACHE = frozenset(
    "bert modern-bert nomic-bert nomic-bert-moe neo-bert jina-bert-v2 jina-bert-v3 eurobert gemma-embedding"
    " llama-embed dream llada llada-moe rnd1".split()
)


@dataclass(frozen=True)
class Slots:
    """How a context is divided. Every one of `streams` has `cells` of its own; `sequences` are the slots."""

    cells: int
    streams: int
    sequences: int
    ubatch_tokens: int

    @property
    def context_tokens(self) -> int:
        return self.cells * self.streams


@dataclass(frozen=True)
class LayerCache:
    """kv_bytes: of attention, for the whole context. state_bytes: of a recurrent layer, for all slots."""

    kv_bytes: int
    state_bytes: int


def plan_slots(model: Model, options: Mapping[str, Any]) -> Slots:
    """From llama-server's options as they will be passed. Four slots share one context where none is said."""
    asked = _number(options, "parallel", -1)
    sequences = asked if asked > 0 else AUTO_SLOTS
    is_unified = bool(options.get("kv_unified", asked <= 0)) or sequences == 1
    context = _number(options, "ctx_size", 0) or model.context_length or 4096
    streams = 1 if is_unified else sequences
    ubatch = min(_number(options, "ubatch_size", UBATCH_TOKENS), _number(options, "batch_size", 2048))
    return Slots(_padded(-(-context // streams)), streams, sequences, ubatch)


def request_tokens(model: Model, options: Mapping[str, Any]) -> int:
    """What one request may have, prompt and answer together.

    llama-server gives no slot more than the model was trained for.
    """
    cells = plan_slots(model, options).cells
    return min(cells, model.context_length or cells)


def plan_cache(model: Model, options: Mapping[str, Any]) -> list[LayerCache]:
    """What each layer keeps, in order of the layers."""
    slots = plan_slots(model, options)
    return [_layer(model, layer, slots, options) for layer in range(model.geometry.block_count or 0)]


def _layer(model: Model, layer: int, slots: Slots, options: Mapping[str, Any]) -> LayerCache:
    if model.architecture in WITHOUT_CACHE:
        return LayerCache(0, 0)
    is_recurrent = _is_recurrent(model, layer)
    state = slots.sequences * STATE_BYTES * _state_length(model.geometry) if is_recurrent else 0
    if is_recurrent and model.architecture not in ATTENTION_BESIDE_STATE or not _has_cache(model, layer):
        return LayerCache(0, state)
    slides = _slides(model, layer)
    cells = slots.streams * (_sliding_cells(model, slots, options) if slides else slots.cells)
    keys, values = _row_lengths(model.geometry, layer, slides)
    row_bytes = _row_bytes(keys, options.get("cache_type_k")) + _row_bytes(
        values, options.get("cache_type_v")
    )
    return LayerCache(cells * row_bytes, state)


def _has_cache(model: Model, layer: int) -> bool:
    """Whether it attends with keys and values of its own: some layers reuse earlier ones.

    Those that only draft keep a cache in some builds of the engine and none in others, but beside recurrent
    layers none in any. What may be kept is counted.
    """
    geometry = model.geometry
    shared = geometry.shared_kv_layers or 0
    own = (geometry.block_count or 0) - shared
    if _attention_interval(model):
        own -= geometry.nextn_predict_layers or 0
    if model.architecture == "gemma3n" and not shared:
        own = min(own, 20)
    return layer < own


def _is_recurrent(model: Model, layer: int) -> bool:
    geometry, architecture = model.geometry, model.architecture or ""
    if architecture in RECURRENT or architecture in ATTENTION_BESIDE_STATE:
        return True
    if interval := _attention_interval(model):
        return (layer + 1) % interval != 0
    if not (geometry.ssm_inner_size or geometry.shortconv_l_cache or geometry.kda_head_dim):
        return False
    is_mixer = _at(geometry.head_count_kv, layer) == 0
    # In nemotron_h a layer may also be a feed-forward one alone.
    return is_mixer and not (
        architecture.startswith("nemotron_h") and _at(geometry.feed_forward_length, layer)
    )


def _attention_interval(model: Model) -> int | None:
    return model.geometry.full_attention_interval or FULL_ATTENTION_INTERVALS.get(model.architecture or "")


def _state_length(geometry: Geometry) -> int:
    """Elements that one slot keeps in one recurrent layer: of the convolution and of the state."""
    embedding = geometry.embedding_length or 0
    if geometry.wkv_head_size:
        shifts = 2 if geometry.token_shift_count is None else geometry.token_shift_count
        return embedding * (shifts + geometry.wkv_head_size)
    if geometry.shortconv_l_cache:
        return embedding * (geometry.shortconv_l_cache - 1)
    if geometry.kda_head_dim:
        inner = (_at(geometry.head_count, 0) or 0) * geometry.kda_head_dim
        return inner * (3 * ((geometry.ssm_conv_kernel or 4) - 1) + geometry.kda_head_dim)
    inner, state = geometry.ssm_inner_size or 0, geometry.ssm_state_size or 0
    kernel = max(0, (geometry.ssm_conv_kernel or 0) - 1)
    return kernel * (inner + 2 * (geometry.ssm_group_count or 0) * state) + inner * state


def _slides(model: Model, layer: int) -> bool:
    architecture = model.architecture or ""
    pattern = model.geometry.sliding_window_pattern
    if not _window(model):
        return False
    if isinstance(pattern, list):
        return pattern[layer % len(pattern)]
    period = SLIDING_PERIODS.get(architecture) if pattern is None else pattern
    if period is None:
        return False
    if period == 0:
        return True
    return layer % period != 0 if architecture in DENSE_FIRST else layer % period < period - 1


def _window(model: Model) -> int:
    """In tokens; 0 where none slides."""
    architecture, named = model.architecture or "", model.geometry.sliding_window
    if architecture == "exaone4" and model.geometry.block_count != EXAONE4_SLIDING_LAYERS:
        return 0
    window = DEFAULT_WINDOWS.get(architecture, 0) if named is None else named
    return OWN_WINDOWS.get(architecture, window) if window else 0


def _sliding_cells(model: Model, slots: Slots, options: Mapping[str, Any]) -> int:
    if options.get("swa_full"):
        return slots.cells
    sequences = slots.sequences if slots.streams == 1 else 1
    return _padded(min(slots.cells, _window(model) * sequences + slots.ubatch_tokens))


def _row_lengths(geometry: Geometry, layer: int, slides: bool) -> tuple[int, int]:
    """Elements of a token's keys and of its values in one layer."""
    heads = _at(geometry.head_count, 0) or 1
    default = (geometry.embedding_length or 0) // heads
    key, value = geometry.key_length or default, geometry.value_length or default
    if slides:
        key, value = geometry.key_length_swa or key, geometry.value_length_swa or value
    own_heads = _at(geometry.head_count_kv, layer)
    kv_heads = _at(geometry.head_count, layer) if own_heads is None else own_heads
    if geometry.key_length_mla:
        return key * (kv_heads or 0), 0
    return key * (kv_heads or 0), value * (kv_heads or 0)


def _row_bytes(elements: int, cache_type: Any) -> int:
    return elements * BYTES_OF_32.get(str(cache_type or "f16").lower(), 64) // 32


def _at(value: int | list[int] | None, layer: int) -> int | None:
    if isinstance(value, list):
        return value[layer] if layer < len(value) else None
    return value


def _padded(tokens: int) -> int:
    return -(-tokens // CELL_PADDING) * CELL_PADDING


def _number(options: Mapping[str, Any], name: str, default: int) -> int:
    value = options.get(name)
    try:
        return default if value is None else int(value)
    except (TypeError, ValueError):
        return default
