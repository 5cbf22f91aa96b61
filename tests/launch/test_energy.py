"""What the machine tells of its energy: from files and a program as Linux and NVIDIA have them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.fakes.rig import until

from synapse_engine.launch.energy import Energy, GpuPower, Rapl, metering

TOP = 1_000_000


def zone(root: Path, folder: str, name: str, microjoules: int) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{microjoules}\n")
    (path / "max_energy_range_uj").write_text(f"{TOP}\n")
    return path


def test_packages_and_memory_count_and_what_is_part_of_them_does_not(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 100)
    core = zone(tmp_path, "intel-rapl:0:0", "core", 100)
    memory = zone(tmp_path, "intel-rapl:0:1", "dram", 100)
    whole = zone(tmp_path, "intel-rapl:1", "psys", 100)
    rapl = Rapl(tmp_path)
    assert rapl.zones == [package, memory]
    assert rapl.joules() == 0
    for each in (package, core, memory, whole):
        (each / "energy_uj").write_text("500100")
    assert rapl.joules() == pytest.approx(1.0)


def test_a_counter_runs_over(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", TOP - 100)
    rapl = Rapl(tmp_path)
    (package / "energy_uj").write_text("400")
    assert rapl.joules() == pytest.approx(500e-6)
    (package / "energy_uj").write_text("500")
    assert rapl.joules() == pytest.approx(600e-6)


def test_what_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    assert Rapl(tmp_path / "none").joules() is None
    package = zone(tmp_path, "intel-rapl:0", "package-0", 100)
    (package / "energy_uj").unlink()
    assert Rapl(tmp_path).joules() is None
    assert Energy(Rapl(tmp_path), None).source is None


def test_a_counter_that_goes_away_adds_nothing(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 100)
    rapl = Rapl(tmp_path)
    (package / "energy_uj").write_text("2000100")
    assert rapl.joules() == pytest.approx(2.0)
    (package / "energy_uj").unlink()
    assert rapl.joules() == pytest.approx(2.0)


def test_power_is_summed_up_over_time() -> None:
    power = GpuPower()
    power.read("0, 100.0", 10.0)
    assert power.joules() is None
    power.read("1, 40.0", 10.0)
    power.read("0, 200.0", 11.0)
    power.read("1, [N/A]", 11.0)
    power.read("nonsense", 11.0)
    assert power.joules() == pytest.approx(150.0)
    # Nobody knows what it was in a long silence.
    power.read("0, 200.0", 100.0)
    assert power.joules() == pytest.approx(150.0 + 2 * 200.0)


async def test_it_is_listened_to_for_as_long_as_it_is_wanted(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nwhile :; do echo '0, 50.0'; sleep 0.01; done\n")
    program.chmod(0o755)
    package = zone(tmp_path / "powercap", "intel-rapl:0", "package-0", 0)
    async with metering(tmp_path / "powercap", str(program)) as energy:
        assert energy.source == "RAPL and nvidia-smi"
        (package / "energy_uj").write_text("3000000")
        await until(lambda: (energy.joules() or 0) > 3.0)
        joules = energy.joules()
        assert joules is not None and joules < 4.0


@pytest.mark.parametrize("script", [None, "#!/bin/sh\nexit 9\n"])
async def test_a_program_that_does_not_work_tells_nothing(tmp_path: Path, script: str | None) -> None:
    program = tmp_path / "nvidia-smi"
    if script:
        program.write_text(script)
        program.chmod(0o755)
    async with metering(tmp_path / "none", str(program)) as energy:
        await asyncio.sleep(0)
        assert energy.joules() is None


async def test_a_machine_that_tells_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with metering(tmp_path) as energy:
        assert (energy.source, energy.joules()) == (None, None)
