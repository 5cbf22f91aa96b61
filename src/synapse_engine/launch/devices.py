"""The memory there is: RAM, as the control group leaves it, and the GPUs that the engine sees."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import psutil

from synapse_engine.launch.base import RAM, Device
from synapse_engine.launch.engine import ask_engine

MIB = 1 << 20
LIST_SECONDS = 10.0
# How long an answer holds: one with GPUs says what is free of them. A driver may come later than we.
FRESH_SECONDS = 1.0
FRESH_SECONDS_WITHOUT = 60.0
CGROUP_ROOT = Path("/sys/fs/cgroup")
# What a version 1 group without a limit says: the largest number of pages.
NO_LIMIT_BYTES = 1 << 62

HEADLINE = "Available devices"
_DEVICE = re.compile(r"^\s+(\S+): (.+) \((\d+) MiB, (\d+) MiB free\)$", re.MULTILINE)
# GPUs whose memory is the machine's own, by how the engine names or describes them.
_SHARING_RAM = re.compile(
    r"^(MTL|Metal)\d*$|\bApple\b|Radeon(\(TM\))? (\d{3}M )?Graphics|\bU?HD Graphics|Iris|llvmpipe"
    r"|\bGB10\b|Tegra|Orin",
    re.IGNORECASE,
)


def parse_devices(text: str) -> list[Device]:
    """What `llama-server --list-devices` prints: `  CUDA0: NAME (24109 MiB, 23781 MiB free)`."""
    return [
        Device(
            name=name,
            kind="gpu",
            description=description,
            total_bytes=int(total) * MIB,
            free_bytes=int(free) * MIB,
            shares_ram=bool(_SHARING_RAM.search(name) or _SHARING_RAM.search(description)),
        )
        for name, description, total, free in _DEVICE.findall(text)
    ]


class EngineDevices:
    """Asks the engine for its GPUs: every second at most, and where it sees none, every minute."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], tuple[float, list[Device] | None]] = {}

    async def current(self, engine_path: str) -> list[Device] | None:
        """None where the engine does not answer: it may see some all the same, or not run at all."""
        try:
            stat = os.stat(engine_path)
        except OSError:
            return None
        key = (engine_path, stat.st_size, stat.st_mtime_ns)
        known = self._known.get(key)
        if known is None or time.monotonic() > known[0]:
            text = await ask_engine(engine_path, "--list-devices", LIST_SECONDS)
            devices = parse_devices(text) if HEADLINE in text else None
            seconds = FRESH_SECONDS if devices else FRESH_SECONDS_WITHOUT
            known = self._known[key] = (time.monotonic() + seconds, devices)
        return known[1]


def ram(root: Path = CGROUP_ROOT, membership: Path = Path("/proc/self/cgroup")) -> Device:
    """The machine's memory, or that of the control group that it may use."""
    machine = psutil.virtual_memory()
    total, free = machine.total, machine.available
    for limit, taken in _group_limits(root, membership):
        if limit < NO_LIMIT_BYTES:
            total, free = min(total, limit), min(free, max(0, limit - taken))
    return Device(name=RAM, kind="ram", total_bytes=total, free_bytes=free)


def _group_limits(root: Path, membership: Path) -> list[tuple[int, int]]:
    """Limit and taken bytes of the process's control group and of those above it, of either version."""
    try:
        lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        return []
    found = []
    for number, controllers, path in lines:
        if number == "0" and not controllers:
            base, limit_name, taken_name = root, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            base, limit_name, taken_name = root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group = base / path.lstrip("/")
        while group.is_relative_to(base):
            limit, taken = _count(group / limit_name), _count(group / taken_name)
            if limit is not None and taken is not None:
                found.append((limit, taken - _reclaimable(group / "memory.stat")))
            group = group.parent
    return found


def _count(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _reclaimable(path: Path) -> int:
    """File pages that the group gives back when it needs room."""
    try:
        words = dict(line.split(" ", 1) for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(words.get("total_inactive_file", words.get("inactive_file", 0)))
