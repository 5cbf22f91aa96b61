"""The model: one launchable LLM, as files and header describe it. Facts only; choices are the registry's."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Tier(StrEnum):
    FAST = "fast"
    BALANCED = "balanced"
    POWERFUL = "powerful"


class Kind(StrEnum):
    """What a model can be asked for. Embedding and reranking models are never picked for chat."""

    CHAT = "chat"
    EMBEDDING = "embedding"
    RERANKING = "reranking"


class Geometry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The layer facts that memory is estimated from. Absent keys are None; per-layer values are lists."""

    block_count: int | None = None
    embedding_length: int | None = None
    head_count: int | list[int] | None = None
    head_count_kv: int | list[int] | None = None
    key_length: int | None = None
    value_length: int | None = None
    sliding_window: int | None = None
    expert_count: int | None = None
    expert_used_count: int | None = None
    vocabulary_size: int | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One GGUF, or all shards of one, plus its mmproj.

    identity: what choices stick to: `hf:org/repo/file` in a Hugging Face cache, else the path.
    files: every shard in order, the launched one first; absolute paths.
    size_b: exact parameter count in billions where tensors exist, else the nominal one.
    quantization: without the `UD` mark, which is `is_dynamic_quant`.
    tier: what the nominal size says; a person may override it in the registry.
    header_digest: with the size, what a moved file is known by again.
    problem: why it cannot be launched, or None.
    """

    identity: str
    files: tuple[str, ...]
    file_size_bytes: int
    shard_count: int = 1
    stem: str
    repo: str | None = None
    base_id: str
    display_name: str
    family: str
    version: str | None = None
    variant: str | None = None
    architecture: str | None = None
    nominal_size_b: float | None = None
    size_b: float | None = None
    parameter_count: int | None = None
    quantization: str | None = None
    is_dynamic_quant: bool = False
    tier: Tier
    kind: Kind = Kind.CHAT
    capabilities: tuple[str, ...] = ()
    context_length: int | None = None
    geometry: Geometry = Geometry()
    mmproj: str | None = None
    header_digest: str = ""
    problem: str | None = None

    @property
    def path(self) -> str:
        """The file that llama-server is given."""
        return self.files[0]
