"""Folders under the operating system's watch: says when something in them has changed and come to rest."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from synapse_engine.catalog.walk import EXTENSION, PARTIAL_ENDINGS

SETTLE_SECONDS = 0.5
# How long changes are gathered before they are told, and how often the watching thread looks up.
GATHER_MILLISECONDS = 400
STEP_MILLISECONDS = 100
LOOK_UP_MILLISECONDS = 1000

Watch = Callable[[Sequence[Path], threading.Event], Iterator[Iterable[str]]]
"""(folders, stop) -> the paths that changed, batch by batch; empty ones now and then, the first once watching
has begun. Ends when `stop` is set. Raises OSError or RuntimeError where watching is not possible."""


def watch_folders(folders: Sequence[Path], stop: threading.Event) -> Iterator[Iterable[str]]:
    """A `Watch`, with inotify and the like."""
    # Importing it takes longer than a start of ours may: only who watches pays for it.
    from watchfiles import Change, watch

    # It tells every change of every file.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)

    def matters(change: Change, path: str) -> bool:
        return may_matter(path, is_written=change is Change.modified)

    for changes in watch(
        *folders,
        watch_filter=matters,
        debounce=GATHER_MILLISECONDS,
        step=STEP_MILLISECONDS,
        rust_timeout=LOOK_UP_MILLISECONDS,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
        ignore_permission_denied=True,
    ):
        yield [path for _, path in changes]


def may_matter(path: str, *, is_written: bool) -> bool:
    """Whether a change can make, change or end a model. `is_written`: into a file that was there before."""
    if path.lower().endswith(EXTENSION):
        return True
    if path.endswith(PARTIAL_ENDINGS):
        return False
    # A folder or a link may come or go; of other files only those count that name models.
    return not is_written or "/refs/" in path or "/manifests/" in path


class Watcher:
    """Watches while it is entered. `failure` says, if so, why nothing more will be told."""

    def __init__(self, folders: Sequence[Path], watch: Watch = watch_folders) -> None:
        self.failure: str | None = None
        self._folders = folders
        self._watch = watch
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._stirred = asyncio.Event()
        self._has_begun = False
        self._has_news = False
        self._changed_at: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    async def news(self, timeout_seconds: float) -> bool:
        """Wait until something has changed and then been quiet, or watching has begun or failed; at most so
        long. Answers whether it has. What still changes keeps nothing else waiting.
        """
        deadline = self._loop.time() + timeout_seconds
        while not self._take_news():
            due = min(self._changed_at.values(), default=deadline) + SETTLE_SECONDS
            if self._loop.time() >= deadline:
                return False
            self._stirred.clear()
            try:
                async with asyncio.timeout_at(min(due, deadline)):
                    await self._stirred.wait()
            except TimeoutError:
                pass
        return True

    def _take_news(self) -> bool:
        quiet_since = self._loop.time() - SETTLE_SECONDS
        settled = [path for path, changed_at in self._changed_at.items() if changed_at <= quiet_since]
        for path in settled:
            del self._changed_at[path]
        has_news, self._has_news = self._has_news, False
        return has_news or bool(settled)

    def _run(self) -> None:
        try:
            for paths in self._watch(self._folders, self._stop):
                self._tell(self._on_changes, list(paths))
        except (OSError, RuntimeError) as error:
            self._tell(self._on_failure, str(error))

    def _tell(self, hear: Callable[..., None], what: object) -> None:
        if not self._stop.is_set():
            self._loop.call_soon_threadsafe(hear, what)

    def _on_changes(self, paths: Iterable[str]) -> None:
        now = self._loop.time()
        self._changed_at |= dict.fromkeys(paths, now)
        self._has_news |= not self._has_begun
        self._has_begun = True
        self._stirred.set()

    def _on_failure(self, reason: str) -> None:
        self.failure = reason
        self._has_news = True
        self._stirred.set()
