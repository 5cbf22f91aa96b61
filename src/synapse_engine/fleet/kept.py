"""The prompt caches of servers that stop by themselves, kept on the disk until they come up again.

llama-server writes and reads each slot's cache itself (`POST /slots/N?action=save` and `restore`). What it
has written counts only once a list says that all of it is there. Nothing here may keep a server from
stopping or coming up: what goes wrong is logged.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import msgspec

from synapse_engine.launch.base import Command

SAVE_SECONDS = 5.0
RESTORE_SECONDS = 30.0
MOST_BYTES = 16 << 30
# What is left free on the disk for everybody else.
SPARE_BYTES = 1 << 30

FAILURES = (aiohttp.ClientError, msgspec.MsgspecError, OSError, ValueError)

log = logging.getLogger(__name__)


class Action(NamedTuple):
    """One of llama-server's, and the field of its answer that holds the number of tokens."""

    name: str
    field: str


SAVE, RESTORE = Action("save", "n_saved"), Action("restore", "n_restored")


class Kept(msgspec.Struct, frozen=True):
    """What is there of one server: tokens by slot."""

    slots: dict[int, int]


def cache_name(server_id: str, digest: str) -> str:
    """What a server's files are named by, with these weights and settings."""
    return f"{_owner(server_id)}-{digest}"


class KeptCaches:
    """The caches in one folder, readable by its owner alone: they hold what was said."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession) -> None:
        self.folder = folder
        self._session = session

    def make_folder(self) -> None:
        """llama-server wants it to be there. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def save(self, url: str, command: Command) -> None:
        """Keep every slot's cache of a server that is about to stop, in place of what was kept of it."""
        name = command.cache_name
        if name is None:
            return
        try:
            self._discard(command.server_id)
            if not self._has_room(command.cache_bytes):
                log.warning("%s: no room on the disk to keep its prompt cache", command.server_id)
                return
            async with asyncio.timeout(SAVE_SECONDS):
                slots = {slot: await self._ask(url, command, slot, SAVE) for slot in range(command.slots)}
            if tokens := sum(slots.values()):
                self._list(name).write_bytes(msgspec.json.encode(Kept(slots)))
                log.info("%s: its prompt cache of %d tokens is kept", command.server_id, tokens)
        except FAILURES as error:
            log.warning("%s: its prompt cache could not be kept: %s", command.server_id, _words(error))

    async def restore(self, url: str, command: Command) -> None:
        """Give back what is kept of a server that is ready; it is on the disk no longer then."""
        name = command.cache_name
        try:
            if name is not None and self._list(name).exists():
                kept = msgspec.json.decode(self._list(name).read_bytes(), type=Kept)
                async with asyncio.timeout(RESTORE_SECONDS):
                    await self._give_back(url, command, kept)
        except FAILURES as error:
            log.warning("%s: its prompt cache could not be given back: %s", command.server_id, _words(error))
        finally:
            self._discard(command.server_id)

    async def _give_back(self, url: str, command: Command, kept: Kept) -> None:
        restored, wanted = 0, sum(kept.slots.values())
        for slot, tokens in kept.slots.items():
            if tokens:
                restored += await self._ask(url, command, slot, RESTORE)
        if restored == wanted:
            log.info("%s: its prompt cache of %d tokens is back", command.server_id, restored)
        else:
            text = "%s: the engine took %d of the %d tokens of its prompt cache back"
            log.warning(text, command.server_id, restored, wanted)

    async def _ask(self, url: str, command: Command, slot: int, what: Action) -> int:
        """How many tokens llama-server says it has saved or restored. Raises FAILURES."""
        async with self._session.post(
            f"{url}/slots/{slot}",
            params={"action": what.name},
            json={"filename": f"{command.cache_name}.{slot}"},
            headers={"Authorization": f"Bearer {command.api_key}"},
        ) as response:
            answer = msgspec.json.decode(await response.read())
        tokens = answer.get(what.field) if isinstance(answer, dict) else None
        if response.status != 200 or not isinstance(tokens, int):
            raise ValueError(f"the engine answered {response.status} {answer}")
        return tokens

    def _list(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _discard(self, server_id: str) -> None:
        """What was kept of it, with whichever weights and settings."""
        for path in self.folder.glob(f"{_owner(server_id)}-*"):
            _remove(path)

    def _has_room(self, size_bytes: int) -> bool:
        """Whether so much may be added, once the oldest have gone for it."""
        if shutil.disk_usage(self.folder).free < size_bytes + SPARE_BYTES:
            return False
        for path in plan_removals(_sized(self.folder.iterdir()), MOST_BYTES - size_bytes):
            _remove(path)
        return size_bytes <= MOST_BYTES


def plan_removals(files: Iterable[tuple[Path, float, int]], most_bytes: int) -> list[Path]:
    """Of files with their times of change and sizes, the oldest that have to go for the rest to fit. Pure."""
    removals, total = [], 0
    for path, _, size in sorted(files, key=lambda file: file[1], reverse=True):
        total += size
        if total > most_bytes:
            removals.append(path)
    return removals


def _owner(server_id: str) -> str:
    return hashlib.sha256(server_id.encode()).hexdigest()[:16]


def _sized(paths: Iterable[Path]) -> Iterator[tuple[Path, float, int]]:
    for path in paths:
        stat = path.stat()
        yield path, stat.st_mtime, stat.st_size


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s: %s", path, error.strerror or error)


def _words(error: Exception) -> str:
    return str(error) or f"no answer in time ({type(error).__name__})"
