"""What a model needs in memory, from its header and the options it is started with. Pure.

Weights and caches are exact, held against the engine's own numbers by a test. The compute buffer has no
closed form: what is here follows its largest tensors. docs/memory.md has every formula and its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synapse_engine.catalog.model import Model
from synapse_engine.fleet.cache import LayerCache, Slots, plan_cache, plan_slots

MIB = 1 << 20
# llama-server itself: its code and libraries, and what it keeps of each token's text.
PROCESS_BYTES = 16_000_000
VOCABULARY_BYTES = 150
DEFAULT_CACHE_RAM_MIB = 8192
F32_BYTES, F16_BYTES = 4, 2
# Activations as wide as the embedding that are alive at once, beside two of the feed-forward's width.
LIVE_ACTIVATIONS = 6


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Bytes, by what takes them.

    parts: mmproj and draft files, and what the draft needs to work. prompt_cache: only where a person set it.
    """

    weights_bytes: int
    parts_bytes: int
    kv_bytes: int
    state_bytes: int
    compute_bytes: int
    process_bytes: int
    prompt_cache_bytes: int
    layers: tuple[LayerCache, ...]

    @property
    def total_bytes(self) -> int:
        return (
            self.weights_bytes
            + self.parts_bytes
            + self.kv_bytes
            + self.state_bytes
            + self.compute_bytes
            + self.process_bytes
            + self.prompt_cache_bytes
        )


def estimate(model: Model, options: Mapping[str, Any], parts_bytes: int = 0) -> Estimate:
    """What it will take with these options of llama-server, by their long names.

    parts_bytes: of what is loaded besides the model. One whose tensors are not known counts its files.
    """
    slots = plan_slots(model, options)
    layers = plan_cache(model, options)
    return Estimate(
        weights_bytes=model.weights.total_bytes or model.file_size_bytes,
        parts_bytes=parts_bytes,
        kv_bytes=sum(layer.kv_bytes for layer in layers),
        state_bytes=sum(layer.state_bytes for layer in layers),
        compute_bytes=_compute_bytes(model, slots, options),
        process_bytes=PROCESS_BYTES + VOCABULARY_BYTES * (model.geometry.vocabulary_size or 0),
        prompt_cache_bytes=_prompt_cache_bytes(options),
        layers=tuple(layers),
    )


def without_excess(resident_bytes: int, mapped_bytes: int, estimated_bytes: int) -> int:
    """What a process needs, from what it takes.

    Weights that were repacked for the processor leave their file's pages mapped, though nothing reads them
    again. The system takes those back when memory is short, so beyond a quarter above the estimate mapped
    pages do not count.
    """
    excess = resident_bytes - estimated_bytes * 5 // 4
    return resident_bytes - max(0, min(mapped_bytes, excess))


def _compute_bytes(model: Model, slots: Slots, options: Mapping[str, Any]) -> int:
    geometry = model.geometry
    width = geometry.feed_forward_length
    widest = max(width, default=0) if isinstance(width, list) else width or 0
    routed = (geometry.expert_used_count or 0) * (geometry.expert_feed_forward_length or widest)
    activations = 2 * max(widest, routed) + LIVE_ACTIVATIONS * (geometry.embedding_length or 0)
    mask = slots.cells * slots.streams * F16_BYTES
    logits = slots.sequences * (geometry.vocabulary_size or 0) * F32_BYTES
    scores = 0
    if str(options.get("flash_attn", "auto")).lower() in ("off", "false", "0"):
        heads = geometry.head_count
        scores = (max(heads) if isinstance(heads, list) else heads or 0) * slots.cells * F32_BYTES
    return slots.ubatch_tokens * (activations * F32_BYTES + mask + scores) + logits


def _prompt_cache_bytes(options: Mapping[str, Any]) -> int:
    asked = options.get("cache_ram", 0)
    if not isinstance(asked, int):
        return 0
    return (DEFAULT_CACHE_RAM_MIB if asked < 0 else asked) * MIB
