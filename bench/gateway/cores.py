"""Which cores run what, and what a process took of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Cores:
    """The contender under measurement has one to itself; load and upstreams share the others."""

    contender: frozenset[int]
    load: frozenset[int]

    @property
    def load_list(self) -> str:
        """As taskset takes it."""
        return ",".join(map(str, sorted(self.load)))


def split_cores() -> Cores:
    """Raises SystemExit on a single core, where nothing could be told apart."""
    *load, last = sorted(os.sched_getaffinity(0))
    if not load:
        raise SystemExit("one core is not enough: the contender needs one, the load another")
    return Cores(frozenset([last]), frozenset(load))


@contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    """What is spawned meanwhile runs there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pid: int, cores: frozenset[int]) -> None:
    """Every thread of a running process; those that it starts later follow."""
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, cores)


@dataclass
class Usage:
    """Seconds of processor time of one process, and how busy the cores were in the meantime, 0 to 1.

    others_share: of the contender's core, by anything but the contender.
    """

    cpu_seconds: float = 0.0
    load_share: float = 0.0
    others_share: float = 0.0


@contextmanager
def metered(pid: int | None, cores: Cores) -> Iterator[Usage]:
    """Filled in at the end; without a pid only the cores are looked at."""
    usage = Usage()
    before, began, spent = _busy(cores), time.perf_counter(), _cpu_seconds(pid)
    yield usage
    elapsed, after = time.perf_counter() - began, _busy(cores)
    usage.cpu_seconds = _cpu_seconds(pid) - spent
    usage.load_share = (after[0] - before[0]) / elapsed / len(cores.load)
    usage.others_share = max(0.0, (after[1] - before[1] - usage.cpu_seconds) / elapsed)


def peak_memory_mb(pid: int) -> float:
    """The most that the process ever had resident, 10^6 bytes."""
    with open(f"/proc/{pid}/status") as file:
        kib = next(line.split()[1] for line in file if line.startswith("VmHWM:"))
    return int(kib) * 1024 / 1e6


def _cpu_seconds(pid: int | None) -> float:
    return sum(psutil.Process(pid).cpu_times()[:2]) if pid is not None else 0.0


def _busy(cores: Cores) -> tuple[float, float]:
    """Seconds so far that the load's cores, and the contender's, were not idle."""
    times = psutil.cpu_times(percpu=True)

    def busy(core: int) -> float:
        return sum(times[core][:8]) - times[core].idle - times[core].iowait

    return sum(map(busy, cores.load)), sum(map(busy, cores.contender))
