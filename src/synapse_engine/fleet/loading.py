"""How far a load has come, and when it will be done.

A load has two parts. First the weights are read, or mapped out of the page cache: how much of that is done
can be seen from outside, so this load's own pace tells when all will be read, whatever the disk did before.
Then the engine lays out its memory and warms up: nothing of that is seen, and how long it takes can only be
known from earlier loads, of the same model or else of others on this machine. Other work makes a load longer,
never shorter, so of the latest ones the shorter half counts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import statistics
from bisect import bisect_left
from collections.abc import Callable, Sequence
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
# Part of a file may be in the page cache, and a disk may stall: the pace is that of the latest third.
PACE_FROM_SHARE = 2 / 3
KEPT_LOADS = 5

log = logging.getLogger(__name__)


class Pace(msgspec.Struct, frozen=True):
    """What the latest loads have taught, newest last.

    models: seconds from the last byte to ready, by model id.
    """

    read_bytes_per_second: tuple[float, ...] = ()
    finish_seconds_per_gib: tuple[float, ...] = ()
    models: dict[str, tuple[float, ...]] = {}

    def finish_seconds(self, model_id: str, weights_bytes: int) -> float | None:
        if model_id in self.models:
            return statistics.median_low(self.models[model_id])
        if not self.finish_seconds_per_gib:
            return None
        return statistics.median_low(self.finish_seconds_per_gib) * weights_bytes / GIB

    def read_seconds(self, weights_bytes: int) -> float | None:
        rates = self.read_bytes_per_second
        return weights_bytes / statistics.median_high(rates) if rates else None


@dataclass(frozen=True)
class Look:
    """seconds: since the spawn; read_bytes: until then."""

    seconds: float
    read_bytes: int


@dataclass(frozen=True)
class Progress:
    """share: from 0 to 1; eta_seconds: None where nothing is known to judge by."""

    share: float
    eta_seconds: float | None


def plan_progress(
    model_id: str, weights_bytes: int, looks: Sequence[Look], read_at_seconds: float | None, pace: Pace
) -> Progress:
    """Where a load stands. looks: one at least; read_at_seconds: when all was read, None before. Pure.

    Where its end can be judged, the share is that of the time: it moves evenly, and half is half the wait.
    """
    finish = pace.finish_seconds(model_id, weights_bytes)
    now = looks[-1]
    if read_at_seconds is not None:
        if finish is None:
            return Progress(READING_SHARE_UNLEARNED, None)
        eta = finish - (now.seconds - read_at_seconds)
        if eta <= 0:
            return Progress(MOST_BEFORE_READY, None)
    else:
        reading = reading_seconds_left(weights_bytes, looks, pace)
        if reading is None:
            return Progress(0.0, None)
        if finish is None:
            return Progress(READING_SHARE_UNLEARNED * min(1.0, now.read_bytes / weights_bytes), reading)
        eta = reading + finish
    return Progress(min(MOST_BEFORE_READY, now.seconds / (now.seconds + eta)), eta)


def reading_seconds_left(weights_bytes: int, looks: Sequence[Look], pace: Pace) -> float | None:
    """By the pace of late; before the first byte as earlier loads took; None while a disk stalls. Pure."""
    now = looks[-1]
    if not now.read_bytes:
        return pace.read_seconds(weights_bytes)
    since = looks[max(0, bisect_left(looks, now.seconds * PACE_FROM_SHARE, key=_seconds) - 1)]
    read_bytes = now.read_bytes - since.read_bytes
    if not read_bytes:
        return None
    return max(0, weights_bytes - now.read_bytes) * (now.seconds - since.seconds) / read_bytes


def learned(
    pace: Pace, model_id: str, weights_bytes: int, read_seconds: float, finish_seconds: float
) -> Pace:
    """What is known after one more load. Pure."""
    rate = weights_bytes / max(read_seconds, 0.001)
    per_gib = finish_seconds * GIB / max(1, weights_bytes)
    return Pace(
        _latest(pace.read_bytes_per_second, rate),
        _latest(pace.finish_seconds_per_gib, per_gib),
        pace.models | {model_id: _latest(pace.models.get(model_id, ()), finish_seconds)},
    )


class Paces:
    """The pace as it is kept in one small file; a file that makes no sense is begun anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self.pace = msgspec.json.decode(path.read_bytes(), type=Pace)
        except (msgspec.DecodeError, UnicodeDecodeError, OSError):
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
        self._looks = [Look(0.0, 0)] if self._saw_all else []

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
        command, looks = self._command, self._looks
        before = looks[-1].read_bytes if looks else 0
        looks.append(Look(self._seconds(), max(before, loaded_bytes)))
        if self._read_at is None and looks[-1].read_bytes >= ALL_READ * command.weights_bytes:
            self._read_at = looks[-1].seconds
        pace = self._paces.pace
        planned = plan_progress(command.model_id, command.weights_bytes, looks, self._read_at, pace)
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


def _latest(known: tuple[float, ...], new: float) -> tuple[float, ...]:
    return (*known, new)[-KEPT_LOADS:]


def _seconds(look: Look) -> float:
    return look.seconds
