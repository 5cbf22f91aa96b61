"""What a model will be started with, and what that needs. Pure, but for the sizes of further files."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from synapse_engine.catalog.model import Kind, Model
from synapse_engine.catalog.registry import Entry
from synapse_engine.fleet.memory import Estimate, estimate
from synapse_engine.launch.command import (
    DEFAULT_CONTEXT_TOKENS,
    default_options,
    given_options,
    launch_settings,
)
from synapse_engine.launch.engine import Engine

SMALLEST_CONTEXT_TOKENS = 8_192
CACHE_TYPES = ("cache_type_k", "cache_type_v")


@dataclass(frozen=True, kw_only=True)
class Demand:
    """options: llama-server's, defaults included. measured_bytes: what it took when it last ran like this.

    takes_cache: whether it may be given a prompt cache, as nobody set its size.
    """

    model: Model
    options: Mapping[str, Any]
    estimate: Estimate
    context_tokens: int
    measured_bytes: int | None
    takes_cache: bool

    @property
    def total_bytes(self) -> int:
        return self.measured_bytes or self.estimate.total_bytes


def plan_demand(entry: Entry, engine: Engine | None, capacity_bytes: int) -> Demand:
    """capacity_bytes: all the memory that servers may have. A context that nobody chose is the largest that
    leaves the model room in it, down to 8,192; it does not depend on what else is running.
    """
    model, settings = entry.model, entry.choices.settings
    given = given_options(settings, engine)
    context = DEFAULT_CONTEXT_TOKENS
    while True:
        defaults = default_options(model, given, context_tokens=context, prompt_cache_bytes=0)
        options = defaults | given
        estimated = estimate(model, options, _parts_bytes(options) + _drafting_bytes(model, options))
        if estimated.total_bytes <= capacity_bytes or context <= SMALLEST_CONTEXT_TOKENS:
            break
        context //= 2
    is_known = entry.choices.measured_for == start_digest(entry)
    return Demand(
        model=model,
        options=options,
        estimate=estimated,
        context_tokens=context,
        measured_bytes=entry.choices.measured_memory_bytes if is_known else None,
        takes_cache=model.kind is Kind.CHAT and "cache_ram" not in given,
    )


def start_digest(entry: Entry) -> str:
    """What a measurement holds for: these weights with these settings."""
    model = entry.model
    facts = [
        launch_settings(entry.choices.settings),
        model.header_digest,
        model.file_size_bytes,
        model.mmproj,
    ]
    if model.draft_model is not None:
        facts += [model.draft, model.draft_model.header_digest]
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()[:16]


def _drafting_bytes(model: Model, options: Mapping[str, Any]) -> int:
    """What the draft takes beside its file: a context as large as the model's, and buffers of its own."""
    if model.draft_model is None or options.get("model_draft") != model.draft:
        return 0
    own = {name: options[f"{name}_draft"] for name in CACHE_TYPES if f"{name}_draft" in options}
    shared = {name: value for name, value in options.items() if name not in CACHE_TYPES}
    draft = estimate(model.draft_model, shared | own)
    return draft.kv_bytes + draft.state_bytes + draft.compute_bytes


def _parts_bytes(options: Mapping[str, Any]) -> int:
    """Of the files that are loaded besides the model's own."""
    total = 0
    for path in (options.get("mmproj"), options.get("model_draft")):
        with contextlib.suppress(OSError):
            total += os.stat(path).st_size if isinstance(path, str) else 0
    return total
