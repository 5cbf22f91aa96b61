"""Small real models of many shapes, which llama-server loads: how much they take, it says itself.

A tensor's shape is numpy's: outputs first. `GEOMETRIES` has every model by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from tests.gguf_files import add_tokenizer, add_value

VOCABULARY = 1024
EMBEDDING = 128
FEED_FORWARD = 256
HEADS = 4
KEY = 32
EXPERTS = 4
INNER, STATE, KERNEL, RANK, GROUPS = 256, 16, 4, 8, 1
LAYERS = 6
WITHOUT_SUFFIX = ("ssm_a", "ssm_d")

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Geometry:
    """keys: below the architecture's name. layer: the tensors of one layer, by its number.

    bare: those whose names do not end in `.weight`.
    """

    architecture: str
    layer: Callable[[int], Shapes]
    keys: Mapping[str, Any] = field(default_factory=dict)
    ends: Shapes = field(default_factory=dict)
    layers: int = LAYERS
    bare: tuple[str, ...] = WITHOUT_SUFFIX

    def write(self, path: Path) -> Path:
        """A real model with tensors of zeros in F32, about 3 MB; answers `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = gguf.GGUFWriter(path, self.architecture)
        for key, value in self._keys().items():
            add_value(writer, key if "tokenizer." in key else f"{self.architecture}.{key}", value)
        add_tokenizer(writer, VOCABULARY)
        for name, shape in self._shapes().items():
            writer.add_tensor(name, np.zeros(shape, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    def _keys(self) -> dict[str, Any]:
        return {
            "block_count": self.layers,
            "context_length": 8192,
            "embedding_length": EMBEDDING,
            "feed_forward_length": FEED_FORWARD,
            "attention.head_count": HEADS,
            "attention.layer_norm_rms_epsilon": 1e-5,
            "attention.layer_norm_epsilon": 1e-5,
            **self.keys,
        }

    def _shapes(self) -> Shapes:
        shapes: Shapes = {
            "token_embd.weight": (VOCABULARY, EMBEDDING),
            "output_norm.weight": (EMBEDDING,),
            **self.ends,
        }
        for layer in range(self.layers):
            for part, shape in self.layer(layer).items():
                shapes[f"blk.{layer}.{part if part in self.bare or '.' in part else part + '.weight'}"] = (
                    shape
                )
        return {name: shape for name, shape in shapes.items() if shape}


def attention(heads: int = HEADS, kv_heads: int = HEADS, key: int = KEY, value: int = KEY) -> Shapes:
    return {
        "attn_norm": (EMBEDDING,),
        "attn_q": (heads * key, EMBEDDING),
        "attn_k": (kv_heads * key, EMBEDDING),
        "attn_v": (kv_heads * value, EMBEDDING),
        "attn_output": (EMBEDDING, heads * value),
    }


def feed_forward(width: int = FEED_FORWARD) -> Shapes:
    gate = (width, EMBEDDING)
    return {"ffn_norm": (EMBEDDING,), "ffn_gate": gate, "ffn_up": gate, "ffn_down": (EMBEDDING, width)}


def experts(width: int = FEED_FORWARD) -> Shapes:
    gate = (EXPERTS, width, EMBEDDING)
    return {
        "ffn_norm": (EMBEDDING,),
        "ffn_gate_inp": (EXPERTS, EMBEDDING),
        "ffn_gate_exps": gate,
        "ffn_up_exps": gate,
        "ffn_down_exps": (EXPERTS, EMBEDDING, width),
    }


def norms(*names: str, width: int = EMBEDDING) -> Shapes:
    return dict.fromkeys(names, (width,))


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


def shared_expert(width: int) -> Shapes:
    gate = (width, EMBEDDING)
    return {"ffn_gate_shexp": gate, "ffn_up_shexp": gate, "ffn_down_shexp": (EMBEDDING, width)}


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


def lfm2(layer: int) -> Shapes:
    if _is_attention(layer):
        return attention(kv_heads=2) | feed_forward() | norms("attn_q_norm", "attn_k_norm", width=KEY)
    convolution = {
        "shortconv.conv.weight": (EMBEDDING, 3),
        "shortconv.in_proj.weight": (3 * EMBEDDING, EMBEDDING),
        "shortconv.out_proj.weight": (EMBEDDING, EMBEDDING),
    }
    return norms("attn_norm") | feed_forward() | convolution


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


def _is_attention(layer: int) -> bool:
    return layer % 3 == 1


def _hybrid(recurrent: Callable[[int], Shapes], **more: tuple[int, ...]) -> Callable[[int], Shapes]:
    def layer(number: int) -> Shapes:
        mixer = attention(kv_heads=2) if _is_attention(number) else recurrent(number) | more
        return mixer | feed_forward()

    return layer


def _phi3(layer: int) -> Shapes:
    return {
        **norms("attn_norm", "ffn_norm"),
        "attn_qkv": (3 * EMBEDDING, EMBEDDING),
        "attn_output": (EMBEDDING, EMBEDDING),
        "ffn_up": (2 * FEED_FORWARD, EMBEDDING),
        "ffn_down": (EMBEDDING, FEED_FORWARD),
    }


def _cohere2(layer: int) -> Shapes:
    return {name: shape for name, shape in (attention() | feed_forward()).items() if name != "ffn_norm"}


def _olmo2(layer: int) -> Shapes:
    parts = attention() | feed_forward()
    kept = {name: shape for name, shape in parts.items() if name not in ("attn_norm", "ffn_norm")}
    return kept | norms("post_attention_norm", "post_ffw_norm", "attn_q_norm", "attn_k_norm")


OPENELM_HEADS = [4, 4, 8, 8, 12, 12]
OPENELM_KV_HEADS = [1, 1, 2, 2, 3, 3]
DECI_HEADS = [4, 0, 4, 4, 0, 4]
DECI_KV_HEADS = [4, 0, 2, 1, 0, 4]
HYBRID_KV_HEADS = [2 if _is_attention(layer) else 0 for layer in range(LAYERS)]
GEMMA = {"attention.key_length": KEY, "attention.value_length": KEY}
SANDWICH = norms("post_attention_norm", "post_ffw_norm")
SSM = {
    "ssm.conv_kernel": KERNEL,
    "ssm.inner_size": INNER,
    "ssm.state_size": STATE,
    "ssm.time_step_rank": RANK,
}
SSM2 = SSM | {"ssm.group_count": GROUPS}
SCALES = {"attention.scale": 0.1, "embedding_scale": 1.0, "residual_scale": 1.0, "logit_scale": 1.0}
MOE = {
    "expert_count": EXPERTS,
    "expert_used_count": 2,
    "expert_feed_forward_length": FEED_FORWARD,
    "expert_shared_feed_forward_length": FEED_FORWARD,
}
MLA = {
    "attention.head_count_kv": 1,
    "attention.q_lora_rank": 48,
    "attention.kv_lora_rank": 64,
    "attention.key_length": 96,
    "attention.value_length": 64,
    "attention.key_length_mla": 48,
    "attention.value_length_mla": KEY,
    "rope.dimension_count": 32,
    "leading_dense_block_count": 1,
    "expert_count": EXPERTS,
    "expert_used_count": 2,
    "expert_feed_forward_length": 64,
    "expert_shared_count": 1,
    "expert_weights_scale": 1.0,
}
RWKV6 = {
    "wkv.head_size": KEY,
    "time_mix_extra_dim": 16,
    "time_decay_extra_dim": 16,
    "token_shift_count": 2,
    "rescale_every_n_layers": 6,
}
OUTPUT: Shapes = {"output.weight": (VOCABULARY, EMBEDDING)}

GEOMETRIES = {
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
    "olmo3": Geometry("olmo2", _olmo2, {"attention.sliding_window": 256}, ends=OUTPUT),
    "olmo2": Geometry("olmo2", _olmo2, ends=OUTPUT),
    "gpt-oss": Geometry("gpt-oss", gpt_oss, MOE | {"attention.sliding_window": 128}, ends=OUTPUT),
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
    "mamba": Geometry("mamba", mamba, SSM | {"attention.head_count": 0, "feed_forward_length": 0}),
    "mamba2": Geometry("mamba2", mamba2, SSM2 | {"attention.head_count": 0, "feed_forward_length": 0}),
    "rwkv6": Geometry(
        "rwkv6",
        rwkv6,
        RWKV6 | {"attention.head_count": 0},
        ends=OUTPUT
        | {"token_embd_norm.weight": (EMBEDDING,), "token_embd_norm.bias": (EMBEDDING,)}
        | {"output_norm.bias": (EMBEDDING,)},
    ),
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
    "deepseek2-mla": Geometry("deepseek2", deepseek2, MLA, ends=OUTPUT),
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
