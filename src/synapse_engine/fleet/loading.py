"""How far a load has come, and when it will be done.

A load has two parts. First the weights are read, or mapped out of the page cache: how much of that is done
can be seen from outside. Then the engine lays out its memory and warms up: how long that takes can only be
known from earlier loads, of the same model or else of others on this machine.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from synapse_engine.launch.base import Command, Process

SAMPLE_SECONDS = 0.15
GIB = 1 << 30
# Headers and padding are not always read.
ALL_READ = 0.98
MOST_BEFORE_READY = 0.99
READING_SHARE_UNLEARNED = 0.9
WEIGHT_OF_THE_NEWEST = 0.5

log = logging.getLogger(__name__)


class Pace(msgspec.Struct, frozen=True):
    """What earlier loads have taught. models: seconds from the last byte to ready, by model id."""

    read_bytes_per_second: float | None = None
    finish_seconds_per_gib: float | None = None
    models: dict[str, float] = {}

    def finish_seconds(self, model_id: str, weights_bytes: int) -> float | None:
        if model_id in self.models:
            return self.models[model_id]
        per_gib = self.finish_seconds_per_gib
        return None if per_gib is None else per_gib * weights_bytes / GIB


@dataclass(frozen=True)
class Seen:
    """A load at one moment. read_at_seconds: when all was read, None before; seconds since the spawn."""

    seconds: float
    read_bytes: int
    read_at_seconds: float | None


@dataclass(frozen=True)
class Progress:
    """share: from 0 to 1; eta_seconds: None where nothing is known to judge by."""

    share: float
    eta_seconds: float | None


def plan_progress(model_id: str, weights_bytes: int, seen: Seen, pace: Pace) -> Progress:
    """Where a load stands. Pure.

    Where its end can be judged, the share is that of the time: it moves evenly, and half is half the wait.
    """
    finish = pace.finish_seconds(model_id, weights_bytes)
    read_share = min(1.0, seen.read_bytes / max(1, weights_bytes))
    if seen.read_at_seconds is not None:
        if finish is None:
            return Progress(READING_SHARE_UNLEARNED, None)
        eta = max(0.0, finish - (seen.seconds - seen.read_at_seconds))
    else:
        rate = seen.read_bytes / seen.seconds if seen.read_bytes else pace.read_bytes_per_second
        if not rate or not seen.seconds:
            return Progress(0.0, None)
        eta = weights_bytes * (1 - read_share) / rate + (finish or 0.0)
        if finish is None:
            return Progress(READING_SHARE_UNLEARNED * read_share, eta)
    return Progress(min(MOST_BEFORE_READY, seen.seconds / (seen.seconds + eta)), eta)


def learned(
    pace: Pace, model_id: str, weights_bytes: int, read_seconds: float, finish_seconds: float
) -> Pace:
    """What is known after one more load. Pure."""
    rate = weights_bytes / max(read_seconds, 0.001)
    per_gib = finish_seconds * GIB / max(1, weights_bytes)
    return Pace(
        _blended(pace.read_bytes_per_second, rate),
        _blended(pace.finish_seconds_per_gib, per_gib),
        pace.models | {model_id: _blended(pace.models.get(model_id), finish_seconds)},
    )


class Paces:
    """The pace as it is kept in one small file; a file that makes no sense is begun anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self.pace = msgspec.json.decode(path.read_bytes(), type=Pace)
        except (OSError, msgspec.DecodeError):
            self.pace = Pace()

    def learn(self, model_id: str, weights_bytes: int, read_seconds: float, finish_seconds: float) -> None:
        self.pace = learned(self.pace, model_id, weights_bytes, read_seconds, finish_seconds)
        temporary = self._path.with_suffix(".tmp")
        try:
            temporary.write_bytes(msgspec.json.encode(self.pace))
            os.replace(temporary, self._path)
        except OSError as error:
            log.warning("%s: %s", self._path, error.strerror or error)


class Load:
    """One load under way. Attribute to read: progress, whose share never falls."""

    def __init__(self, command: Command, paces: Paces, *, begun_seconds_ago: float = 0.0) -> None:
        self.progress = Progress(0.0, None)
        self._command = command
        self._paces = paces
        self._began = asyncio.get_running_loop().time() - begun_seconds_ago
        self._saw_all = begun_seconds_ago == 0.0
        self._read_at: float | None = None
        self._read_bytes = 0

    async def watch(self, process: Process, on_progress: Callable[[], None]) -> None:
        """Look every now and then, until it is cancelled; tells of what a person would see change."""
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            loaded = process.loaded_bytes()
            before = self._shown()
            if loaded is not None:
                self.observe(loaded)
            if self._shown() != before:
                on_progress()

    def observe(self, loaded_bytes: int) -> None:
        seconds, weights = self._seconds(), self._command.weights_bytes
        self._read_bytes = max(self._read_bytes, loaded_bytes)
        if self._read_at is None and self._read_bytes >= ALL_READ * weights:
            self._read_at = seconds
        seen = Seen(seconds, self._read_bytes, self._read_at)
        planned = plan_progress(self._command.model_id, weights, seen, self._paces.pace)
        self.progress = Progress(max(planned.share, self.progress.share), planned.eta_seconds)

    def finish(self) -> None:
        """It is ready: remember how long it took, where all of it was seen."""
        if self._saw_all and self._read_at is not None:
            finish_seconds = self._seconds() - self._read_at
            self._paces.learn(
                self._command.model_id, self._command.weights_bytes, self._read_at, finish_seconds
            )

    def _seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    def _shown(self) -> tuple[float, int | None]:
        eta = self.progress.eta_seconds
        return round(self.progress.share, 2), None if eta is None else round(eta)


def _blended(known: float | None, new: float) -> float:
    return new if known is None else known + WEIGHT_OF_THE_NEWEST * (new - known)
