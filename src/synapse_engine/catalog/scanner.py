"""Keeps the registry in step with the disk: runs discovery in a thread, one scan at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from synapse_engine.catalog.discovery import HeaderCache, scan
from synapse_engine.catalog.registry import Registry, ScanChanges
from synapse_engine.catalog.stores import default_roots, is_there
from synapse_engine.settings import Settings


def scan_roots(settings: Settings, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Every folder that is searched: the person's, then the known caches and the data folder's own."""
    if not settings.scan_defaults:
        return settings.scan_paths
    own = [settings.own_models] if is_there(settings.own_models) else []
    return tuple(dict.fromkeys([*settings.scan_paths, *default_roots(environ), *own]))


class Scanner:
    """The only one who scans. Attributes to read: is_scanning, and `first_scan`, set once one has ended.

    on_change: told when a scan begins and ends.
    """

    def __init__(
        self, registry: Registry, roots: tuple[Path, ...], on_change: Callable[[], None] = lambda: None
    ) -> None:
        self.roots = roots
        self.is_scanning = False
        self.first_scan = asyncio.Event()
        self._registry = registry
        self._on_change = on_change
        self._headers = HeaderCache()
        self._lock = asyncio.Lock()

    async def rescan(self) -> ScanChanges:
        """Scan every root and record what was found. Raises CouldNotSave."""
        async with self._lock:
            self.is_scanning = True
            self._on_change()
            try:
                found = await asyncio.to_thread(scan, self.roots, self._headers)
                return await self._registry.record_scan(found)
            finally:
                self.is_scanning = False
                self.first_scan.set()
                self._on_change()
