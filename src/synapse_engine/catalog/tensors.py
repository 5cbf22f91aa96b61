"""The list of tensors in a GGUF header -> what they weigh, by layer and class. No tensor's data is read.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; tensor names: llama-arch.cpp of llama.cpp.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
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
    entries = _Entries(cursor)
    parameters: dict[str, int] = {}
    tally = _Tally()
    data_end = 0
    for _ in range(count):
        name, dimensions, type_number, offset = entries.next()
        elements = prod(dimensions)
        type_name, byte_count = _measure(type_number, elements, dimensions)
        parameters[type_name] = parameters.get(type_name, 0) + elements
        tally.add(_role(name), byte_count)
        if offset + byte_count > data_end:
            data_end = offset + byte_count
    return Tensors(parameters, data_end, tally.weights(), tally.has_encoder)


class _Entries:
    """Reads one entry a call, straight out of the cursor's window while it lasts: files have hundreds."""

    def __init__(self, cursor: Cursor) -> None:
        order = cursor.byte_order
        self._cursor = cursor
        self._length = struct.Struct(f"{order}Q").unpack_from
        self._dimension_count = struct.Struct(f"{order}I").unpack_from
        self._shapes = [struct.Struct(f"{order}{n}QIQ") for n in range(MOST_DIMENSIONS + 1)]
        self._window, self._position = b"", 0
        self._refill_at = -1

    def next(self) -> tuple[bytes, tuple[int, ...], int, int]:
        """Name, dimensions, number of the type, offset of the data."""
        if self._position > self._refill_at:
            self._refill()
        window, position = self._window, self._position
        try:
            (name_length,) = self._length(window, position)
            if name_length >= LONGEST_NAME:
                raise GgufError(f"is damaged: a tensor's name of {name_length} bytes at {self._cursor.at}")
            name_end = position + 8 + name_length
            (dimension_count,) = self._dimension_count(window, name_end)
            if dimension_count > MOST_DIMENSIONS:
                raise GgufError(
                    f"is damaged: a tensor with {dimension_count} dimensions at {self._cursor.at}"
                )
            shape = self._shapes[dimension_count]
            *dimensions, type_number, offset = shape.unpack_from(window, name_end + 4)
        except struct.error:
            raise self._cursor.overrun(LARGEST_ENTRY_BYTES) from None
        self._position = name_end + 4 + shape.size
        self._cursor.move(self._position)
        return window[position + 8 : name_end], tuple(dimensions), type_number, offset

    def _refill(self) -> None:
        self._window, self._position = self._cursor.window(LARGEST_ENTRY_BYTES)
        self._refill_at = len(self._window) - LARGEST_ENTRY_BYTES


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


def _measure(type_number: int, elements: int, dimensions: tuple[int, ...]) -> tuple[str, int]:
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
