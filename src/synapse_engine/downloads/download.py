"""One download: what it is of, how far it has come, and how fast."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from pathlib import Path

import msgspec

from synapse_engine.downloads.offers import HubFile
from synapse_engine.downloads.transfer import size_of

SPEED_SECONDS = 8.0


class Status(StrEnum):
    QUEUED = "queued"
    DOWNLOADING = "downloading"
    VERIFYING = "verifying"
    DONE = "done"
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNDER_WAY = frozenset({Status.QUEUED, Status.DOWNLOADING, Status.VERIFYING})


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What outlives the control plane. added_at, ended_at: unix seconds. model_id: once it is found."""

    id: str
    repo: str
    commit: str
    files: tuple[HubFile, ...]
    added_at: float
    quantization: str | None = None
    status: Status = Status.QUEUED
    ended_at: float | None = None
    error: str | None = None
    detail: str | None = None
    model_id: str | None = None


class Speed:
    """Bytes per second of late."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, int]] = deque()

    def note(self, now: float, done_bytes: int) -> None:
        """So many are there. Fewer than before is a new beginning."""
        if self._steps and done_bytes < self._steps[-1][1]:
            self._steps.clear()
        self._steps.append((now, done_bytes))
        while now - self._steps[0][0] > SPEED_SECONDS:
            self._steps.popleft()

    def per_second(self, now: float) -> float | None:
        """None where too little is known, or nothing has come for a while."""
        recent = [step for step in self._steps if now - step[0] <= SPEED_SECONDS]
        if len(recent) < 2:
            return None
        (began, before), (_, done_bytes) = recent[0], recent[-1]
        return (done_bytes - before) / (now - began)


class Download:
    """Attributes to read: record; folder, of its repository; done_bytes, fetched, or while verifying so far
    verified.

    counted_bytes: of the files that are through with that step. told_at: time.monotonic of the last news.
    """

    def __init__(self, record: Record, folder: Path) -> None:
        self.record = record
        self.folder = folder
        self.speed = Speed()
        self.told_at = 0.0
        self.counted_bytes = 0
        self.look()

    @property
    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.record.files)

    @property
    def is_under_way(self) -> bool:
        return self.record.status in UNDER_WAY

    @property
    def model_path(self) -> Path:
        """Of the model's first file, once it is done."""
        return self.place(self.record.files[0])

    def look(self) -> None:
        """See what is there of it."""
        self.done_bytes = sum(self.fetched_bytes(file) for file in self.record.files)

    def fetched_bytes(self, file: HubFile) -> int:
        if self.record.status is Status.DONE or self.has(file):
            return file.size_bytes
        return min(size_of(self.part(file)), file.size_bytes)

    def has(self, file: HubFile) -> bool:
        """Whether a file of its name and size is in its place."""
        return size_of(self.place(file)) == file.size_bytes

    def place(self, file: HubFile) -> Path:
        return self.folder / file.path

    def part(self, file: HubFile) -> Path:
        """Where its bytes gather; of this download alone, and of a name that is never taken for a model."""
        place = self.place(file)
        return place.with_name(f"{place.name}.{self.record.id}.part")

    def left_bytes(self) -> int:
        """What is still to come."""
        return self.total_bytes - sum(self.fetched_bytes(file) for file in self.record.files)
