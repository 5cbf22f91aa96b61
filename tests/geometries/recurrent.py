"""Some layers, or all, keep a state in the place of keys and values."""

from __future__ import annotations

from collections.abc import Callable

from tests.geometries.geometry import (
    EMBEDDING,
    EXPERTS,
    FEED_FORWARD,
    HEADS,
    KEY,
    LAYERS,
    MOE,
    OUTPUT,
    WITHOUT_SUFFIX,
    Geometry,
    Shapes,
    attention,
    experts,
    feed_forward,
    norms,
    shared_expert,
)

INNER, STATE, KERNEL, RANK, GROUPS = 256, 16, 4, 8, 1


def mamba(layer: int = 0) -> Shapes:
    return {
        "attn_norm": (EMBEDDING,),
        "ssm_in": (2 * INNER, EMBEDDING),
        "ssm_conv1d": (INNER, KERNEL),
        "ssm_conv1d.bias": (INNER,),
        "ssm_x": (RANK + 2 * STATE, INNER),
        "ssm_dt": (INNER, RANK),
        "ssm_dt.bias": (INNER,),
        "ssm_a": (INNER, STATE),
        "ssm_d": (INNER,),
        "ssm_out": (EMBEDDING, INNER),
    }


def mamba2(layer: int = 0) -> Shapes:
    convolved = INNER + 2 * GROUPS * STATE
    return {
        "attn_norm": (EMBEDDING,),
        "ssm_in": (INNER + convolved + RANK, EMBEDDING),
        "ssm_conv1d": (convolved, KERNEL),
        "ssm_conv1d.bias": (convolved,),
        "ssm_dt.bias": (RANK,),
        "ssm_a": (RANK, 1),
        "ssm_d": (RANK, 1),
        "ssm_norm": (GROUPS, INNER // GROUPS),
        "ssm_out": (EMBEDDING, INNER),
    }


def rwkv6(layer: int) -> Shapes:
    mixed = (1, 1, EMBEDDING)
    square = (EMBEDDING, EMBEDDING)
    names = ("attn_norm", "attn_norm_2", "time_mix_ln")
    return {
        **{f"{name}.{part}": (EMBEDDING,) for name in names for part in ("weight", "bias")},
        "time_mix_w1": (5 * 16, EMBEDDING),
        "time_mix_w2": (5, EMBEDDING, 16),
        "time_mix_lerp_x": mixed,
        "time_mix_lerp_fused": (5, 1, 1, EMBEDDING),
        "time_mix_first": (EMBEDDING // KEY, KEY),
        "time_mix_decay": (EMBEDDING,),
        "time_mix_decay_w1": (16, EMBEDDING),
        "time_mix_decay_w2": (EMBEDDING, 16),
        **{f"time_mix_{name}": square for name in ("key", "value", "receptance", "gate", "output")},
        "channel_mix_lerp_k": mixed,
        "channel_mix_lerp_r": mixed,
        "channel_mix_key": (FEED_FORWARD, EMBEDDING),
        "channel_mix_value": (EMBEDDING, FEED_FORWARD),
        "channel_mix_receptance": square,
    }


def rwkv7(layer: int) -> Shapes:
    wide, square = (EMBEDDING,), (EMBEDDING, EMBEDDING)
    into, out = (LORA, EMBEDDING), (EMBEDDING, LORA)
    normed = ("attn_norm", "attn_norm_2", "time_mix_ln")
    return {
        **{f"{name}.{part}": wide for name in normed for part in ("weight", "bias")},
        **{f"time_mix_{name}": wide for name in ("w0", "a0", "v0", "k_k", "k_a", "r_k")},
        **{f"time_mix_{name}1": into for name in "wavg"},
        **{f"time_mix_{name}2": out for name in "wavg"},
        **{f"time_mix_{name}": square for name in ("key", "value", "receptance", "output")},
        "time_mix_lerp_fused": (6, 1, 1, EMBEDDING),
        "channel_mix_lerp_k": wide,
        "channel_mix_key": (FEED_FORWARD, EMBEDDING),
        "channel_mix_value": (EMBEDDING, FEED_FORWARD),
    }


def nemotron_h(layer: int) -> Shapes:
    """A layer mixes, attends, or feeds forward, and does nothing else."""
    if NEMOTRON_KV_HEADS[layer]:
        return attention(kv_heads=2)
    if NEMOTRON_FEED_FORWARD[layer]:
        width = FEED_FORWARD
        return {"attn_norm": (EMBEDDING,), "ffn_up": (width, EMBEDDING), "ffn_down": (EMBEDDING, width)}
    return mamba2()


def qwen3next(layer: int) -> Shapes:
    """Every fourth attends, with a gate beside each query."""
    heads = norms("attn_q_norm", "attn_k_norm", width=KEY)
    gated = attention(kv_heads=2) | {"attn_q": (2 * HEADS * KEY, EMBEDDING)} | heads
    delta = {
        "attn_norm": (EMBEDDING,),
        "attn_qkv": (512, EMBEDDING),
        "attn_gate": (INNER, EMBEDDING),
        "ssm_conv1d": (512, KERNEL),
        "ssm_dt.bias": (RANK,),
        "ssm_a": (RANK,),
        "ssm_ba": (2 * RANK, EMBEDDING),
        "ssm_norm": (KEY,),
        "ssm_out": (EMBEDDING, INNER),
    }
    mixed = experts() | shared_expert(FEED_FORWARD) | norms("post_attention_norm", "ffn_gate_inp_shexp")
    del mixed["ffn_norm"]
    return (gated if layer % 4 == 3 else delta) | mixed


def kimi_linear(layer: int) -> Shapes:
    delta = attention() | {
        **{f"ssm_conv1d_{name}": (HEADS * KEY, 1, KERNEL) for name in "qkv"},
        **{f"ssm_{name}_a": (KEY, EMBEDDING) for name in "fg"},
        **{f"ssm_{name}_b": (HEADS * KEY, KEY) for name in "fg"},
        "ssm_beta": (HEADS, EMBEDDING),
        "ssm_a": (HEADS, 1),
        "ssm_dt.bias": (HEADS * KEY,),
        "ssm_norm": (KEY,),
    }
    pressed = {
        "attn_norm": (EMBEDDING,),
        "attn_q": (HEADS * 48, EMBEDDING),
        "attn_kv_a_mqa": (64 + 32, EMBEDDING),
        "attn_kv_a_norm": (64,),
        "attn_k_b": (HEADS, 64, 16),
        "attn_v_b": (HEADS, KEY, 64),
        "attn_output": (EMBEDDING, HEADS * KEY),
    }
    wide = feed_forward() if layer == 0 else experts() | {"exp_probs_b.bias": (EXPERTS,)}
    return (pressed if KIMI_KV_HEADS[layer] else delta) | wide


def plamo2(layer: int) -> Shapes:
    wide = {"ffn_up": (2 * FEED_FORWARD, EMBEDDING), "ffn_down": (EMBEDDING, FEED_FORWARD)}
    around = norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    if PLAMO2_HEADS[layer]:
        heads = {"attn_q_norm": (HEADS, KEY), "attn_k_norm": (2, KEY)}
        return heads | wide | around | {"attn_qkv": (256, EMBEDDING), "attn_output": (EMBEDDING, EMBEDDING)}
    return {
        **wide,
        **around,
        "ssm_in": (2 * INNER, EMBEDDING),
        "ssm_conv1d": (INNER, KERNEL),
        "ssm_x": (64 + 2 * STATE, INNER),
        "ssm_dt": (RANK, 64),
        "ssm_dt.bias": (RANK,),
        "ssm_a": (RANK,),
        "ssm_d": (RANK,),
        "ssm_dt_norm": (64,),
        "ssm_b_norm": (STATE,),
        "ssm_c_norm": (STATE,),
        "ssm_out": (EMBEDDING, INNER),
    }


def lfm2(layer: int) -> Shapes:
    if _is_attention(layer):
        return attention(kv_heads=2) | feed_forward() | norms("attn_q_norm", "attn_k_norm", width=KEY)
    convolution = {
        "shortconv.conv.weight": (EMBEDDING, 3),
        "shortconv.in_proj.weight": (3 * EMBEDDING, EMBEDDING),
        "shortconv.out_proj.weight": (EMBEDDING, EMBEDDING),
    }
    return norms("attn_norm") | feed_forward() | convolution


def _is_attention(layer: int) -> bool:
    return layer % 3 == 1


def _hybrid(recurrent: Callable[[int], Shapes], **more: tuple[int, ...]) -> Callable[[int], Shapes]:
    def layer(number: int) -> Shapes:
        mixer = attention(kv_heads=2) if _is_attention(number) else recurrent(number) | more
        return mixer | feed_forward()

    return layer


HYBRID_KV_HEADS = [2 if _is_attention(layer) else 0 for layer in range(LAYERS)]
SSM = {
    "ssm.conv_kernel": KERNEL,
    "ssm.inner_size": INNER,
    "ssm.state_size": STATE,
    "ssm.time_step_rank": RANK,
}
SSM2 = SSM | {"ssm.group_count": GROUPS}
SCALES = {"attention.scale": 0.1, "embedding_scale": 1.0, "residual_scale": 1.0, "logit_scale": 1.0}
RWKV6 = {
    "wkv.head_size": KEY,
    "time_mix_extra_dim": 16,
    "time_decay_extra_dim": 16,
    "token_shift_count": 2,
    "rescale_every_n_layers": 6,
}
LORA = 16
RWKV7 = {
    "wkv.head_size": KEY,
    "attention.head_count": 0,
    "attention.decay_lora_rank": LORA,
    "attention.iclr_lora_rank": LORA,
    "attention.value_residual_mix_lora_rank": LORA,
    "attention.gate_lora_rank": LORA,
    "token_shift_count": 2,
}
RWKV_ENDS: Shapes = {
    **OUTPUT,
    "token_embd_norm.weight": (EMBEDDING,),
    "token_embd_norm.bias": (EMBEDDING,),
    "output_norm.bias": (EMBEDDING,),
}
NEMOTRON_KV_HEADS = [0, 2, 0, 0, 2, 0]
NEMOTRON_FEED_FORWARD = [0, 0, FEED_FORWARD, 0, 0, FEED_FORWARD]
QWEN3NEXT = {
    "attention.head_count_kv": 2,
    "ssm.conv_kernel": KERNEL,
    "ssm.inner_size": INNER,
    "ssm.state_size": KEY,
    "ssm.time_step_rank": RANK,
    "ssm.group_count": 4,
    "rope.dimension_count": KEY,
}
KIMI_KV_HEADS = [0, 0, 1, 0, 0, 1]
KIMI = {
    "attention.head_count_kv": KIMI_KV_HEADS,
    "attention.kv_lora_rank": 64,
    "attention.key_length": 96,
    "attention.value_length": 64,
    "attention.key_length_mla": 48,
    "attention.value_length_mla": KEY,
    "rope.dimension_count": 32,
    "kda.head_dim": KEY,
    "ssm.conv_kernel": KERNEL,
    "leading_dense_block_count": 1,
    "expert_shared_count": 1,
    "expert_weights_scale": 1.0,
    "expert_gating_func": 2,
}
PLAMO2_HEADS = [0, 4, 0, 4, 0, 4]
PLAMO2 = {
    "attention.head_count": PLAMO2_HEADS,
    "attention.head_count_kv": [heads // 2 for heads in PLAMO2_HEADS],
    "attention.key_length": KEY,
    "attention.value_length": KEY,
    "ssm.group_count": 0,
}
PLAMO2_BARE = ("post_attention_norm", "post_ffw_norm", "ssm_b_norm", "ssm_c_norm", "ssm_dt_norm")

RECURRENT = {
    "mamba": Geometry("mamba", mamba, SSM | {"attention.head_count": 0, "feed_forward_length": 0}),
    "mamba2": Geometry("mamba2", mamba2, SSM2 | {"attention.head_count": 0, "feed_forward_length": 0}),
    "rwkv6": Geometry(
        "rwkv6",
        rwkv6,
        RWKV6 | {"attention.head_count": 0},
        ends=RWKV_ENDS,
    ),
    "rwkv7": Geometry("rwkv7", rwkv7, RWKV7, ends=RWKV_ENDS),
    "nemotron-h": Geometry(
        "nemotron_h",
        nemotron_h,
        SSM2 | {"attention.head_count_kv": NEMOTRON_KV_HEADS, "feed_forward_length": NEMOTRON_FEED_FORWARD},
    ),
    "qwen3next": Geometry("qwen3next", qwen3next, QWEN3NEXT | MOE),
    "kimi-linear": Geometry("kimi-linear", kimi_linear, MOE | KIMI, ends=OUTPUT),
    "plamo2": Geometry("plamo2", plamo2, SSM | PLAMO2, bare=WITHOUT_SUFFIX + PLAMO2_BARE),
    "jamba": Geometry(
        "jamba",
        _hybrid(mamba, ssm_dt_norm=(RANK,), ssm_b_norm=(STATE,), ssm_c_norm=(STATE,)),
        SSM | {"attention.head_count_kv": HYBRID_KV_HEADS},
    ),
    "granite-hybrid": Geometry(
        "granitehybrid", _hybrid(mamba2), SSM2 | SCALES | {"attention.head_count_kv": HYBRID_KV_HEADS}
    ),
    "falcon-h1": Geometry(
        "falcon-h1",
        lambda layer: attention(kv_heads=2) | mamba2(layer) | feed_forward(),
        SSM2 | {"attention.head_count_kv": 2},
        ends=OUTPUT,
        bare=(*WITHOUT_SUFFIX, "ffn_norm"),
    ),
    "lfm2": Geometry(
        "lfm2",
        lfm2,
        {"shortconv.l_cache": 3, "attention.head_count_kv": HYBRID_KV_HEADS},
        ends={"token_embd_norm.weight": (EMBEDDING,), "output_norm.weight": ()},
    ),
}
