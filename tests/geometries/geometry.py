"""Small real models of many shapes, which llama-server loads: how much they take, it says itself.

A tensor's shape is numpy's: outputs first.
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


def shared_expert(width: int) -> Shapes:
    gate = (width, EMBEDDING)
    return {"ffn_gate_shexp": gate, "ffn_up_shexp": gate, "ffn_down_shexp": (EMBEDDING, width)}


def normed_behind(heads_width: int) -> Shapes:
    """Norms behind attention and feed-forward, none before; heads_width: of those of queries and keys."""
    parts = attention() | feed_forward()
    kept = {name: shape for name, shape in parts.items() if name not in ("attn_norm", "ffn_norm")}
    heads = norms("attn_q_norm", "attn_k_norm", width=heads_width)
    return kept | norms("post_attention_norm", "post_ffw_norm") | heads


MOE = {
    "expert_count": EXPERTS,
    "expert_used_count": 2,
    "expert_feed_forward_length": FEED_FORWARD,
    "expert_shared_feed_forward_length": FEED_FORWARD,
}
OUTPUT: Shapes = {"output.weight": (VOCABULARY, EMBEDDING)}
