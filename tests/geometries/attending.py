"""Every layer attends to all of the context, or to all of the text at once."""

from __future__ import annotations

from tests.geometries.geometry import (
    EMBEDDING,
    EXPERTS,
    FEED_FORWARD,
    HEADS,
    KEY,
    MOE,
    OUTPUT,
    Geometry,
    Shapes,
    attention,
    experts,
    feed_forward,
    norms,
    shared_expert,
)


def deepseek2(layer: int) -> Shapes:
    return {
        "attn_norm": (EMBEDDING,),
        "attn_q_a": (48, EMBEDDING),
        "attn_q_a_norm": (48,),
        "attn_q_b": (HEADS * 48, 48),
        "attn_kv_a_mqa": (64 + 32, EMBEDDING),
        "attn_kv_a_norm": (64,),
        "attn_k_b": (HEADS, 64, 16),
        "attn_v_b": (HEADS, KEY, 64),
        "attn_output": (EMBEDDING, HEADS * KEY),
        **(feed_forward() if layer == 0 else experts(64) | shared_expert(64)),
    }


def bert(layer: int) -> Shapes:
    wide = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_down", "attn_output_norm", "layer_output_norm")
    return {
        **{name: shape for name, shape in attention().items() if name != "attn_norm"},
        "ffn_up": (FEED_FORWARD, EMBEDDING),
        "ffn_down": (EMBEDDING, FEED_FORWARD),
        **norms("attn_output_norm", "layer_output_norm"),
        **{f"{name}.bias": (EMBEDDING,) for name in wide},
        "ffn_up.bias": (FEED_FORWARD,),
    }


def openelm(layer: int) -> Shapes:
    heads, kv_heads = OPENELM_HEADS[layer], OPENELM_KV_HEADS[layer]
    return {
        "attn_norm": (EMBEDDING,),
        "attn_qkv": ((heads + 2 * kv_heads) * KEY, EMBEDDING),
        "attn_output": (EMBEDDING, heads * KEY),
        **norms("attn_q_norm", "attn_k_norm", width=KEY),
        **feed_forward(),
    }


def deci(layer: int) -> Shapes:
    kv_heads = DECI_KV_HEADS[layer]
    return (attention(kv_heads=kv_heads) if kv_heads else {}) | feed_forward()


def _phi3(layer: int) -> Shapes:
    return {
        **norms("attn_norm", "ffn_norm"),
        "attn_qkv": (3 * EMBEDDING, EMBEDDING),
        "attn_output": (EMBEDDING, EMBEDDING),
        "ffn_up": (2 * FEED_FORWARD, EMBEDDING),
        "ffn_down": (EMBEDDING, FEED_FORWARD),
    }


def _pressed() -> Shapes:
    """Keys and values come pressed together, as MLA's do, and are kept whole."""
    return {
        "attn_norm": (EMBEDDING,),
        "attn_q_a": (48, EMBEDDING),
        "attn_q_a_norm": (48,),
        "attn_q_b": (HEADS * 48, 48),
        "attn_kv_a_mqa": (64 + 16, EMBEDDING),
        "attn_kv_a_norm": (64,),
        "attn_kv_b": (HEADS * (KEY + KEY), 64),
        "attn_output": (EMBEDDING, HEADS * KEY),
    }


def _deepseek2_whole(layer: int) -> Shapes:
    return _pressed() | (feed_forward() if layer == 0 else experts(64) | shared_expert(64))


def _with_biases(kv_heads: int) -> Shapes:
    wide = {
        "attn_qkv": (EMBEDDING + 2 * kv_heads * KEY, EMBEDDING),
        "attn_output": (EMBEDDING, EMBEDDING),
        "ffn_up": (FEED_FORWARD, EMBEDDING),
        "ffn_down": (EMBEDDING, FEED_FORWARD),
        **norms("attn_norm", "ffn_norm"),
    }
    return wide | {f"{name}.bias": shape[:1] for name, shape in wide.items()}


def _falcon(_: int) -> Shapes:
    names = ("attn_norm", "attn_norm.bias", "attn_qkv", "attn_output", "ffn_up", "ffn_down")
    return {name: shape for name, shape in _with_biases(kv_heads=1).items() if name in names}


OPENELM_HEADS = [4, 4, 8, 8, 12, 12]
OPENELM_KV_HEADS = [1, 1, 2, 2, 3, 3]
DECI_HEADS = [4, 0, 4, 4, 0, 4]
DECI_KV_HEADS = [4, 0, 2, 1, 0, 4]
DEEPSEEK = {
    "leading_dense_block_count": 1,
    "expert_count": EXPERTS,
    "expert_used_count": 2,
    "expert_feed_forward_length": 64,
    "expert_shared_count": 1,
    "expert_weights_scale": 1.0,
}
MLA = DEEPSEEK | {
    "attention.head_count_kv": 1,
    "attention.q_lora_rank": 48,
    "attention.kv_lora_rank": 64,
    "attention.key_length": 96,
    "attention.value_length": 64,
    "attention.key_length_mla": 48,
    "attention.value_length_mla": KEY,
    "rope.dimension_count": 32,
}

WHOLE = {
    "attention.q_lora_rank": 48,
    "attention.kv_lora_rank": 64,
    "attention.key_length": 48,
    "attention.value_length": KEY,
    "rope.dimension_count": 16,
}
NORM_BIAS: Shapes = {"output_norm.bias": (EMBEDDING,)}

ATTENDING = {
    "llama": Geometry("llama", lambda _: attention() | feed_forward(), ends=OUTPUT),
    "llama-tied": Geometry("llama", lambda _: attention() | feed_forward()),
    "llama-grouped": Geometry(
        "llama", lambda _: attention(kv_heads=1) | feed_forward(), {"attention.head_count_kv": 1}
    ),
    "qwen3-long-keys": Geometry(
        "qwen3",
        lambda _: (
            attention(kv_heads=2, key=64, value=64)
            | feed_forward()
            | norms("attn_q_norm", "attn_k_norm", width=64)
        ),
        {"attention.head_count_kv": 2, "attention.key_length": 64, "attention.value_length": 64},
    ),
    "mixtral": Geometry("llama", lambda _: attention() | experts(), MOE),
    "qwen2moe": Geometry(
        "qwen2moe",
        lambda _: (
            attention()
            | experts()
            | shared_expert(FEED_FORWARD)
            | {f"attn_{name}.bias": (EMBEDDING,) for name in "qkv"}
            | {"ffn_gate_inp_shexp": (EMBEDDING,)}
        ),
        MOE,
        ends=OUTPUT,
    ),
    "phi3-window-unused": Geometry(
        "phi3", _phi3, {"attention.sliding_window": 512, "rope.dimension_count": KEY}, ends=OUTPUT
    ),
    "openelm": Geometry(
        "openelm",
        openelm,
        {
            "attention.head_count": OPENELM_HEADS,
            "attention.head_count_kv": OPENELM_KV_HEADS,
            "attention.key_length": KEY,
            "attention.value_length": KEY,
            "rope.dimension_count": KEY,
        },
    ),
    "deci": Geometry(
        "deci", deci, {"attention.head_count": DECI_HEADS, "attention.head_count_kv": DECI_KV_HEADS}
    ),
    "deepseek2-mla": Geometry("deepseek2", deepseek2, MLA, ends=OUTPUT),
    "deepseek2-whole": Geometry("deepseek2", _deepseek2_whole, DEEPSEEK | WHOLE, ends=OUTPUT),
    "minicpm3": Geometry("minicpm3", lambda _: _pressed() | feed_forward(), WHOLE),
    "gptneox": Geometry(
        "gptneox",
        lambda _: _with_biases(HEADS),
        {"rope.dimension_count": KEY, "use_parallel_residual": True},
        ends=OUTPUT | NORM_BIAS,
    ),
    "starcoder": Geometry(
        "starcoder",
        lambda _: _with_biases(kv_heads=1),
        {"attention.head_count_kv": 1},
        ends=NORM_BIAS | {"position_embd.weight": (8192, EMBEDDING)},
    ),
    "falcon": Geometry("falcon", _falcon, {"attention.head_count_kv": 1}, ends=NORM_BIAS),
    "bert": Geometry(
        "bert",
        bert,
        {"attention.causal": False, "pooling_type": 1, "tokenizer.ggml.token_type_count": 2},
        ends={
            "position_embd.weight": (8192, EMBEDDING),
            "token_types.weight": (2, EMBEDDING),
            "token_embd_norm.weight": (EMBEDDING,),
            "token_embd_norm.bias": (EMBEDDING,),
            "output_norm.weight": (),
        },
    ),
}
