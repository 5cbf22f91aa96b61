"""One file: fetched, on from where it broke off, and held against what was promised."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import aiohttp

from synapse_engine.downloads.errors import DownloadBroken, HubFailed, NotEnoughDisk
from synapse_engine.downloads.hub import Hub
from synapse_engine.downloads.offers import HubFile

BLOCK_BYTES = 4 << 20
BLOCK_SECONDS = 0.1
HASHED_BYTES = 16 << 20
# Left to everything else that writes on the disk.
SPARE_BYTES = 500_000_000
# Before it is tried again after a cut; the row begins anew with every byte that comes.
PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")

T = TypeVar("T")


@dataclass(frozen=True)
class Transfer:
    """Of one file of a repository at a commit.

    part: where its bytes gather. on_progress: told how many bytes are there, or verified, after each block.
    free_bytes: of the disk that a path is on.
    """

    hub: Hub
    repo: str
    commit: str
    file: HubFile
    part: Path
    on_progress: Callable[[int], None]
    free_bytes: Callable[[Path], int]
    pauses_seconds: Sequence[float] = PAUSES_SECONDS

    async def fetch(self) -> None:
        """Return once all bytes are there; cuts are survived.

        Raises HubFailed when nothing comes any more, DownloadBroken, NotEnoughDisk, and what Hub.open does.
        """
        self.part.parent.mkdir(parents=True, exist_ok=True)
        self.on_progress(size_of(self.part))
        failures = 0
        while (before := size_of(self.part)) < self.file.size_bytes:
            try:
                await self._fetch_rest(before)
                if size_of(self.part) <= before:
                    raise HubFailed(self.hub.endpoint, f"it sent nothing of {self.file.path}")
            except (HubFailed, aiohttp.ClientError, TimeoutError) as error:
                failures = 1 if size_of(self.part) > before else failures + 1
                if failures > len(self.pauses_seconds):
                    raise _given_up(self.hub, error) from error
                await asyncio.sleep(self.pauses_seconds[failures - 1])
        if before > self.file.size_bytes:
            raise self._broken(f"{before} bytes are there, and it has {self.file.size_bytes}")

    async def verify(self) -> None:
        """Hold what is there against the hash that the hub promised, and bring it to the disk.

        Raises DownloadBroken, and then it is gone.
        """
        found = await hash_of(self.part, self.on_progress)
        if self.file.sha256 is not None and found != self.file.sha256:
            raise self._broken(f"its SHA-256 is {found}, and should be {self.file.sha256}")

    async def _fetch_rest(self, first_byte: int) -> None:
        async with self.hub.open(self.repo, self.commit, self.file.path, first_byte) as response:
            offset = self._check_answer(response, first_byte)
            descriptor = os.open(self.part, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                if offset != first_byte:
                    os.ftruncate(descriptor, offset)
                while block := await _next_block(response.content):
                    self._check_room(offset + len(block))
                    await _in_thread(_write_at, descriptor, block, offset)
                    offset += len(block)
                    self.on_progress(offset)
            finally:
                os.close(descriptor)

    def _check_answer(self, response: aiohttp.ClientResponse, first_byte: int) -> int:
        """Where the answer's bytes begin. Raises DownloadBroken if they are another file's."""
        if response.status == 206:
            found = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != first_byte:
                raise self._broken("the hub sent another part of it than was asked for")
            total = None if found[2] == "*" else int(found[2])
        else:
            first_byte, total = 0, response.content_length
        if total is not None and total != self.file.size_bytes:
            raise self._broken(f"the hub promised {self.file.size_bytes} bytes, and has {total}")
        return first_byte

    def _check_room(self, end: int) -> None:
        if end > self.file.size_bytes:
            raise self._broken(f"more than the promised {self.file.size_bytes} bytes came")
        free_bytes = self.free_bytes(self.part.parent)
        if free_bytes < SPARE_BYTES:
            needed_bytes = self.file.size_bytes - end + SPARE_BYTES
            raise NotEnoughDisk(str(self.part.parent), needed_bytes, free_bytes)

    def _broken(self, reason: str) -> DownloadBroken:
        self.part.unlink(missing_ok=True)
        return DownloadBroken(self.file.path, reason)


def size_of(path: Path) -> int:
    """In bytes; 0 where there is none."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


async def hash_of(path: Path, on_progress: Callable[[int], None]) -> str:
    """SHA-256 of a file that is on the disk, and not only on its way there."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: ASYNC230 - opening is quick, and reading is done in threads
        await _in_thread(os.fsync, file.fileno())
        while block := await _in_thread(file.read, HASHED_BYTES):
            await _in_thread(digest.update, block)
            on_progress(file.tell())
    return digest.hexdigest()


def _write_at(descriptor: int, block: bytes, offset: int) -> None:
    view = memoryview(block)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


async def _next_block(content: aiohttp.StreamReader) -> bytes:
    """What comes in a moment, at most some megabytes; once that is out, what broke the connection."""
    pieces: list[bytes] = []
    size, due = 0, time.monotonic() + BLOCK_SECONDS
    while size < BLOCK_BYTES and (not pieces or time.monotonic() < due):
        try:
            piece = await content.readany()
        except (aiohttp.ClientError, TimeoutError):
            if pieces:
                break
            raise
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


async def _in_thread(work: Callable[..., T], *args: object) -> T:
    """Its result; if cancelled, only once the thread has let go of what it works on."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise


def _given_up(hub: Hub, error: Exception) -> HubFailed:
    if isinstance(error, HubFailed):
        return error
    return HubFailed(hub.endpoint, f"the connection broke again and again ({error or 'it fell silent'})")
