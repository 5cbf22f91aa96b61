"""All downloads: a few at a time, kept over a restart, each a model only once it is whole and verified."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from synapse_engine.catalog.layouts import HUB_FOLDER
from synapse_engine.datafolder import replace_file
from synapse_engine.downloads.address import Address, is_repo, is_safe_path
from synapse_engine.downloads.download import Download, Record, Status
from synapse_engine.downloads.errors import DownloadNotFound, NotEnoughDisk
from synapse_engine.downloads.hub import Hub, Repository
from synapse_engine.downloads.offers import HubFile, Offer, choose_offer, plan_offers
from synapse_engine.downloads.transfer import PAUSES_SECONDS, SPARE_BYTES, Transfer, hash_of
from synapse_engine.errors import CouldNotSave, SynapseError

AT_A_TIME = 2
TELL_SECONDS = 0.5

FindModel = Callable[[Path], Awaitable[str | None]]

log = logging.getLogger(__name__)


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class Downloads:
    """Of the loop's thread alone.

    models: the folder that they come into. saved: where they are kept. on_change: told of each that is new,
    has changed, has come further (twice a second) or is gone. find_model: looks for models anew, and answers
    the id of the one whose first file it is given.
    """

    def __init__(
        self,
        hub: Hub,
        models: Path,
        saved: Path,
        on_change: Callable[[Download], None],
        find_model: FindModel,
        free_bytes: Callable[[Path], int] = free_bytes,
        pauses_seconds: Sequence[float] = PAUSES_SECONDS,
    ) -> None:
        self._hub = hub
        self._root = models / HUB_FOLDER
        self._saved = saved
        self._on_change = on_change
        self._find_model = find_model
        self._free_bytes = free_bytes
        self._pauses_seconds = pauses_seconds
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._all = {record.id: self._download(record) for record in _read(saved)}

    @property
    def all(self) -> list[Download]:
        """Oldest first."""
        return list(self._all.values())

    def get(self, download_id: str) -> Download:
        """Raises DownloadNotFound."""
        if download_id not in self._all:
            raise DownloadNotFound(download_id)
        return self._all[download_id]

    def begin(self) -> None:
        """Go on with those that an earlier run was at."""
        for download in self.all:
            if download.is_under_way:
                self._become(download, Status.QUEUED)
                self._start(download)

    async def close(self) -> None:
        """Break all off, to go on with in a later run."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def look(self, wanted: Address) -> tuple[Repository, list[Offer]]:
        """What a repository offers. Raises RepositoryNotFound, RepositoryRefused, HubFailed."""
        repository = await self._hub.repository(wanted.repo, wanted.revision)
        return repository, plan_offers(repository.files)

    def is_here(self, repo: str, offer: Offer) -> bool:
        """Whether it lies in the folder already, by names and sizes."""
        return all(_has_size(self._root / repo / shard.path, shard.size_bytes) for shard in offer.shards)

    def room_bytes(self) -> int:
        """What is free on the disk for one more, when all that is under way has come."""
        self._root.mkdir(parents=True, exist_ok=True)
        promised = sum(download.left_bytes() for download in self.all if download.is_under_way)
        return self._free_bytes(self._root) - promised - SPARE_BYTES

    async def add(self, wanted: Address) -> Download:
        """Begin one, or go on with it where it is known. Raises what `look` does, FileNotOffered,
        NotEnoughDisk and CouldNotSave.
        """
        repository, offers = await self.look(wanted)
        offer = choose_offer(offers, wanted)
        repo = repository.repo
        await self._hub.check_access(repo, repository.commit, offer.shards[0].path)
        # From here on nothing is waited for: two who ask for the same at once are given the same one.
        known = self.known(repo, offer)
        if known is not None:
            return known if known.is_under_way else self.resume(known.record.id)
        record = Record(
            id=secrets.token_hex(4),
            repo=repo,
            commit=repository.commit,
            files=offer.files,
            quantization=offer.quantization,
            added_at=time.time(),
        )
        download = self._download(record)
        self._check_room(download)
        self._all[record.id] = download
        try:
            self._save()
        except CouldNotSave:
            del self._all[record.id]
            raise
        self._start(download)
        return download

    def resume(self, download_id: str) -> Download:
        """Go on with one that was paused or has failed; one under way goes on as it is.

        Raises DownloadNotFound, NotEnoughDisk.
        """
        download = self.get(download_id)
        if not download.is_under_way:
            download.look()
            self._check_room(download)
            self._become(download, Status.QUEUED, ended_at=None, error=None, detail=None, model_id=None)
            self._start(download)
        return download

    async def pause(self, download_id: str) -> Download:
        """Break it off and keep what has come. One that has ended stays as it is. Raises DownloadNotFound."""
        download = self.get(download_id)
        await self._break_off(download)
        if download.is_under_way:
            self._become(download, Status.PAUSED)
        return download

    async def remove(self, download_id: str) -> Download:
        """Break it off, throw away what is not whole, and forget it. A model that is whole stays.

        Raises DownloadNotFound.
        """
        download = self.get(download_id)
        await self._break_off(download)
        # Somebody else may have been quicker.
        if self._all.pop(download_id, None) is not None:
            for file in download.record.files:
                _delete(download.part(file))
            self._become(download, Status.CANCELLED)
        return download

    def _download(self, record: Record) -> Download:
        return Download(record, self._root / record.repo)

    def known(self, repo: str, offer: Offer) -> Download | None:
        """The one of the same files, which has not ended, or whose files are not all there any more."""
        return next((d for d in self.all if (d.record.repo, d.record.files) == (repo, offer.files)), None)

    def _check_room(self, download: Download) -> None:
        try:
            room_bytes = self.room_bytes()
        except OSError as error:
            raise CouldNotSave(str(self._root), error.strerror or str(error)) from error
        if download.left_bytes() > room_bytes:
            raise NotEnoughDisk(str(self._root), download.left_bytes(), max(0, room_bytes))

    def _start(self, download: Download) -> None:
        name = f"download {download.record.repo}"
        task = self._tasks[download.record.id] = asyncio.create_task(self._run(download), name=name)
        task.add_done_callback(lambda _: self._tasks.pop(download.record.id, None))
        self._on_change(download)

    async def _break_off(self, download: Download) -> None:
        task = self._tasks.get(download.record.id)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self, download: Download) -> None:
        """From its turn to its end, whichever that is."""
        try:
            async with self._turns:
                await self._bring(download)
            model_id = await self._find_model(download.model_path)
            self._become(download, Status.DONE, ended_at=time.time(), model_id=model_id)
        except SynapseError as error:
            self._fail(download, error.error, error.detail)
        except OSError as error:
            failure = CouldNotSave(str(error.filename or download.folder), error.strerror or str(error))
            self._fail(download, failure.error, failure.detail)
        except Exception as error:
            log.exception("The download of %s broke", download.record.repo)
            self._fail(download, "Internal error", f"{type(error).__name__}: {error}")

    async def _bring(self, download: Download) -> None:
        """Fetch all, verify all, and only then put all into their places."""
        transfers = [self._transfer(download, file) for file in download.record.files]
        self._become(download, Status.DOWNLOADING)
        missing = [t for t in transfers if not await self._is_whole(download, t)]
        await _step(download, missing, Transfer.fetch)
        self._become(download, Status.VERIFYING)
        await _step(download, missing, Transfer.verify)
        # The first shard, by which the model is known, comes last.
        for transfer in reversed(missing):
            os.replace(transfer.part, download.place(transfer.file))

    async def _is_whole(self, download: Download, transfer: Transfer) -> bool:
        """Whether it is in its place from before, and what the hub has."""
        if not download.has(transfer.file):
            return False
        found = await hash_of(download.place(transfer.file), lambda _: None)
        return transfer.file.sha256 in (found, None)

    def _transfer(self, download: Download, file: HubFile) -> Transfer:
        def on_progress(position: int) -> None:
            now = time.monotonic()
            download.done_bytes = download.counted_bytes + position
            download.speed.note(now, download.done_bytes)
            if now - download.told_at >= TELL_SECONDS:
                download.told_at = now
                self._on_change(download)

        return Transfer(
            hub=self._hub,
            repo=download.record.repo,
            commit=download.record.commit,
            file=file,
            part=download.part(file),
            on_progress=on_progress,
            free_bytes=self._free_bytes,
            pauses_seconds=self._pauses_seconds,
        )

    def _fail(self, download: Download, error: str, detail: str) -> None:
        log.warning("%s: %s: %s", download.record.repo, error, detail)
        download.look()
        self._become(download, Status.FAILED, ended_at=time.time(), error=error, detail=detail)

    def _become(self, download: Download, status: Status, **facts: Any) -> None:
        """A full disk is only logged: it must not keep a download from ending."""
        download.record = msgspec.structs.replace(download.record, status=status, **facts)
        try:
            self._save()
        except CouldNotSave as error:
            log.warning("%s", error)
        self._on_change(download)

    def _save(self) -> None:
        replace_file(self._saved, msgspec.json.encode([download.record for download in self.all]))


async def _step(
    download: Download, transfers: Sequence[Transfer], work: Callable[[Transfer], Awaitable[None]]
) -> None:
    """Do it to each, one after the other, and count."""
    download.counted_bytes = download.total_bytes - sum(each.file.size_bytes for each in transfers)
    for transfer in transfers:
        await work(transfer)
        download.counted_bytes += transfer.file.size_bytes


def _read(saved: Path) -> list[Record]:
    """Those of an earlier run; a file that makes no sense is logged, and begun anew."""
    try:
        records = msgspec.json.decode(saved.read_bytes(), type=list[Record])
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        log.warning("%s makes no sense, so downloads begin anew: %s", saved, error)
        return []
    return [
        record
        for record in records
        if record.files and is_repo(record.repo) and all(is_safe_path(file.path) for file in record.files)
    ]


def _has_size(path: Path, size_bytes: int) -> bool:
    try:
        return path.stat().st_size == size_bytes
    except OSError:
        return False


def _delete(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be deleted: %s", part, error)
