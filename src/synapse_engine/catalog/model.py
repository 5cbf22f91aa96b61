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
    """The layer facts that memory is estimated from, named as in GGUF below the architecture's name
    (`attention.` left out, dots as underscores). Absent keys are None; per-layer values are lists.

    sliding_window_pattern: every how many layers one attends to all, or for each layer whether it slides.
    """

    block_count: int | None = None
    embedding_length: int | None = None
    feed_forward_length: int | list[int] | None = None
    head_count: int | list[int] | None = None
    head_count_kv: int | list[int] | None = None
    key_length: int | None = None
    value_length: int | None = None
    key_length_mla: int | None = None
    value_length_mla: int | None = None
    key_length_swa: int | None = None
    value_length_swa: int | None = None
    kv_lora_rank: int | None = None
    sliding_window: int | None = None
    sliding_window_pattern: int | list[bool] | None = None
    shared_kv_layers: int | None = None
    full_attention_interval: int | None = None
    ssm_conv_kernel: int | None = None
    ssm_inner_size: int | None = None
    ssm_state_size: int | None = None
    ssm_group_count: int | None = None
    ssm_time_step_rank: int | None = None
    shortconv_l_cache: int | None = None
    kda_head_dim: int | None = None
    wkv_head_size: int | None = None
    token_shift_count: int | None = None
    expert_count: int | None = None
    expert_used_count: int | None = None
    expert_feed_forward_length: int | None = None
    leading_dense_block_count: int | None = None
    nextn_predict_layers: int | None = None
    vocabulary_size: int | None = None


class Weights(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Exact bytes of all tensors, and of some of them. Without output_bytes the output is the embedding, used
    twice. The lists are by layer (`blk.N`); that of the experts is empty where there are none.
    """

    total_bytes: int = 0
    expert_bytes: int = 0
    token_embedding_bytes: int = 0
    output_bytes: int = 0
    layer_bytes: list[int] = []
    layer_expert_bytes: list[int] = []


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One GGUF, or all shards of one, plus its mmproj.

    identity: what choices stick to: `hf:org/repo/file` in a Hugging Face cache, `ollama:name:tag` in Ollama's
    store, else the path.
    files: every shard in order, the launched one first; absolute paths.
    names: what else its store calls it (`llama3.2:3b`).
    mmproj, draft, adapters: paths of its parts: a projector, a draft model or head, LoRA adapters.
    draft_model: the draft, where it is a model by itself and no head.
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
    names: tuple[str, ...] = ()
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
    weights: Weights = Weights()
    mmproj: str | None = None
    draft: str | None = None
    draft_model: Model | None = None
    adapters: tuple[str, ...] = ()
    header_digest: str = ""
    problem: str | None = None

    @property
    def path(self) -> str:
        """The file that llama-server is given."""
        return self.files[0]
