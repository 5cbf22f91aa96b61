"""A position in a file's bytes that only moves forward and never past the end.

The bytes come through bounded reads, a window of them at a time. So a header of any size takes little memory,
and a file that shrinks while it is read is an error in words, where a memory map would kill the process.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any

Read = Callable[[int, int], bytes]
"""(where, how many) -> as many bytes; fewer only where the file has no more."""

WINDOW_BYTES = 1 << 15
# Each read lets go of the interpreter's lock for a moment too short for another thread to take it, and makes
# that one wait anew. So few and large ones where many strings are walked.
STRINGS_WINDOW_BYTES = 1 << 20
NUMBER_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


class GgufError(Exception):
    """The file is no GGUF that can be read. The text says why, as a sentence that starts with a verb."""


class Cursor:
    """Reads numbers and bytes in order. Attributes to read: at, size, byte_order.

    All that is stepped over is hashed, but for what is left out on purpose.
    """

    def __init__(self, read: Read, size: int, byte_order: str) -> None:
        self.at = 0
        self.size = size
        self.byte_order = byte_order
        self.structs = {code: struct.Struct(byte_order + code) for code in NUMBER_CODES.values()}
        self._read = read
        self._window = b""
        self._window_start = 0
        self._hash = hashlib.blake2b(digest_size=16)
        self._hashed_to = 0

    def number(self, code: str) -> Any:
        reader = self.structs[code]
        start = self._step(reader.size)
        return reader.unpack_from(self._window, start)[0]

    def take(self, byte_count: int) -> bytes:
        start = self._step(byte_count)
        return self._window[start : start + byte_count]

    def leave_out(self, byte_count: int) -> None:
        """Step over bytes without reading or hashing them."""
        self._hash_so_far()
        if self.at + byte_count > self.size:
            raise self.overrun(byte_count)
        self.at += byte_count
        self._hashed_to = self.at

    def peek(self, at: int, byte_count: int) -> bytes:
        """The bytes at any place, fewer at the file's end; the position stays."""
        start = at - self._window_start
        if 0 <= start and start + byte_count <= len(self._window):
            return self._window[start : start + byte_count]
        return self._read(at, byte_count)

    def window(self, byte_count: int) -> tuple[bytes, int]:
        """Bytes that hold the next `byte_count` (fewer at the file's end), and where in them those begin.

        For a loop that reads on by itself and then says with `move` how far it came.
        """
        self._cover(min(byte_count, self.size - self.at))
        return self._window, self.at - self._window_start

    def move(self, start: int) -> None:
        """Go to a place in the last window."""
        self.at = self._window_start + start

    def strings_length(self, count: int) -> int:
        """How many bytes so many strings take. The position stays; no window holds them all.

        The hot loop of a first scan: a string a turn. Reading past the window is what ends a turn.
        """
        at = self.at
        unpack_from = self.structs["Q"].unpack_from
        while count:
            if at + 8 > self.size:
                raise self.overrun(at + 8 - self.at)
            chunk, position = self._read(at, STRINGS_WINDOW_BYTES), 0
            done = 0
            try:
                for done in range(count):  # noqa: B007
                    position += 8 + unpack_from(chunk, position)[0]
                done = count
            except (struct.error, OverflowError):
                if done == 0:
                    raise shrunk() from None
            at, count = at + position, count - done
        if at > self.size:
            raise self.overrun(at - self.at)
        return at - self.at

    def digest(self) -> str:
        """Of all that was stepped over and not left out."""
        self._hash_so_far()
        return self._hash.hexdigest()

    def overrun(self, byte_count: int) -> GgufError:
        return GgufError(
            f"is cut short or damaged: its header goes on for {byte_count} bytes at {self.at}, "
            f"and the file has {self.size}"
        )

    def _step(self, byte_count: int) -> int:
        """Move on; answers where in the window the bytes begin."""
        start = self.at - self._window_start
        if start + byte_count > len(self._window):
            if self.at + byte_count > self.size:
                raise self.overrun(byte_count)
            self._cover(byte_count)
            start = 0
        self.at += byte_count
        return start

    def _cover(self, byte_count: int) -> None:
        if self.at - self._window_start + byte_count <= len(self._window):
            return
        self._hash_so_far()
        self._window = self._read(self.at, max(byte_count, WINDOW_BYTES))
        self._window_start = self.at
        if len(self._window) < byte_count:
            raise shrunk()

    def _hash_so_far(self) -> None:
        start = self._window_start
        self._hash.update(self._window[self._hashed_to - start : self.at - start])
        self._hashed_to = self.at


def shrunk() -> GgufError:
    return GgufError("was cut short while it was being read")
