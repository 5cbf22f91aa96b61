"""Tells files that are still being written from broken ones, scan by scan.

A download or a copy looks like a broken file until its last byte is there. So a file that makes no sense is
only called broken once it has been seen not to grow.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from synapse_engine.catalog.discovery import Scan, Stamp
from synapse_engine.catalog.model import Model
from synapse_engine.catalog.names import shard_file_name

# What was written this recently may be written on.
FRESH_SECONDS = 2.0
# How long a file that has never been seen to grow is given, and one that has.
LOOK_AGAIN_SECONDS = 0.5
PATIENCE_SECONDS = 10.0


class _Look(NamedTuple):
    """How a file was last seen, and since when it has been so (by the clock)."""

    stamp: Stamp
    since: float
    patience_seconds: float


class Settling:
    """Remembers how unreadable files looked before. For one scan at a time; may block for a few stats."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._looks: dict[str, _Look] = {}
        self._listed: frozenset[str] = frozenset()

    @property
    def is_unsure(self) -> bool:
        """Whether another look in LOOK_AGAIN_SECONDS would tell more."""
        return any(look.patience_seconds == LOOK_AGAIN_SECONDS for look in self._looks.values())

    def sift(self, found: Scan, *, hold_fresh: bool) -> Scan:
        """The scan without what is still being written.

        hold_fresh: also without new models that were written a moment ago, whole as they look: some programs
        set a file's size first and fill it then. For those who will look again by themselves.
        """
        looks = {path: look for path, stamp in found.broken.items() if (look := self._look(path, stamp))}
        self._looks = looks
        held = {model.path for model in found.models if hold_fresh and self._is_held(model)}
        growing = {_first_shard(path) for path in looks}
        models = tuple(m for m in found.models if m.path not in held and _first_shard(m.path) not in growing)
        self._listed = frozenset(model.path for model in models)
        skipped = tuple(skipped for skipped in found.skipped if skipped.path not in looks)
        return msgspec.structs.replace(found, models=models, skipped=skipped)

    def _look(self, path: str, stamp: Stamp) -> _Look | None:
        """How the file looks if it may still be growing, else None."""
        now = self._clock()
        before = self._looks.get(path)
        if before is None:
            patience = LOOK_AGAIN_SECONDS if self._is_fresh(stamp[1], FRESH_SECONDS) else 0.0
            look = _Look(stamp, now, patience)
        elif before.stamp != stamp:
            look = _Look(stamp, now, PATIENCE_SECONDS)
        else:
            look = before
        return look if now - look.since < look.patience_seconds else None

    def _is_held(self, model: Model) -> bool:
        if model.path in self._listed:
            return False
        try:
            changed_at = max(os.stat(path).st_mtime_ns for path in model.files)
        except OSError:
            return False
        return self._is_fresh(changed_at, LOOK_AGAIN_SECONDS)

    def _is_fresh(self, mtime_ns: int, seconds: float) -> bool:
        return abs(self._wall_clock() - mtime_ns / 1e9) < seconds


def _first_shard(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, shard_file_name(name, 1))
