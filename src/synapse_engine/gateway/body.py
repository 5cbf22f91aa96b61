"""A request's body as it comes: in memory while it is small, else in a file without a name.

It has to be here as a whole before it can go on: who it is for stands anywhere in it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from synapse_engine.errors import CouldNotSave
from synapse_engine.gateway.errors import BadRequest, BodyTooLarge
from synapse_engine.gateway.fields import NOT_JSON
from synapse_engine.gateway.scanning import Scanner, value

IN_MEMORY_BYTES = 1 << 20
PIECE_BYTES = 1 << 18


class Asked(msgspec.Struct):
    """All that the relay reads of a body; the rest passes as it is."""

    model: str | None = None
    stream: Any = None


_decoder = msgspec.json.Decoder(Asked)


def read_asked(data: bytes) -> Asked:
    """Of a whole body. Raises BadRequest where it is no such JSON."""
    try:
        return _decoder.decode(data)
    except NOT_JSON as error:
        raise _not_expected(error) from error


class Body:
    """Attribute to read: size, in bytes. folder: where a large one lies; limit_bytes: what is too much."""

    __slots__ = ("size", "_file", "_folder", "_limit_bytes", "_pieces", "_scanner")

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.size = 0
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._scanner: Scanner | None = None

    def feed(self, data: bytes) -> None:
        """Raises BodyTooLarge, CouldNotSave."""
        self.size += len(data)
        if self.size > self._limit_bytes:
            raise BodyTooLarge(self._limit_bytes)
        if self._file is None and self.size <= IN_MEMORY_BYTES:
            self._pieces.append(data)
            return
        try:
            self._spool(data)
        except OSError as error:
            raise CouldNotSave(str(self._folder), error.strerror or str(error)) from error

    def asked(self) -> Asked:
        """What it says about whom it is for. Raises BadRequest where it is no such JSON."""
        if self._scanner is None:
            return read_asked(self.whole())
        found = self._scanner.found
        try:
            fields = {"model": value(found.get("model")), "stream": value(found.get("stream"))}
            return msgspec.convert(fields, Asked)
        except NOT_JSON as error:
            raise _not_expected(error) from error

    def whole(self) -> bytes:
        """All of it, in memory."""
        if self._file is not None:
            return b"".join(self.pieces())
        if len(self._pieces) != 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def replace(self, data: bytes) -> None:
        """From now on it is this. Raises BodyTooLarge, CouldNotSave."""
        self.close()
        self._scanner, self.size = None, 0
        self.feed(data)

    @property
    def is_in_memory(self) -> bool:
        return self._file is None

    def pieces(self) -> Iterator[bytes]:
        """All of a large one, piece by piece; again from its beginning each time."""
        assert self._file is not None
        self._file.seek(0)
        while piece := self._file.read(PIECE_BYTES):
            yield piece

    def close(self) -> None:
        """Forget it."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._pieces = []

    def _spool(self, data: bytes) -> None:
        if self._file is None or self._scanner is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)
            self._scanner = Scanner()
            data = b"".join([*self._pieces, data])
            self._pieces = []
        self._scanner.feed(data)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


def _not_expected(error: Exception) -> BadRequest:
    return BadRequest("The body is not the JSON that was expected", str(error))


def in_memory(data: bytes) -> Body:
    """One of our own, whatever its size."""
    body = Body(Path(), 0)
    body._pieces, body.size = [data], len(data)
    return body
