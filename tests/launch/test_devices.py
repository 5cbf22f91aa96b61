"""The memory there is: what the engine lists, and what control groups leave."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from synapse_engine.launch.base import Device
from synapse_engine.launch.devices import EngineDevices, parse_devices, ram
from synapse_engine.launch.local import LocalLauncher
from synapse_engine.launch.logs import Logs

MIB = 1 << 20
LISTED = """\
ggml_cuda_init: found 2 CUDA devices
Available devices:
  CUDA0: NVIDIA GeForce RTX 3090 (24109 MiB, 23781 MiB free)
  Vulkan0: Intel(R) UHD Graphics 770 (ADL-S GT1) (15906 MiB, 8000 MiB free)
  MTL0: Apple M2 (10922 MiB, 10922 MiB free)
"""


def test_what_the_engine_lists() -> None:
    devices = parse_devices(LISTED)
    assert [(d.name, d.description, d.total_bytes // MIB, d.free_bytes // MIB) for d in devices] == [
        ("CUDA0", "NVIDIA GeForce RTX 3090", 24_109, 23_781),
        ("Vulkan0", "Intel(R) UHD Graphics 770 (ADL-S GT1)", 15_906, 8_000),
        ("MTL0", "Apple M2", 10_922, 10_922),
    ]
    assert [device.shares_ram for device in devices] == [False, True, True]


def test_none() -> None:
    assert parse_devices("Available devices:\n  (none)\n") == []


def engine(tmp_path: Path, answer: str) -> str:
    """One that notes each time that it is asked."""
    path = tmp_path / "engine"
    path.write_text(f"#!/bin/sh\necho x >> {tmp_path}/asked; echo '{answer}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("answer", "seen"), [("Available devices:\n  (none)", []), ("error: invalid argument", None)]
)
async def test_an_engine_without_gpus_is_not_asked_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, seen: list[Device] | None
) -> None:
    devices, path = EngineDevices(), engine(tmp_path, answer)
    assert [await devices.current(path) for _ in range(3)] == [seen] * 3
    assert (tmp_path / "asked").read_text() == "x\n"
    monkeypatch.setattr("synapse_engine.launch.devices.FRESH_SECONDS_WITHOUT", -1.0)
    devices = EngineDevices()
    assert [await devices.current(path) for _ in range(2)] == [seen] * 2
    assert (tmp_path / "asked").read_text() == "x\n" * 3


@pytest.mark.parametrize("path", ["/nowhere", "/"])
async def test_an_engine_that_does_not_answer(tmp_path: Path, path: str) -> None:
    """It may see some: only one that says so is without."""
    assert await EngineDevices().current(path) is None
    launcher = LocalLauncher(Logs(tmp_path, 1 << 20))
    assert [device.kind for device in await launcher.devices(path)] == ["ram"]
    assert not await launcher.is_without_gpus(path)
    assert await launcher.is_without_gpus(engine(tmp_path, "Available devices:"))


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_the_machines_own(tmp_path: Path) -> None:
    device = ram(tmp_path, tmp_path / "none")
    assert device.total_bytes == psutil.virtual_memory().total
    assert 0 < device.free_bytes <= device.total_bytes


def test_a_control_group_above_limits_it(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("0::/system.slice/synapse.service\n")
    group(tmp_path / "system.slice/synapse.service", memory__max="max", memory__current=5)
    group(
        tmp_path / "system.slice",
        memory__max=100 * MIB,
        memory__current=60 * MIB,
        memory__stat=f"anon 1\ninactive_file {20 * MIB}",
    )
    device = ram(tmp_path, membership)
    assert (device.total_bytes, device.free_bytes) == (100 * MIB, 60 * MIB)


def test_one_of_version_1(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("5:cpu,cpuacct:/\n4:memory:/docker/abc\n")
    group(
        tmp_path / "memory/docker/abc",
        memory__limit_in_bytes=100 * MIB,
        memory__usage_in_bytes=90 * MIB,
        memory__stat=f"total_inactive_file {MIB}",
    )
    device = ram(tmp_path, membership)
    assert (device.total_bytes, device.free_bytes) == (100 * MIB, 11 * MIB)


def test_a_group_without_a_limit(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("4:memory:/\n")
    group(tmp_path / "memory", memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=1)
    assert ram(tmp_path, membership).total_bytes == psutil.virtual_memory().total
