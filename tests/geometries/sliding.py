"""Some layers attend to a window of the context alone."""

from __future__ import annotations

from tests.geometries.geometry import (
    EMBEDDING,
    EXPERTS,
    FEED_FORWARD,
    HEADS,
    KEY,
    MOE,
    OUTPUT,
    VOCABULARY,
    Geometry,
    Shapes,
    attention,
    experts,
    feed_forward,
    normed_behind,
    norms,
    shared_expert,
)


def gpt_oss(layer: int) -> Shapes:
    parts = {
        **attention(),
        **experts(),
        "attn_sinks.weight": (HEADS,),
        "ffn_gate_inp.bias": (EXPERTS,),
        "ffn_down_exps.bias": (EXPERTS, EMBEDDING),
        **norms("post_attention_norm"),
        **{f"attn_{name}.bias": (EMBEDDING,) for name in ("q", "k", "v", "output")},
        **{f"ffn_{name}_exps.bias": (EXPERTS, FEED_FORWARD) for name in ("gate", "up")},
    }
    del parts["ffn_norm"]
    return parts


def _cohere2(layer: int) -> Shapes:
    return {name: shape for name, shape in (attention() | feed_forward()).items() if name != "ffn_norm"}


def _gemma4(layer: int) -> Shapes:
    """The last two reuse the keys and values of earlier ones."""
    key = KEY if GEMMA4_SLIDES[layer] else 2 * KEY
    parts = attention(kv_heads=GEMMA4_KV_HEADS[layer], key=key, value=key)
    own = {name: parts[name] for name in ("attn_norm", "attn_q", "attn_output")}
    if layer < len(GEMMA4_SLIDES) - 2:
        own |= {"attn_k": parts["attn_k"], "attn_k_norm": (key,)}
    if layer < len(GEMMA4_SLIDES) - 2 and GEMMA4_SLIDES[layer]:
        own["attn_v"] = parts["attn_v"]
    by_layer = {"inp_gate": (KEY, EMBEDDING), "proj": (EMBEDDING, KEY)}
    return own | feed_forward() | SANDWICH | norms("post_norm") | norms("attn_q_norm", width=key) | by_layer


def _mimo2(layer: int) -> Shapes:
    return attention(kv_heads=MIMO2_KV_HEADS[layer], key=48) | experts()


def _llama4(layer: int) -> Shapes:
    return attention() | (experts() | shared_expert(FEED_FORWARD) if layer % 2 else feed_forward())


GEMMA = {"attention.key_length": KEY, "attention.value_length": KEY}
SANDWICH = norms("post_attention_norm", "post_ffw_norm")

GEMMA4_SLIDES = [True, True, False, True, True, False, True, False]
GEMMA4_KV_HEADS = [2 if slides else 1 for slides in GEMMA4_SLIDES]
GEMMA4 = {
    "attention.head_count_kv": GEMMA4_KV_HEADS,
    "attention.key_length": 2 * KEY,
    "attention.value_length": 2 * KEY,
    "attention.key_length_swa": KEY,
    "attention.value_length_swa": KEY,
    "attention.sliding_window": 512,
    "attention.sliding_window_pattern": GEMMA4_SLIDES,
    "attention.shared_kv_layers": 2,
    "embedding_length_per_layer_input": KEY,
    "rope.dimension_count": 2 * KEY,
    "rope.dimension_count_swa": KEY,
}
MIMO2_SLIDES = [False, True, True, False, True, True]
MIMO2_KV_HEADS = [1 if slides else 2 for slides in MIMO2_SLIDES]
MIMO2 = {
    **MOE,
    "attention.head_count_kv": MIMO2_KV_HEADS,
    "attention.key_length": 48,
    "attention.value_length": KEY,
    "attention.sliding_window": 128,
    "attention.sliding_window_pattern": MIMO2_SLIDES,
    "rope.freq_base_swa": 10000.0,
    "rope.dimension_count": KEY,
}

SLIDING = {
    "gemma2": Geometry(
        "gemma2",
        lambda _: attention() | feed_forward() | SANDWICH,
        GEMMA | {"attention.sliding_window": 512},
    ),
    "gemma3": Geometry(
        "gemma3",
        lambda _: (
            attention(kv_heads=1) | feed_forward() | SANDWICH | norms("attn_q_norm", "attn_k_norm", width=KEY)
        ),
        GEMMA | {"attention.sliding_window": 512, "attention.head_count_kv": 1},
        layers=8,
    ),
    "cohere2": Geometry(
        "cohere2", _cohere2, {"attention.sliding_window": 1024, "logit_scale": 1.0}, layers=5
    ),
    "olmo3": Geometry(
        "olmo2", lambda _: normed_behind(EMBEDDING), {"attention.sliding_window": 256}, ends=OUTPUT
    ),
    "olmo2": Geometry("olmo2", lambda _: normed_behind(EMBEDDING), ends=OUTPUT),
    "exaone4": Geometry(
        "exaone4", lambda _: normed_behind(KEY), {"attention.sliding_window": 512}, ends=OUTPUT, layers=64
    ),
    "exaone4-small": Geometry(
        "exaone4", lambda _: normed_behind(KEY), {"attention.sliding_window": 512}, ends=OUTPUT
    ),
    "smallthinker": Geometry(
        "smallthinker",
        lambda _: attention() | experts(),
        MOE | {"attention.sliding_window": 512, "expert_gating_func": 2},
    ),
    "llama4": Geometry(
        "llama4",
        _llama4,
        MOE | {"expert_used_count": 1, "interleave_moe_layer_step": 2, "attention.sliding_window": 512},
    ),
    "mimo2": Geometry("mimo2", _mimo2, MIMO2, ends=OUTPUT),
    "gemma4": Geometry(
        "gemma4",
        _gemma4,
        GEMMA4,
        ends={
            "per_layer_token_embd.weight": (VOCABULARY, 8 * KEY),
            "per_layer_model_proj.weight": (8 * KEY, EMBEDDING),
            "per_layer_proj_norm.weight": (KEY,),
            "rope_freqs.weight": (KEY,),
        },
        layers=8,
    ),
    "gpt-oss": Geometry("gpt-oss", gpt_oss, MOE | {"attention.sliding_window": 128}, ends=OUTPUT),
}
