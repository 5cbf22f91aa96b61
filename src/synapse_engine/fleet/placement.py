"""Where a model's parts go: RAM and GPUs. Pure.

Mirrors what llama-server does by itself with `--fit`, so that what it will take can be reserved: everything
on the GPUs, else the experts of the first layers in RAM, else the first layers too.
Source: load_tensors in llama-model.cpp, common_fit_params in common/fit.cpp of llama.cpp.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from synapse_engine.catalog.model import Model
from synapse_engine.fleet.memory import Estimate
from synapse_engine.launch.base import RAM


@dataclass(frozen=True)
class Placement:
    """need: bytes by device. notice: what the person should know of it, where not all is on the GPUs."""

    need: Mapping[str, int]
    notice: str | None = None

    @property
    def total_bytes(self) -> int:
        return sum(self.need.values())


@dataclass(frozen=True)
class Gpu:
    """One that may be used. total_bytes weighs how layers are spread over several."""

    name: str
    total_bytes: int


def plan_placements(
    estimate: Estimate, model: Model, options: Mapping[str, Any], gpus: Sequence[Gpu]
) -> list[Placement]:
    """Every placement that may be tried, the best first."""
    count = len(estimate.layers)
    if not gpus or not count or _number(options, "n_gpu_layers") == 0:
        return [Placement({RAM: estimate.total_bytes})]
    return [
        Placement(_needs(estimate, model, options, gpus, layers, experts), _notice(count, layers, experts))
        for layers, experts in _divisions(model, options, count)
    ]


def _divisions(model: Model, options: Mapping[str, Any], count: int) -> Iterator[tuple[int, int]]:
    """Layers on the GPUs (the output is one more), and layers whose experts stay in RAM; the best first."""
    asked_layers = _number(options, "n_gpu_layers")
    asked_experts = count if options.get("cpu_moe") else _number(options, "n_cpu_moe")
    if asked_layers is not None or asked_experts is not None:
        wanted = count + 1 if asked_layers is None or asked_layers < 0 else asked_layers
        yield min(wanted, count + 1), min(asked_experts or 0, count)
        return
    most_experts = count if model.weights.expert_bytes else 0
    for experts in range(most_experts + 1):
        yield count + 1, experts
    for layers in range(count, -1, -1):
        yield layers, most_experts


def _needs(
    estimate: Estimate,
    model: Model,
    options: Mapping[str, Any],
    gpus: Sequence[Gpu],
    on_gpu: int,
    experts_in_ram: int,
) -> dict[str, int]:
    count = len(estimate.layers)
    first = count + 1 - on_gpu
    owners = _owners(gpus, count + 1 - first)
    weights = model.weights
    output_bytes = weights.output_bytes or weights.token_embedding_bytes
    parts: list[tuple[str, int]] = []
    for layer in range(first, count):
        owner = owners[layer - first]
        parts.append((owner, _at(weights.layer_bytes, layer)))
        if layer < experts_in_ram:
            parts.append((owner, -_at(weights.layer_expert_bytes, layer)))
        if options.get("kv_offload", True):
            parts.append((owner, estimate.layers[layer].kv_bytes + estimate.layers[layer].state_bytes))
    # With tied embeddings the GPU gets a copy, and RAM keeps its own.
    copied = 0
    if on_gpu:
        parts.append((owners[-1], output_bytes))
        parts.append((owners[0], estimate.parts_bytes))
        copied = 0 if weights.output_bytes else output_bytes
    needs: dict[str, int] = {}
    for owner, size in parts:
        needs[owner] = needs.get(owner, 0) + size
    ram = estimate.total_bytes + copied - sum(needs.values())
    return {RAM: ram} | {name: size + estimate.compute_bytes for name, size in needs.items()}


def _owners(gpus: Sequence[Gpu], count: int) -> list[str]:
    """The GPU of each of so many layers, in order, as many for each as its memory's share."""
    bounds = list(accumulate(gpu.total_bytes for gpu in gpus))
    return [gpus[bisect_right(bounds[:-1], place * bounds[-1] / count)].name for place in range(count)]


def _notice(count: int, layers: int, experts: int) -> str | None:
    in_ram = min(count, count + 1 - layers)
    if in_ram:
        return f"{in_ram} of {count} layers are in RAM, because the GPUs have no room for more"
    if experts:
        return (
            f"the experts of {experts} of {count} layers are in RAM, because the GPUs have no room for more"
        )
    return None


def _at(values: Sequence[int], layer: int) -> int:
    return values[layer] if layer < len(values) else 0


def _number(options: Mapping[str, Any], name: str) -> int | None:
    """None too for what is not a number: `auto` and `all`."""
    value = options.get(name)
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) else None
