"""The bytes of a GGUF file -> its keys, and what its tensors weigh.

One walk that never trusts a length: each is held against the file's size before anything is read or
allocated. Long arrays, a tokenizer's mostly, are stepped over, not built. Tensor data is never read, only
measured. Knows nothing of paths, names or models; what the keys mean is `header`'s.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and gguf.cpp of llama.cpp.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from synapse_engine.catalog.cursor import NUMBER_CODES, Cursor, GgufError, Read
from synapse_engine.catalog.tensors import Tensors, read_tensors

MAGIC = b"GGUF"
DEFAULT_ALIGNMENT = 32
MOST_KEYS = 1 << 16
MOST_TENSORS = 1 << 20
MOST_STRINGS = 1 << 24
LONGEST_KEY = 1 << 16
LONGEST_KEPT_STRING = 1 << 20
LONGEST_KEPT_ARRAY = 1024
MOST_REMEMBERED_ARRAYS = 1024

STRING, ARRAY = 8, 9
# A key takes its name's length, a letter, its type and a byte of value; a tensor the like.
SMALLEST_KEY_BYTES = 14
SMALLEST_TENSOR_BYTES = 24
KEY_AT_MOST_BYTES = 8 + 256 + 4


class ArrayMemo:
    """Byte lengths of long string arrays met before, so that models of one tokenizer are walked once.

    An entry is only believed where a well-formed key follows the array that it measures.
    """

    def __init__(self) -> None:
        self._byte_lengths: dict[tuple[str, int, bytes], int] = {}

    def get(self, key: str, count: int, start: bytes) -> int | None:
        return self._byte_lengths.get((key, count, start))

    def put(self, key: str, count: int, start: bytes, byte_length: int) -> None:
        if len(self._byte_lengths) == MOST_REMEMBERED_ARRAYS:
            self._byte_lengths.clear()
        self._byte_lengths[key, count, start] = byte_length


class SkippedValue(NamedTuple):
    """A value too long to keep: how many elements (or bytes of text) it has."""

    length: int


class Gguf(NamedTuple):
    """A file's beginning. byte_order: `little` or `big`. digest: of all but the long arrays."""

    byte_order: str
    keys: dict[str, Any]
    tensors: Tensors
    digest: str


def read_gguf(read: Read, size: int, memo: ArrayMemo) -> Gguf:
    """Read the beginning of the file of `size` bytes that `read` reads from. Raises GgufError."""
    cursor = Cursor(read, size, _byte_order(read(0, 8), size))
    cursor.take(8)
    tensor_count, key_count = cursor.number("Q"), cursor.number("Q")
    _check_count(cursor, key_count, MOST_KEYS, SMALLEST_KEY_BYTES, "keys")
    _check_count(cursor, tensor_count, MOST_TENSORS, SMALLEST_TENSOR_BYTES, "tensors")
    keys = _read_keys(_Values(cursor, memo), key_count)
    tensors = read_tensors(cursor, tensor_count)
    data_start = _align(cursor.at, _alignment(keys))
    if tensor_count and data_start + tensors.data_end > size:
        raise GgufError(f"is cut short: it has {size} bytes of {data_start + tensors.data_end}")
    byte_order = "little" if cursor.byte_order == "<" else "big"
    return Gguf(byte_order, keys, tensors, cursor.digest())


def _byte_order(start: bytes, size: int) -> str:
    if size == 0:
        raise GgufError("is empty")
    if start[:4] != MAGIC:
        raise GgufError("is not a GGUF file: it does not begin with GGUF")
    if size < 24:
        raise GgufError(f"is cut short: it has {size} bytes, not even a header's beginning")
    (version,) = struct.unpack_from("<I", start, 4)
    order = "<"
    if version and version & 0xFFFF == 0:
        (version,) = struct.unpack_from(">I", start, 4)
        order = ">"
    if version < 2:
        raise GgufError(f"is GGUF version {version}, too old for llama.cpp: download or convert it again")
    if version > 3:
        raise GgufError(f"is GGUF version {version}; only versions 2 and 3 are known")
    return order


def _check_count(cursor: Cursor, count: int, most: int, smallest_bytes: int, what: str) -> None:
    if count > most or count * smallest_bytes > cursor.size:
        raise GgufError(f"is cut short or damaged: it claims {count} {what} in {cursor.size} bytes")


def _read_keys(values: _Values, count: int) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for remaining in range(count, 0, -1):
        key = _read_key(values.cursor)
        if key in keys:
            raise GgufError(f"is damaged: it has the key {key} twice")
        keys[key] = values.read(key, is_last=remaining == 1)
    return keys


def _read_key(cursor: Cursor) -> str:
    length = cursor.number("Q")
    if not 0 < length < LONGEST_KEY:
        raise GgufError(f"is damaged: a key's name of {length} bytes at {cursor.at - 8}")
    name = cursor.take(length)
    try:
        return str(name, "utf-8")
    except UnicodeDecodeError:
        raise GgufError(f"is damaged: a key's name at {cursor.at - length} is not text") from None


class _Values:
    """Reads the keys' values."""

    def __init__(self, cursor: Cursor, memo: ArrayMemo) -> None:
        self.cursor = cursor
        self._memo = memo
        self._strings_left = MOST_STRINGS

    def read(self, key: str, *, is_last: bool) -> Any:
        kind = self.cursor.number("I")
        if kind == STRING:
            return self._string()
        if kind == ARRAY:
            return self._array(key, is_last=is_last)
        return self.cursor.number(_number_code(kind, key))

    def _string(self) -> str | SkippedValue:
        length = self.cursor.number("Q")
        if length > LONGEST_KEPT_STRING:
            self.cursor.leave_out(length)
            return SkippedValue(length)
        return str(self.cursor.take(length), "utf-8", "replace")

    def _array(self, key: str, *, is_last: bool) -> list[Any] | SkippedValue:
        cursor = self.cursor
        kind, count = cursor.number("I"), cursor.number("Q")
        if kind == ARRAY:
            raise GgufError(f"is damaged: {key} is an array of arrays")
        if kind == STRING:
            self._skip_strings(key, count, is_last=is_last)
            return SkippedValue(count)
        code = _number_code(kind, key)
        byte_count = count * cursor.structs[code].size
        if count > LONGEST_KEPT_ARRAY:
            cursor.leave_out(byte_count)
            return SkippedValue(count)
        return list(struct.unpack(f"{cursor.byte_order}{count}{code}", cursor.take(byte_count)))

    def _skip_strings(self, key: str, count: int, *, is_last: bool) -> None:
        cursor = self.cursor
        if count > self._strings_left or count * 8 > cursor.size - cursor.at:
            raise GgufError(f"is cut short or damaged: {key} claims {count} strings in {cursor.size} bytes")
        start = cursor.peek(cursor.at, 256)
        known = None if is_last else self._memo.get(key, count, start)
        if known is not None and _is_key_at(cursor, cursor.at + known):
            cursor.leave_out(known)
            return
        self._strings_left -= count
        byte_count = cursor.strings_length(count)
        cursor.leave_out(byte_count)
        self._memo.put(key, count, start, byte_count)


def _number_code(kind: int, key: str) -> str:
    code = NUMBER_CODES.get(kind)
    if code is None:
        raise GgufError(f"is damaged: the value of {key} is of the unknown type {kind}")
    return code


def _is_key_at(cursor: Cursor, at: int) -> bool:
    content = cursor.peek(at, KEY_AT_MOST_BYTES)
    if len(content) < SMALLEST_KEY_BYTES:
        return False
    (length,) = cursor.structs["Q"].unpack_from(content)
    end = 8 + length
    if not 0 < length < 256 or end + 4 > len(content):
        return False
    (kind,) = cursor.structs["I"].unpack_from(content, end)
    name = content[8:end]
    return kind <= 12 and name.isascii() and name.decode().isprintable()


def _alignment(keys: dict[str, Any]) -> int:
    alignment = keys.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise GgufError(f"is damaged: an alignment of {alignment}")
    return alignment


def _align(position: int, alignment: int) -> int:
    return (position + alignment - 1) // alignment * alignment
