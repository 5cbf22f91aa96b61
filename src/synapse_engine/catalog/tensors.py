"""The list of tensors in a GGUF header -> what they weigh, by layer and class. No tensor's data is read.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; tensor names: llama-arch.cpp of llama.cpp.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import zip_longest
from math import prod
from typing import NamedTuple

from synapse_engine.catalog.cursor import Cursor, GgufError
from synapse_engine.catalog.ggml import TENSOR_TYPES
from synapse_engine.catalog.model import Weights

MOST_DIMENSIONS = 4
# ggml's own limit is 64, and 128 in some that build it.
LONGEST_NAME = 1 << 10
LARGEST_ENTRY_BYTES = 8 + LONGEST_NAME + 4 + 8 * MOST_DIMENSIONS + 12
MOST_LAYERS = 1 << 12

BLOCK = re.compile(rb"blk\.(\d{1,4})\.")
EXPERTS = re.compile(rb"_exps\b|_chexps\b")
# Encoders of pictures and sound; an mmproj file holds these and nothing else.
ENCODER_PREFIXES = (b"v.", b"a.", b"mm.")


_Entry = tuple[bytes, list[int], int, int]


class Tensors(NamedTuple):
    """parameters_by_type: tensor type -> number of elements. data_end: where the last one's data ends, from
    the data's start. has_encoder: there are tensors of an encoder of pictures or sound.
    """

    parameters_by_type: dict[str, int]
    data_end: int
    weights: Weights
    has_encoder: bool


class _Role(NamedTuple):
    layer: int | None
    is_expert: bool
    is_token_embedding: bool
    is_output: bool
    is_encoder: bool


class _Tally:
    """Bytes added up by what the tensor is for."""

    def __init__(self) -> None:
        self.total = self.experts = self.token_embedding = self.output = 0
        self.layers: dict[int, int] = {}
        self.expert_layers: dict[int, int] = {}
        self.has_encoder = False

    def add(self, role: _Role, byte_count: int) -> None:
        self.total += byte_count
        if role.layer is not None:
            self.layers[role.layer] = self.layers.get(role.layer, 0) + byte_count
            if role.is_expert:
                self.experts += byte_count
                self.expert_layers[role.layer] = self.expert_layers.get(role.layer, 0) + byte_count
        elif role.is_token_embedding:
            self.token_embedding += byte_count
        elif role.is_output:
            self.output += byte_count
        elif role.is_encoder:
            self.has_encoder = True

    def weights(self) -> Weights:
        return Weights(
            total_bytes=self.total,
            expert_bytes=self.experts,
            token_embedding_bytes=self.token_embedding,
            output_bytes=self.output,
            layer_bytes=_listed(self.layers),
            layer_expert_bytes=_listed(self.expert_layers),
        )


def read_tensors(cursor: Cursor, count: int) -> Tensors:
    """Read so many entries. Raises GgufError."""
    parameters: dict[str, int] = {}
    tally = _Tally()
    data_end = 0
    for name, dimensions, type_number, offset in _entries(cursor, count):
        elements = prod(dimensions)
        type_name, byte_count = _measure(type_number, elements, dimensions)
        parameters[type_name] = parameters.get(type_name, 0) + elements
        tally.add(_role(name), byte_count)
        if offset + byte_count > data_end:
            data_end = offset + byte_count
    return Tensors(parameters, data_end, tally.weights(), tally.has_encoder)


def _entries(cursor: Cursor, count: int) -> Iterator[_Entry]:
    """Name, dimensions, number of the type, offset of the data. Files have hundreds of entries, so they are
    read straight out of the cursor's window while it lasts.
    """
    order = cursor.byte_order
    read_length, read_count = cursor.structs["Q"].unpack_from, cursor.structs["I"].unpack_from
    shapes = [struct.Struct(f"{order}{number}QIQ") for number in range(MOST_DIMENSIONS + 1)]
    window, at, refill_at = b"", 0, -1
    for _ in range(count):
        if at > refill_at:
            window, at = cursor.window(LARGEST_ENTRY_BYTES)
            refill_at = len(window) - LARGEST_ENTRY_BYTES
        try:
            (length,) = read_length(window, at)
            if length >= LONGEST_NAME:
                raise GgufError(f"is damaged: a tensor's name of {length} bytes at {cursor.at}")
            name_end = at + 8 + length
            (dimension_count,) = read_count(window, name_end)
            if dimension_count > MOST_DIMENSIONS:
                raise GgufError(f"is damaged: a tensor with {dimension_count} dimensions at {cursor.at}")
            shape = shapes[dimension_count]
            *dimensions, type_number, offset = shape.unpack_from(window, name_end + 4)
        except struct.error:
            raise cursor.overrun(LARGEST_ENTRY_BYTES) from None
        name = window[at + 8 : name_end]
        at = name_end + 4 + shape.size
        cursor.move(at)
        yield name, dimensions, type_number, offset


@lru_cache(maxsize=1 << 14)
def _role(name: bytes) -> _Role:
    block = BLOCK.match(name)
    return _Role(
        layer=int(block[1]) if block and int(block[1]) < MOST_LAYERS else None,
        is_expert=EXPERTS.search(name) is not None,
        is_token_embedding=name.startswith(b"token_embd."),
        is_output=name.startswith(b"output."),
        is_encoder=name.startswith(ENCODER_PREFIXES),
    )


def _measure(type_number: int, elements: int, dimensions: list[int]) -> tuple[str, int]:
    """A tensor type's name and the bytes that the elements take, at least."""
    known = TENSOR_TYPES.get(type_number)
    if known is None:
        # Newer than this table: no type takes less than a bit for an element.
        return f"type {type_number}", elements // 8
    if dimensions and dimensions[0] % known.block_elements:
        raise GgufError(f"is damaged: {dimensions[0]} elements in a row of type {known.name}")
    return known.name, elements // known.block_elements * known.block_bytes


def add_weights(parts: Iterable[Weights]) -> Weights:
    """Those of a model's shards together."""
    parts = list(parts)
    return Weights(
        total_bytes=sum(part.total_bytes for part in parts),
        expert_bytes=sum(part.expert_bytes for part in parts),
        token_embedding_bytes=sum(part.token_embedding_bytes for part in parts),
        output_bytes=sum(part.output_bytes for part in parts),
        layer_bytes=_add_lists(part.layer_bytes for part in parts),
        layer_expert_bytes=_add_lists(part.layer_expert_bytes for part in parts),
    )


def _add_lists(lists: Iterable[list[int]]) -> list[int]:
    return [sum(column) for column in zip_longest(*lists, fillvalue=0)]


def _listed(by_layer: dict[int, int]) -> list[int]:
    return [by_layer.get(layer, 0) for layer in range(max(by_layer, default=-1) + 1)]
