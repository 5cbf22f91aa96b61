"""What this machine has used of energy, where it tells: Linux's powercap (RAPL) and nvidia-smi.

RAPL counts whole processor packages and, where it can, memory; since 2020 most systems let only root read it.
https://docs.kernel.org/power/powercap/powercap.html
nvidia-smi tells the power that a card draws, which is summed up over time.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
# Of intel-rapl:0:1 and the like only memory counts besides the package: the rest is part of it.
_PACKAGE = re.compile(r"^package-\d+$")
NVIDIA_QUERY = ("--query-gpu=index,power.draw", "--format=csv,noheader,nounits", "-lms", "200")
# What was not told for so long is not taken for granted.
GAP_SECONDS = 2.0


class Rapl:
    """Counters of packages and memory. zones: their folders, those that can be read."""

    def __init__(self, root: Path = POWERCAP) -> None:
        self.zones = [zone for zone in sorted(root.glob("*:*")) if _counts(zone)]
        self._last = {zone: _number(zone / "energy_uj") for zone in self.zones}
        self._joules = 0.0

    def joules(self) -> float | None:
        """Since it was made; None where there is no counter. A counter that ran over goes on at 0."""
        if not self.zones:
            return None
        for zone in self.zones:
            now, last = _number(zone / "energy_uj"), self._last[zone]
            if now is None or last is None:
                continue
            top = _number(zone / "max_energy_range_uj") or 0
            self._joules += (now - last if now >= last else now + top - last) / 1e6
            self._last[zone] = now
        return self._joules


class GpuPower:
    """Joules out of what nvidia-smi says of each card's power, line after line: `0, 61.52`."""

    def __init__(self) -> None:
        self._joules: float | None = None
        self._watts: dict[str, tuple[float, float]] = {}

    def joules(self) -> float | None:
        """None before a card has told its power twice."""
        return self._joules

    def read(self, line: str, now: float) -> None:
        """A line that came at that time, in seconds. `[N/A]` says nothing."""
        card, _, power = line.partition(",")
        try:
            watts = float(power)
        except ValueError:
            return
        if card in self._watts:
            before, since = self._watts[card]
            seconds = min(now - since, GAP_SECONDS)
            self._joules = (self._joules or 0.0) + (before + watts) / 2 * seconds
        self._watts[card] = watts, now


class Energy:
    """All that the machine tells, together. source: in words, None where nothing does."""

    def __init__(self, rapl: Rapl, gpus: GpuPower | None) -> None:
        self._rapl = rapl
        self._gpus = gpus

    @property
    def source(self) -> str | None:
        names = ["RAPL"] if self._rapl.zones else []
        return " and ".join([*names, "nvidia-smi"] if self._gpus else names) or None

    def joules(self) -> float | None:
        """So far, since an arbitrary moment."""
        known = [each.joules() for each in (self._rapl, self._gpus) if each is not None]
        told = [joules for joules in known if joules is not None]
        return sum(told) if told else None


@asynccontextmanager
async def metering(root: Path = POWERCAP, nvidia_smi: str | None = None) -> AsyncIterator[Energy]:
    """nvidia_smi: its path, by default the one on PATH; it runs for as long as this is entered."""
    rapl = Rapl(root)
    path = nvidia_smi or shutil.which("nvidia-smi")
    if path is None:
        yield Energy(rapl, None)
        return
    gpus = GpuPower()
    watching = asyncio.create_task(_watch(path, gpus), name="nvidia-smi")
    try:
        yield Energy(rapl, gpus)
    finally:
        watching.cancel()
        await asyncio.wait({watching})


async def _watch(path: str, gpus: GpuPower) -> None:
    """Where it cannot be run, or ends, no more is told."""
    with contextlib.suppress(OSError):
        child = await asyncio.create_subprocess_exec(
            path,
            *NVIDIA_QUERY,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            assert child.stdout is not None
            async for line in child.stdout:
                gpus.read(line.decode(errors="replace"), time.monotonic())
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def _counts(zone: Path) -> bool:
    name = _text(zone / "name")
    if name is None or _number(zone / "energy_uj") is None:
        return False
    return bool(_PACKAGE.match(name)) or name == "dram"


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text is not None and text.isdecimal() else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
