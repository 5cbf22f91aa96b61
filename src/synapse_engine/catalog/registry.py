"""The person's choices joined to the models on disk: one file, one writer.

Memory follows the disk: a change is seen only once it is safe in the file, so nothing that was answered can
be lost, and a failed save changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from synapse_engine.catalog.discovery import Scan
from synapse_engine.catalog.found import Skipped
from synapse_engine.catalog.joining import ScanChanges, plan_join
from synapse_engine.catalog.lookup import Lookup
from synapse_engine.catalog.registry_file import (
    Choices,
    Entry,
    RegistryRefused,
    SavedRegistry,
    read_registry,
    write_registry,
)

__all__ = ["Choices", "Entry", "Registry", "RegistryRefused", "ScanChanges"]

Result = TypeVar("Result")
Change = Callable[[Mapping[str, Entry]], Mapping[str, Choices]]
OnChange = Callable[[Iterable[str]], None]


class Registry:
    """Every model ever seen, with what was chosen for it. Reads are plain and at once.

    entries: by model id; read-only, and never changed in place: a later edit makes a new one. notices: what
    the person should know about how the file was read.
    """

    def __init__(self, path: Path, saved: SavedRegistry, notices: list[str], on_change: OnChange) -> None:
        self.notices = notices
        self._on_change = on_change
        self._path = path
        self._saved = saved
        self._lookup = Lookup(saved.entries)
        self.entries = self._lookup.entries
        self._writer = asyncio.Lock()

    @classmethod
    def open(cls, path: Path, on_change: OnChange = lambda model_ids: None) -> Registry:
        """Read the saved registry; blocks. Raises RegistryRefused.

        on_change: told which models have changed.
        """
        return cls(path, *read_registry(path), on_change)

    @property
    def last_scan(self) -> datetime | None:
        return self._saved.last_scan

    @property
    def scan_seconds(self) -> float | None:
        return self._saved.scan_seconds

    @property
    def scan_paths(self) -> tuple[str, ...]:
        return self._saved.scan_paths

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        return self._saved.skipped

    def get(self, model_id: str) -> Entry:
        """Raises ModelNotFound."""
        return self._lookup.get(model_id)

    def resolve(self, name: str) -> Entry:
        """Any name of a model -> its entry. Raises ModelNotFound, AmbiguousModelName."""
        return self._lookup.resolve(name)

    def resolve_all(self, name: str) -> list[Entry]:
        """The entries that any name of a model means: several where they share an alias. Raises the same."""
        return self._lookup.resolve_all(name)

    async def edit(self, change: Change) -> None:
        """Save new choices, by model id, that `change` derives from the entries of that moment.

        `change` runs under the writer's lock and may raise to refuse. Nothing new is nothing written.
        Raises ModelNotFound for an unknown id, and CouldNotSave; either way nothing has changed.
        """
        await _finish(self._edit(change))

    async def record_scan(self, scan: Scan) -> ScanChanges:
        """Join what a scan found: newcomers get their ids, the vanished are marked. Raises CouldNotSave."""
        return await _finish(self._record_scan(scan))

    async def _edit(self, change: Change) -> None:
        async with self._writer:
            edited: dict[str, Entry] = {}
            for model_id, choices in change(self.entries).items():
                entry = self.get(model_id)
                if entry.choices != choices:
                    edited[model_id] = msgspec.structs.replace(entry, choices=choices)
            if edited:
                entries = tuple(edited.get(entry.model_id, entry) for entry in self._saved.entries)
                await self._save(msgspec.structs.replace(self._saved, entries=entries))

    async def _record_scan(self, scan: Scan) -> ScanChanges:
        async with self._writer:
            entries, changes = await asyncio.to_thread(plan_join, self.entries, scan.models)
            saved = msgspec.structs.replace(
                self._saved,
                entries=tuple(entries),
                last_scan=datetime.now(UTC),
                scan_seconds=scan.seconds,
                scan_paths=scan.roots,
                skipped=scan.skipped,
            )
            if _differ(saved, self._saved):
                await self._save(saved)
            else:
                self._saved = saved
            return changes

    async def _save(self, saved: SavedRegistry) -> None:
        await asyncio.to_thread(write_registry, self._path, saved)
        before = self.entries
        self._saved, self._lookup = saved, await asyncio.to_thread(Lookup, saved.entries)
        self.entries = self._lookup.entries
        self._on_change([i for i, entry in self.entries.items() if entry != before.get(i)])


def _differ(one: SavedRegistry, other: SavedRegistry) -> bool:
    """In more than when the last scan was: a disk that rests need not be woken for that."""
    return (one.entries, one.scan_paths, one.skipped) != (other.entries, other.scan_paths, other.skipped)


async def _finish(work: Coroutine[Any, Any, Result]) -> Result:
    """Let a save run to its end when its caller is cancelled, so that memory and disk stay the same."""
    return await asyncio.shield(asyncio.ensure_future(work))
