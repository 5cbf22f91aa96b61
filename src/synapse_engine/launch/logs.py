"""The log files of the servers on this machine: opened, read from their end, followed, and kept small.

A server writes `ID.log` itself, in append mode, so nobody can block it. When the file has grown to its
bound, what it holds is copied to `ID.1.log` and the file is cut to nothing. A new start's log begins anew,
and `ID.1.log` is then the end of the start before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from synapse_engine.datafolder import file_stem
from synapse_engine.launch.base import LogChunk

BLOCK_BYTES = 64 * 1024
READ_BYTES = 1 << 20
POLL_SECONDS = 0.1
CHECK_MIN_SECONDS = 0.05
CHECK_MAX_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass
class _Place:
    """Where one log stands: which start of this run, and how much was cut off its front, in bytes."""

    start: int = 0
    cut_bytes: int = 0
    cut_before: int = 0  # the same of the start before
    size_seen: int = 0
    is_trouble: bool = False


class Logs:
    """max_bytes: of one server's log, both files together; may be set at any time."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self.max_bytes = max_bytes
        self._places: dict[str, _Place] = {}
        self._cutting = threading.Lock()

    @property
    def _bound_bytes(self) -> int:
        return self.max_bytes // 2

    def path(self, name: str) -> Path:
        return self._folder / f"{file_stem(name)}.log"

    def open(self, name: str) -> BinaryIO:
        """The file of a new start, to write to; the start before is kept beside it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self.path(name)
        with self._cutting:
            place = self._places.setdefault(name, _Place())
            with contextlib.suppress(FileNotFoundError):
                path.rename(_earlier(path))
            place.start, place.cut_before, place.cut_bytes = place.start + 1, place.cut_bytes, 0
            place.size_seen = 0
            return path.open("ab")

    def watch(self, name: str) -> None:
        """Keep a log small that somebody else has opened."""
        self._places.setdefault(name, _Place())

    async def tail(self, name: str, lines: int) -> list[str]:
        """The last lines of the newest start; empty where there is no log."""
        data, _, _ = await asyncio.to_thread(self._end, name, lines)
        return data.decode(errors="replace").splitlines()[-lines:]

    async def follow(self, name: str, lines: int) -> AsyncIterator[LogChunk]:
        """The last lines, then each new one, over cuts and new starts, for as long as it is asked for."""
        place = self._places.setdefault(name, _Place())
        data, start, position = await asyncio.to_thread(self._end, name, lines + 1)
        *whole, unfinished = data.split(b"\n")
        yield LogChunk(_decoded(whole)[-lines:])
        is_new = False
        while True:
            if start == place.start and position == place.cut_bytes + _size(self.path(name)):
                await asyncio.sleep(POLL_SECONDS)
                continue
            data, position = await asyncio.to_thread(self._read, name, start, position)
            if not data and start != place.start:
                start, position, unfinished, is_new = place.start, 0, b"", True
                continue
            *whole, unfinished = (unfinished + data).split(b"\n")
            if whole or is_new:
                yield LogChunk(_decoded(whole), is_new)
                is_new = False

    async def keep_small(self) -> None:
        """Cut what has grown too large, until it is cancelled; looked at more often what grows fast."""
        delay = CHECK_MAX_SECONDS
        while True:
            await asyncio.sleep(delay)
            checks = [await self._check(name, delay) for name in list(self._places)]
            delay = min(checks, default=CHECK_MAX_SECONDS)

    async def _check(self, name: str, seconds: float) -> float:
        """Cut one log if it is due, `seconds` after the last look; when to look again.

        What cannot be looked at, or not be cut, is said once, and then now and again looked at.
        """
        path, place = self.path(name), self._places[name]
        try:
            size = path.stat().st_size
            delay = plan_check(size, size - place.size_seen, seconds, self._bound_bytes)
            place.size_seen = size
            if size > self._bound_bytes:
                place.size_seen = 0
                await asyncio.to_thread(self._cut, name, place)
        except FileNotFoundError:
            return CHECK_MAX_SECONDS
        except OSError as error:
            if not place.is_trouble:
                log.warning("%s cannot be kept small: %s", path, error.strerror or error)
            place.is_trouble = True
            return CHECK_MAX_SECONDS
        place.is_trouble = False
        return delay

    def _cut(self, name: str, place: _Place) -> None:
        path = self.path(name)
        with self._cutting:
            place.cut_bytes += cut(path, _earlier(path), self._bound_bytes)

    def _end(self, name: str, lines: int) -> tuple[bytes, int, int]:
        """At least so many lines of the newest start, which start that is, and where they end."""
        path = self.path(name)
        with self._cutting:
            place = self._places.get(name, _Place())
            size = _size(path)
            data = read_end(path, size, lines)
            # The cut may have gone through a line, so as many breaks as lines are not yet enough.
            if place.cut_bytes and (breaks := data.count(b"\n")) <= lines:
                data = read_end(_earlier(path), _size(_earlier(path)), lines - breaks) + data
            return data, place.start, place.cut_bytes + size

    def _read(self, name: str, start: int, position: int) -> tuple[bytes, int]:
        """Bytes from there on, of that start, and where they end; what is kept no more is passed over."""
        newest = self.path(name)
        earlier = _earlier(newest)
        with self._cutting:
            place = self._places[name]
            file, begin = newest, place.cut_bytes
            if start == place.start and position < place.cut_bytes:
                file, begin = earlier, place.cut_bytes - _size(earlier)
            elif start != place.start:
                file, begin = earlier, place.cut_before
                if start != place.start - 1 or place.cut_bytes:
                    return b"", position
            position = max(position, begin)
            data = _read_at(file, position - begin)
        return data, position + len(data)


def plan_check(size: int, growth: int, seconds: float, bound_bytes: int) -> float:
    """When to look at a log again: at the latest half-way to its bound, as fast as it grows now. Pure."""
    if growth <= 0:
        return CHECK_MAX_SECONDS
    until_full = max(0, bound_bytes - size) / (growth / seconds)
    return min(CHECK_MAX_SECONDS, max(CHECK_MIN_SECONDS, until_full / 2))


def cut(path: Path, kept: Path, keep_bytes: int) -> int:
    """Copy the end of the file to `kept` and empty it; how many bytes it held.

    What is written between the last look and the cut, a few microseconds, is lost.
    """
    temporary = kept.with_suffix(".tmp")
    with path.open("r+b") as source:
        size = os.fstat(source.fileno()).st_size
        source.seek(max(0, size - keep_bytes))
        with temporary.open("wb") as target, contextlib.suppress(OSError):
            while block := source.read(READ_BYTES):
                target.write(block)
        held = source.tell()
        os.ftruncate(source.fileno(), 0)
    os.replace(temporary, kept)
    return held


def read_end(path: Path, position: int, lines: int) -> bytes:
    """At least `lines` lines before the position, where there are as many; empty where none can be read."""
    try:
        file = path.open("rb")
    except OSError:
        return b""
    blocks: list[bytes] = []
    breaks = 0
    with file:
        while position > 0 and breaks <= lines:
            step = min(BLOCK_BYTES, position)
            position -= step
            file.seek(position)
            blocks.append(file.read(step))
            breaks += blocks[-1].count(b"\n")
    return b"".join(reversed(blocks))


def _decoded(lines: list[bytes]) -> list[str]:
    return [line.decode(errors="replace").removesuffix("\r") for line in lines]


def _read_at(path: Path, offset: int) -> bytes:
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(offset)
        return file.read(READ_BYTES)
    return b""


def _size(path: Path) -> int:
    """0 where there is none, or none that may be looked at: `keep_small` says so."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _earlier(path: Path) -> Path:
    return path.with_suffix(".1.log")
