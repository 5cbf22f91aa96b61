"""GGUF files for tests: small real models that llama-server loads, and headers put together byte by byte.

`write_llama` uses the gguf library, so it is the oracle's own hand. `build_header` knows nothing but the
format, so it can also say what no writer would.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np

CHAT_TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
SPECIAL_TOKENS = ("<unk>", "<s>", "</s>")
END_TOKEN = 2
SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + 256
TYPE_NORMAL, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_BYTE = 1, 2, 3, 6


def write_llama(
    path: Path,
    *,
    name: str | None = None,
    size_label: str | None = None,
    layers: int = 2,
    context_length: int = 2048,
    embedding: int = 64,
    heads: int = 4,
    vocabulary: int = 320,
    seed: int = 0,
    architecture: str = "llama",
    file_type: int | None = None,
    chat_template: str | None = CHAT_TEMPLATE,
    endian: gguf.GGUFEndian = gguf.GGUFEndian.LITTLE,
    **extra_keys: Any,
) -> Path:
    """Write a real model with random weights in F32, about 0.5 MB with the defaults; answers `path`.

    Any architecture with llama's tensors loads in llama-server; its answers are random words.
    `extra_keys` are written as they are, named in full: `**{"llama.pooling_type": 4}`. A list becomes an
    array, an int a u32 (i32 below 0, u64 above 2^32), a float an f32. Raises ValueError for a vocabulary
    below 259 (three marks and 256 bytes).
    """
    if vocabulary < SMALLEST_VOCABULARY:
        raise ValueError(f"a vocabulary needs at least {SMALLEST_VOCABULARY} tokens, not {vocabulary}")
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, architecture, endianess=endian)
    _add_general(writer, name, size_label, file_type)
    _add_geometry(writer, layers, context_length, embedding, heads)
    add_tokenizer(writer, vocabulary)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    for key, value in extra_keys.items():
        add_value(writer, key, value)
    _add_weights(writer, layers, embedding, vocabulary, np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_gguf(
    path: Path,
    architecture: str,
    keys: Mapping[str, Any],
    tensors: Mapping[str, tuple[tuple[int, ...], gguf.GGMLQuantizationType]],
) -> Path:
    """Write keys and tensors of zeros as they are given, rows last in a shape; answers `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in keys.items():
        add_value(writer, key, value)
    for name, (shape, kind) in tensors.items():
        stored = gguf.quant_shape_to_byte_shape(shape, kind)
        writer.add_tensor(name, np.zeros(stored, dtype=np.uint8), raw_shape=stored, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_general(
    writer: gguf.GGUFWriter, name: str | None, size_label: str | None, file_type: int | None
) -> None:
    if name is not None:
        writer.add_name(name)
    if size_label is not None:
        writer.add_size_label(size_label)
    if file_type is not None:
        writer.add_file_type(file_type)


def _add_geometry(
    writer: gguf.GGUFWriter, layers: int, context_length: int, embedding: int, heads: int
) -> None:
    writer.add_context_length(context_length)
    writer.add_embedding_length(embedding)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(2 * embedding)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(embedding // heads)


def add_tokenizer(writer: gguf.GGUFWriter, vocabulary: int) -> None:
    """A sentencepiece vocabulary: the marks, every byte, then words, so that any text has tokens."""
    words = [f"\u2581word{number}" for number in range(vocabulary - SMALLEST_VOCABULARY)]
    tokens = [*SPECIAL_TOKENS, *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    types = [TYPE_UNKNOWN, TYPE_CONTROL, TYPE_CONTROL, *[TYPE_BYTE] * 256, *[TYPE_NORMAL] * len(words)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(rank) for rank in range(vocabulary)])
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(END_TOKEN)
    writer.add_unk_token_id(0)


def add_value(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, list):
        writer.add_array(key, value)
    else:
        kind = _kind_of(value)
        writer.add_key_value(key, value, gguf.GGUFValueType(kind))


def _add_weights(
    writer: gguf.GGUFWriter, layers: int, embedding: int, vocabulary: int, random: np.random.Generator
) -> None:
    feed_forward = 2 * embedding
    square = (embedding, embedding)
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary, embedding)}
    for layer in range(layers):
        shapes |= {f"blk.{layer}.attn_{part}.weight": square for part in ("q", "k", "v", "output")}
        shapes |= {f"blk.{layer}.{part}_norm.weight": (embedding,) for part in ("attn", "ffn")}
        shapes |= {f"blk.{layer}.ffn_{part}.weight": (feed_forward, embedding) for part in ("gate", "up")}
        shapes[f"blk.{layer}.ffn_down.weight"] = (embedding, feed_forward)
    for tensor, shape in shapes.items():
        writer.add_tensor(tensor, random.normal(0.0, 0.1, shape).astype(np.float32))
    writer.add_tensor("output_norm.weight", np.ones(embedding, dtype=np.float32))
    writer.add_tensor("output.weight", _output_weights(embedding, vocabulary, random))


def _output_weights(
    embedding: int, vocabulary: int, random: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Rows that make words and the end mark likely and bytes not: an answer has to be valid UTF-8."""
    rows = random.normal(0.0, 1.0, (vocabulary, embedding))
    rows[END_TOKEN + 1 : SMALLEST_VOCABULARY] = 0.0
    rows[:END_TOKEN] = 0.0
    return rows.astype(np.float32)


# -- byte by byte ----------------------------------------------------------------------------------

UINT8, INT8, UINT16, INT16, UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64, INT64, FLOAT64 = range(13)
_CODES = {
    UINT8: "B", INT8: "b", UINT16: "H", INT16: "h", UINT32: "I", INT32: "i", FLOAT32: "f",
    BOOL: "?", UINT64: "Q", INT64: "q", FLOAT64: "d",
}  # fmt: skip


class Typed(NamedTuple):
    """A value with a type of the test's choice, where the obvious one will not do."""

    kind: int
    value: Any


class Raw(NamedTuple):
    """Bytes put down as they are after a key's name: type, lengths and all."""

    content: bytes


class Tensor(NamedTuple):
    name: str
    dimensions: tuple[int, ...] = (32,)
    type: int = 0
    offset: int = 0


def build_header(
    keys: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
    tensors: Sequence[Tensor] = (),
    version: int = 3,
    byte_order: str = "<",
    *,
    magic: bytes = b"GGUF",
    key_count: int | None = None,
    tensor_count: int | None = None,
) -> bytes:
    """The bytes from the magic to the last tensor's entry. The counts may lie."""
    pairs = list(keys.items()) if isinstance(keys, Mapping) else list(keys)
    parts = [magic, struct.pack(byte_order + "I", version)]
    parts.append(struct.pack(byte_order + "Q", len(tensors) if tensor_count is None else tensor_count))
    parts.append(struct.pack(byte_order + "Q", len(pairs) if key_count is None else key_count))
    for key, value in pairs:
        parts += [pack_string(key, byte_order), _pack_typed(value, byte_order)]
    for tensor in tensors:
        parts.append(pack_string(tensor.name, byte_order))
        parts.append(struct.pack(byte_order + "I", len(tensor.dimensions)))
        parts.append(struct.pack(f"{byte_order}{len(tensor.dimensions)}Q", *tensor.dimensions))
        parts.append(struct.pack(byte_order + "IQ", tensor.type, tensor.offset))
    return b"".join(parts)


def build_file(
    keys: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
    tensors: Sequence[Tensor] = (),
    *,
    data_bytes: int = 0,
    alignment: int = 32,
    byte_order: str = "<",
) -> bytes:
    """A header, the padding after it, and `data_bytes` zeros of tensor data."""
    header = build_header(keys, tensors, byte_order=byte_order)
    return header + bytes(-len(header) % alignment) + bytes(data_bytes)


def pack_string(text: str, byte_order: str = "<") -> bytes:
    content = text.encode()
    return struct.pack(byte_order + "Q", len(content)) + content


def _pack_typed(value: Any, byte_order: str) -> bytes:
    if isinstance(value, Raw):
        return value.content
    kind, plain = value if isinstance(value, Typed) else (_kind_of(value), value)
    return struct.pack(byte_order + "I", kind) + _pack_value(kind, plain, byte_order)


def _pack_value(kind: int, value: Any, byte_order: str) -> bytes:
    if kind == STRING:
        return pack_string(value, byte_order)
    if kind == ARRAY:
        inner = _kind_of(value[0]) if value else UINT32
        start = struct.pack(byte_order + "IQ", inner, len(value))
        return start + b"".join(_pack_value(inner, item, byte_order) for item in value)
    return struct.pack(byte_order + _CODES[kind], value)


def _kind_of(value: Any) -> int:
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT32 if value < 0 else UINT32 if value < 2**32 else UINT64
    kinds: dict[type, int] = {float: FLOAT32, str: STRING, list: ARRAY}
    return kinds[type(value)]
