"""The bytes of a GGUF file -> what its header says.

One walk over a buffer (an mmap, or bytes) that never trusts a length: each is held against the file's size
before anything is read or allocated. Long arrays, a tokenizer's mostly, are stepped over, not built. Tensor
data is never read, only measured. Knows nothing of paths, names or models.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and gguf.cpp of llama.cpp.
"""

from __future__ import annotations

import hashlib
import mmap
import re
import struct
from typing import Any, NamedTuple

import msgspec

from synapse_engine.catalog.ggml import FILE_TYPE_GUESSED, FILE_TYPES, TENSOR_TYPES
from synapse_engine.catalog.model import Geometry

Buffer = bytes | mmap.mmap

MAGIC = b"GGUF"
DEFAULT_ALIGNMENT = 32
MOST_KEYS = 1 << 16
MOST_TENSORS = 1 << 20
MOST_STRINGS = 1 << 24
MOST_DIMENSIONS = 4
LONGEST_KEY = 1 << 16
LONGEST_KEPT_STRING = 1 << 20
LONGEST_KEPT_ARRAY = 1024

NUMBER_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
# A key takes its name's length, a letter, its type and a byte of value; a tensor the like.
SMALLEST_KEY_BYTES = 14
SMALLEST_TENSOR_BYTES = 24

TOOLS = re.compile(r"\btools\b")
THINKING = re.compile(r"</?think>|\benable_thinking\b|\breasoning_content\b|\breasoning_effort\b")


class GgufError(Exception):
    """The file is no GGUF that can be read. The text says why, as a sentence that starts with a verb."""


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one file's header says. What it does not say is None.

    type: `model`, `adapter`, `mmproj`, `imatrix`, or None; a `clip` architecture is an mmproj.
    file_type: the quantization's name, from `general.file_type`.
    parameters_by_type: tensor type -> number of elements; empty without tensors.
    split_count: of how many shards this file is one; 0 and 1 are none.
    projection_dimension: of an mmproj, the width of the model that it feeds.
    digest: hash of the header without its long arrays, to know a moved file by (with its size).
    """

    byte_order: str = "little"
    architecture: str | None = None
    type: str | None = None
    name: str | None = None
    basename: str | None = None
    size_label: str | None = None
    file_type: str | None = None
    context_length: int | None = None
    geometry: Geometry = Geometry()
    pooling_type: int | None = None
    template_has_tools: bool = False
    template_has_thinking: bool = False
    split_no: int | None = None
    split_count: int | None = None
    projection_dimension: int | None = None
    parameters_by_type: dict[str, int] = {}
    digest: str = ""


class ArrayMemo:
    """Byte lengths of long string arrays met before, so that models of one tokenizer are walked once.

    An entry is only believed where a well-formed key follows the array that it measures.
    """

    def __init__(self) -> None:
        self._byte_lengths: dict[tuple[str, int, bytes], int] = {}

    def get(self, key: str, count: int, start: bytes) -> int | None:
        return self._byte_lengths.get((key, count, start))

    def put(self, key: str, count: int, start: bytes, byte_length: int) -> None:
        self._byte_lengths[key, count, start] = byte_length


class SkippedValue(NamedTuple):
    """A value too long to keep: how many elements (or bytes of text) it has."""

    length: int


class _Tensors(NamedTuple):
    parameters_by_type: dict[str, int]
    data_end: int


def read_header(buffer: Buffer, memo: ArrayMemo | None = None) -> Header:
    """Read the header of the GGUF file that `buffer` holds whole. Raises GgufError."""
    size = len(buffer)
    if size == 0:
        raise GgufError("is empty")
    if buffer[:4] != MAGIC:
        raise GgufError("is not a GGUF file: it does not begin with GGUF")
    walk = _Walk(buffer, _byte_order(buffer, size), memo or ArrayMemo())
    tensor_count, key_count = walk.number("Q"), walk.number("Q")
    walk.check_count(key_count, MOST_KEYS, SMALLEST_KEY_BYTES, "keys")
    walk.check_count(tensor_count, MOST_TENSORS, SMALLEST_TENSOR_BYTES, "tensors")
    keys: dict[str, Any] = {}
    for remaining in range(key_count, 0, -1):
        key = walk.key()
        if key in keys:
            raise GgufError(f"is damaged: it has the key {key} twice")
        keys[key] = walk.value(key, is_last=remaining == 1)
    tensors = _read_tensors(walk, tensor_count)
    data_start = _align(walk.at, _alignment(keys))
    if tensor_count and data_start + tensors.data_end > size:
        raise GgufError(f"is cut short: it has {size} bytes of {data_start + tensors.data_end}")
    return _facts(walk, keys, tensors)


def _byte_order(buffer: Buffer, size: int) -> str:
    if size < 24:
        raise GgufError(f"is cut short: it has {size} bytes, not even a header's beginning")
    (version,) = struct.unpack_from("<I", buffer, 4)
    order = "<"
    if version and version & 0xFFFF == 0:
        (version,) = struct.unpack_from(">I", buffer, 4)
        order = ">"
    if version < 2:
        raise GgufError(f"is GGUF version {version}, too old for llama.cpp: download or convert it again")
    if version > 3:
        raise GgufError(f"is GGUF version {version}; only versions 2 and 3 are known")
    return order


class _Walk:
    """A position in the buffer that only moves forward, and never past its end."""

    def __init__(self, buffer: Buffer, byte_order: str, memo: ArrayMemo) -> None:
        self.buffer = buffer
        self.size = len(buffer)
        self.at = 8
        self.byte_order = byte_order
        self._structs = {code: struct.Struct(byte_order + code) for code in NUMBER_CODES.values()}
        self._memo = memo
        self._strings_left = MOST_STRINGS
        self._hash = hashlib.blake2b(buffer[:8], digest_size=16)
        self._hashed_to = self.at

    def number(self, code: str) -> Any:
        reader = self._structs[code]
        at = self.advance(reader.size)
        return reader.unpack_from(self.buffer, at)[0]

    def advance(self, byte_count: int) -> int:
        """Step over bytes; answers where they start."""
        start, end = self.at, self.at + byte_count
        if end > self.size:
            raise self.overrun(start, byte_count)
        self.at = end
        return start

    def overrun(self, start: int, byte_count: int) -> GgufError:
        return GgufError(
            f"is cut short or damaged: its header goes on for {byte_count} bytes at {start}, "
            f"and the file has {self.size}"
        )

    def check_count(self, count: int, most: int, smallest_bytes: int, what: str) -> None:
        if count > most or count * smallest_bytes > self.size:
            raise GgufError(f"is cut short or damaged: it claims {count} {what} in {self.size} bytes")

    def key(self) -> str:
        length = self.number("Q")
        if not 0 < length < LONGEST_KEY:
            raise GgufError(f"is damaged: a key's name of {length} bytes at {self.at - 8}")
        start = self.advance(length)
        try:
            return str(self.buffer[start : self.at], "utf-8")
        except UnicodeDecodeError:
            raise GgufError(f"is damaged: a key's name at {start} is not text") from None

    def value(self, key: str, *, is_last: bool) -> Any:
        kind = self.number("I")
        if kind == STRING:
            return self._string()
        if kind == ARRAY:
            return self._array(key, is_last=is_last)
        return self.number(self._number_code(kind, key))

    def digest(self) -> str:
        self._hash.update(self.buffer[self._hashed_to : self.at])
        self._hashed_to = self.at
        return self._hash.hexdigest()

    def _number_code(self, kind: int, key: str) -> str:
        code = NUMBER_CODES.get(kind)
        if code is None:
            raise GgufError(f"is damaged: the value of {key} is of the unknown type {kind}")
        return code

    def _string(self) -> str | SkippedValue:
        length = self.number("Q")
        if length > LONGEST_KEPT_STRING:
            self._leave_out(length)
            return SkippedValue(length)
        start = self.advance(length)
        return str(self.buffer[start : self.at], "utf-8", "replace")

    def _array(self, key: str, *, is_last: bool) -> list[Any] | SkippedValue:
        kind, count = self.number("I"), self.number("Q")
        if kind == ARRAY:
            raise GgufError(f"is damaged: {key} is an array of arrays")
        if kind == STRING:
            self._skip_strings(key, count, is_last=is_last)
            return SkippedValue(count)
        code = self._number_code(kind, key)
        byte_count = count * self._structs[code].size
        if count > LONGEST_KEPT_ARRAY:
            self._leave_out(byte_count)
            return SkippedValue(count)
        start = self.advance(byte_count)
        return list(struct.unpack_from(f"{self.byte_order}{count}{code}", self.buffer, start))

    def _leave_out(self, byte_count: int) -> None:
        """Step over bytes that the digest does not need."""
        self.digest()
        self.advance(byte_count)
        self._hashed_to = self.at

    def _skip_strings(self, key: str, count: int, *, is_last: bool) -> None:
        if count > self._strings_left or count * 8 > self.size - self.at:
            raise GgufError(f"is cut short or damaged: {key} claims {count} strings in {self.size} bytes")
        start = self.buffer[self.at : self.at + 256]
        known = None if is_last else self._memo.get(key, count, start)
        if known is not None and self._is_key_at(self.at + known):
            self._leave_out(known)
            return
        self._strings_left -= count
        byte_count = self._measure_strings(count)
        self._leave_out(byte_count)
        self._memo.put(key, count, start, byte_count)

    def _measure_strings(self, count: int) -> int:
        """The hot loop: a string a turn. Reading past the end is what stops a length that lies."""
        at, buffer, unpack_from = self.at, self.buffer, self._structs["Q"].unpack_from
        try:
            for _ in range(count):
                at += 8 + unpack_from(buffer, at)[0]
        except (struct.error, OverflowError):
            raise self.overrun(self.at, at - self.at) from None
        return at - self.at

    def _is_key_at(self, at: int) -> bool:
        if at + SMALLEST_KEY_BYTES > self.size:
            return False
        (length,) = self._structs["Q"].unpack_from(self.buffer, at)
        end = at + 8 + length
        if not 0 < length < 256 or end + 4 > self.size:
            return False
        (kind,) = self._structs["I"].unpack_from(self.buffer, end)
        name = self.buffer[at + 8 : end]
        return kind <= 12 and name.isascii() and name.decode().isprintable()


def _read_tensors(walk: _Walk, count: int) -> _Tensors:
    order = walk.byte_order
    shapes = [struct.Struct(f"{order}{dimensions}QIQ") for dimensions in range(MOST_DIMENSIONS + 1)]
    parameters: dict[str, int] = {}
    data_end = 0
    for _ in range(count):
        walk.advance(_tensor_name_length(walk))
        dimension_count = walk.number("I")
        if dimension_count > MOST_DIMENSIONS:
            raise GgufError(f"is damaged: a tensor with {dimension_count} dimensions at {walk.at}")
        shape = shapes[dimension_count]
        *dimensions, type_number, offset = shape.unpack_from(walk.buffer, walk.advance(shape.size))
        elements = 1
        for dimension in dimensions:
            elements *= dimension
        type_name, byte_count = _measure_tensor(type_number, elements, dimensions)
        parameters[type_name] = parameters.get(type_name, 0) + elements
        data_end = max(data_end, offset + byte_count)
    return _Tensors(parameters, data_end)


def _tensor_name_length(walk: _Walk) -> int:
    length: int = walk.number("Q")
    if length >= LONGEST_KEY:
        raise GgufError(f"is damaged: a tensor's name of {length} bytes at {walk.at - 8}")
    return length


def _measure_tensor(type_number: int, elements: int, dimensions: list[int]) -> tuple[str, int]:
    """A tensor type's name and the bytes that the elements take, at least."""
    known = TENSOR_TYPES.get(type_number)
    if known is None:
        # Newer than this table: no type takes less than a bit for an element.
        return f"type {type_number}", elements // 8
    if dimensions and dimensions[0] % known.block_elements:
        raise GgufError(f"is damaged: {dimensions[0]} elements in a row of type {known.name}")
    return known.name, elements // known.block_elements * known.block_bytes


def _alignment(keys: dict[str, Any]) -> int:
    alignment = keys.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise GgufError(f"is damaged: an alignment of {alignment}")
    return alignment


def _align(position: int, alignment: int) -> int:
    return (position + alignment - 1) // alignment * alignment


def _facts(walk: _Walk, keys: dict[str, Any], tensors: _Tensors) -> Header:
    architecture = _text(keys, "general.architecture")
    file_type = _number(keys, "general.file_type")
    template = _text(keys, "tokenizer.chat_template") or ""
    return Header(
        byte_order="little" if walk.byte_order == "<" else "big",
        architecture=architecture,
        type="mmproj" if architecture == "clip" else _text(keys, "general.type"),
        name=_text(keys, "general.name"),
        basename=_text(keys, "general.basename"),
        size_label=_text(keys, "general.size_label"),
        file_type=None if file_type is None else FILE_TYPES.get(file_type & ~FILE_TYPE_GUESSED),
        context_length=_number(keys, f"{architecture}.context_length"),
        geometry=_geometry(keys, architecture),
        pooling_type=_number(keys, f"{architecture}.pooling_type"),
        template_has_tools="tokenizer.chat_template.tool_use" in keys or bool(TOOLS.search(template)),
        template_has_thinking=bool(THINKING.search(template)),
        split_no=_number(keys, "split.no"),
        split_count=_number(keys, "split.count"),
        projection_dimension=_number(keys, "clip.vision.projection_dim"),
        parameters_by_type=tensors.parameters_by_type,
        digest=walk.digest(),
    )


def _geometry(keys: dict[str, Any], architecture: str | None) -> Geometry:
    return Geometry(
        block_count=_number(keys, f"{architecture}.block_count"),
        embedding_length=_number(keys, f"{architecture}.embedding_length"),
        head_count=_numbers(keys, f"{architecture}.attention.head_count"),
        head_count_kv=_numbers(keys, f"{architecture}.attention.head_count_kv"),
        key_length=_number(keys, f"{architecture}.attention.key_length"),
        value_length=_number(keys, f"{architecture}.attention.value_length"),
        sliding_window=_number(keys, f"{architecture}.attention.sliding_window"),
        expert_count=_number(keys, f"{architecture}.expert_count"),
        expert_used_count=_number(keys, f"{architecture}.expert_used_count"),
        vocabulary_size=_vocabulary_size(keys, architecture),
    )


def _vocabulary_size(keys: dict[str, Any], architecture: str | None) -> int | None:
    tokens = keys.get("tokenizer.ggml.tokens")
    if isinstance(tokens, SkippedValue):
        return tokens.length
    return _number(keys, f"{architecture}.vocab_size")


def _text(keys: dict[str, Any], key: str) -> str | None:
    value = keys.get(key)
    return value.strip() or None if isinstance(value, str) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _number(keys: dict[str, Any], key: str) -> int | None:
    value = keys.get(key)
    return value if _is_count(value) else None


def _numbers(keys: dict[str, Any], key: str) -> int | list[int] | None:
    """One number, or one per layer."""
    value = keys.get(key)
    if isinstance(value, list) and value and all(map(_is_count, value)):
        return value
    return _number(keys, key)
