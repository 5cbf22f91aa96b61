"""Keeps the registry in step with the disk: runs discovery in a thread, one scan at a time."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from synapse_engine.catalog.discovery import HeaderCache, Scan, scan
from synapse_engine.catalog.registry import Registry, ScanChanges
from synapse_engine.catalog.settling import LOOK_AGAIN_SECONDS, Settling
from synapse_engine.catalog.stores import default_roots, is_there
from synapse_engine.catalog.watching import Watch, Watcher, watch_folders
from synapse_engine.errors import CouldNotSave
from synapse_engine.settings import Settings

# Folders may appear, and networked ones change without a word: so roots are looked for, and all is scanned
# again, now and then. A scan is kept from taking more than a small share of a core, however large the disk.
FIND_ROOTS_SECONDS = 5.0
RESCAN_SECONDS = 60.0
IDLE_SCANS_SHARE = 0.0025
BUSY_SCANS_SHARE = 0.2
PROGRESS_SECONDS = 0.2
UNTOLD = (
    "the system did not tell of some that came or went. They are on a networked disk, behind a link, or in "
    "one of more folders than may be watched (on Linux, fs.inotify.max_user_watches)"
)

FindRoots = Callable[[], tuple[Path, ...]]

log = logging.getLogger(__name__)


def scan_roots(settings: Settings, added: Iterable[Path], environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Every folder that is searched: the person's, then the known caches, and where downloads come to."""
    known = default_roots(environ) if settings.scan_defaults else []
    own = [settings.own_models] if is_there(settings.own_models) else []
    return tuple(dict.fromkeys([*settings.scan_paths, *added, *known, *own]))


class Scanner:
    """The only one who scans. `find_roots` is asked anew each time, so that a cache made later is found.

    Attributes to read: roots, those of the last scan; is_scanning, because somebody asked; progress, of any
    scan that runs, 0 to 1; notices, what the person should know; `first_scan`, set once one has ended.

    on_change: told when a scan begins that somebody asked for, then that it has come further, and when any
    ends.
    """

    def __init__(
        self,
        registry: Registry,
        find_roots: FindRoots,
        on_change: Callable[[], None] = lambda: None,
        watch: Watch = watch_folders,
        rescan_seconds: float = RESCAN_SECONDS,
    ) -> None:
        self.roots = find_roots()
        self.is_scanning = False
        self.progress: float | None = None
        self.notices: list[str] = []
        self.first_scan = asyncio.Event()
        self._registry = registry
        self._find_roots = find_roots
        self._on_change = on_change
        self._watch = watch
        self._rescan_seconds = rescan_seconds
        self._find_roots_seconds = min(FIND_ROOTS_SECONDS, rescan_seconds)
        self._headers = HeaderCache()
        self._settling = Settling()
        self._lock = asyncio.Lock()
        self._seconds = 0.0

    async def model_at(self, path: Path) -> str | None:
        """Scan, for a file that has come; the id of the model whose first file it is."""
        try:
            await self.rescan()
        except CouldNotSave as error:
            log.error("%s", error)
        entries = self._registry.entries.values()
        return next((entry.model_id for entry in entries if entry.model.path == str(path)), None)

    async def rescan(self) -> ScanChanges:
        """Scan every root and record what was found. Raises CouldNotSave."""
        return await self._rescan(is_asked=True)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """While entered, and after the first scan: what changes on disk is found by itself."""
        task = asyncio.create_task(self._watch_for_ever(), name="watch")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _rescan(self, *, is_asked: bool) -> ScanChanges:
        async with self._lock:
            self.is_scanning = is_asked
            if is_asked:
                self._on_change()
            try:
                found = await self._look_aside(is_asked)
                if self._settling.is_unsure:
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
                    again = await self._look_aside(is_asked)
                    found = msgspec.structs.replace(again, seconds=found.seconds + again.seconds)
                self._seconds = found.seconds
                return await self._registry.record_scan(found)
            finally:
                self.is_scanning = False
                self.progress = None
                self.first_scan.set()
                self._on_change()

    async def _look_aside(self, is_asked: bool) -> Scan:
        """In a thread."""
        looking = asyncio.create_task(asyncio.to_thread(self._look, is_asked))
        try:
            while not (await asyncio.wait({looking}, timeout=PROGRESS_SECONDS))[0]:
                if is_asked:
                    self._on_change()
            return looking.result()
        finally:
            looking.cancel()

    def _look(self, is_asked: bool) -> Scan:
        self.roots = self._find_roots()
        found = scan(self.roots, self._headers, self._on_progress)
        return self._settling.sift(found, hold_fresh=not is_asked)

    def _on_progress(self, done: int, found: int) -> None:
        self.progress = done / found

    async def _watch_for_ever(self) -> None:
        await self.first_scan.wait()
        while True:
            try:
                if folders := await self._watchable():
                    await self._watch_these(folders)
                else:
                    await asyncio.sleep(self._find_roots_seconds)
            except Exception:
                log.exception("Watching for models broke off; it begins again")
                await asyncio.sleep(self._rescan_seconds)

    async def _watch_these(self, folders: list[Path]) -> None:
        """Until there are others, or for a while where watching them fails."""
        loop = asyncio.get_running_loop()
        rescan_at = loop.time() + self._rescan_seconds
        reason: str | None = None
        async with Watcher(folders, self._watch) as watcher:
            while await self._watchable() == folders:
                has_news = await watcher.news(self._find_roots_seconds)
                is_due = loop.time() >= rescan_at
                if has_news or is_due:
                    self._note(watcher.failure or reason)
                    has_changed = await self._rescan_unasked()
                    rescan_at = loop.time() + max(self._rescan_seconds, self._seconds / IDLE_SCANS_SHARE)
                    if has_changed and not has_news:
                        reason = UNTOLD
                if is_due and watcher.failure:
                    return
        await self._rescan_unasked()

    async def _rescan_unasked(self) -> bool:
        """Whether models have come or gone."""
        has_changed = False
        try:
            changes = await self._rescan(is_asked=False)
            if has_changed := bool(changes.added or changes.removed):
                log.info("Found %d new models; %d are gone", changes.added, changes.removed)
        except CouldNotSave as error:
            log.error("%s", error)
        await asyncio.sleep(self._seconds * (1 / BUSY_SCANS_SHARE - 1))
        return has_changed

    async def _watchable(self) -> list[Path]:
        return await asyncio.to_thread(
            lambda: [root for root in self._find_roots() if os.access(root, os.R_OK)]
        )

    def _note(self, reason: str | None) -> None:
        self.notices = [f"New models may be found only once a minute: {reason}"] if reason else []
