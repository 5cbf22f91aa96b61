"""Which llama-server is run, and what happens to one that does not answer."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.fakes.rig import is_alive, until

from synapse_engine.errors import EngineNotFound, InvalidChoice
from synapse_engine.launch.engine import Engines, find_engine


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_configured_one_comes_first(engine: Path, tmp_path: Path) -> None:
    other = script(tmp_path / "other", "#!/bin/sh\n")
    assert find_engine(other, str(engine.parent)) == str(other)


def test_then_the_one_on_the_path(engine: Path) -> None:
    assert find_engine(None, str(engine.parent)) == str(engine)


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_configured_one_that_cannot_be_run_is_not_replaced(
    engine: Path, tmp_path: Path, mode: int | None
) -> None:
    configured = tmp_path / "mine"
    if mode is not None:
        script(configured, "#!/bin/sh\n", mode)
    with pytest.raises(EngineNotFound) as raised:
        find_engine(configured, str(engine.parent))
    assert raised.value.error == "llama-server not found"
    assert str(configured) in raised.value.detail
    assert "pip install 'synapse-engine[engine]'" in raised.value.detail


def test_a_configured_folder_is_no_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineNotFound):
        find_engine(tmp_path, None)


async def test_it_says_its_version_and_options(engine: Path) -> None:
    engines = Engines(engine)
    assert engines.known is None
    found = await engines.current()
    assert (found.path, found.version, found.problem) == (
        str(engine),
        "0.0.9-fake (build 9, commit 1234567)",
        None,
    )
    assert found.flag("ctx_size") is not None
    assert engines.known is found


async def test_it_is_asked_once_for_each_state_of_its_file(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    binary = script(
        tmp_path / "llama-server", f'#!/bin/sh\necho "$1" >> {asked}\necho "--model FILE   which"\n'
    )
    engines = Engines(binary)
    first, second = await asyncio.gather(engines.current(), engines.current())
    assert first is second is await engines.current()
    assert sorted(asked.read_text().split()) == ["--help", "--version"]
    os.utime(binary, ns=(1, 1))
    assert await engines.current() is not first
    assert len(asked.read_text().split()) == 4


async def test_one_that_goes_is_known_no_more(engine: Path) -> None:
    engines = Engines(engine)
    await engines.current()
    engine.unlink()
    with pytest.raises(EngineNotFound):
        await engines.current()
    assert engines.known is None


async def test_what_is_no_program_has_a_problem(tmp_path: Path) -> None:
    binary = script(tmp_path / "llama-server", "\x7fELF and nothing more")
    found = await Engines(binary).current()
    assert found.problem == f"{binary} cannot be run: Exec format error"


async def test_what_is_another_program_has_a_problem(tmp_path: Path) -> None:
    binary = script(tmp_path / "llama-server", "#!/bin/sh\necho hello\nexit 3\n")
    engines = Engines(binary)
    found = await engines.current()
    assert found.problem == f"{binary} --help lists no options (exit code 3); is it a llama-server?"
    assert engines.known is None


async def test_it_stays_known_while_another_is_asked(tmp_path: Path, engine: Path) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    slow = script(tmp_path / "slow", HANGS.format(pids=pids))
    engines = Engines(engine, named={"slow": slow})
    found = await engines.current()
    asking = asyncio.create_task(engines.current("slow"))
    await asyncio.to_thread(read_numbers, pids, 4)
    again = asyncio.create_task(engines.current())
    await asyncio.sleep(0)
    assert not again.done()
    assert engines.known is found
    asking.cancel()
    assert await again is found


HANGS = "#!/bin/sh\nsleep 600 &\necho $! >> {pids}\necho $$ >> {pids}\nwait\n"


async def test_one_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    binary = script(tmp_path / "llama-server", HANGS.format(pids=pids))
    found = await Engines(binary, probe_seconds=0.3).current()
    assert found.problem == f"{binary} did not answer --help within 0.3 s"
    await until_gone(map(int, pids.read_text().split()))


async def test_nothing_is_left_when_the_asker_goes(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    binary = script(tmp_path / "llama-server", HANGS.format(pids=pids))
    asking = asyncio.create_task(Engines(binary).current())
    begun = await asyncio.to_thread(read_numbers, pids, 4)
    asking.cancel()
    await asyncio.wait({asking})
    assert asking.cancelled()
    await until_gone(begun)


async def until_gone(pids: Iterable[int]) -> None:
    watched = list(pids)
    await until(lambda: not any(map(is_alive, watched)))


def read_numbers(path: Path, count: int) -> list[int]:
    # Open for writing too, or one writer's end would be the file's.
    with os.fdopen(os.open(path, os.O_RDWR)) as file:
        return [int(file.readline()) for _ in range(count)]


def test_the_fake_engine_answers_like_the_real_one(engine: Path) -> None:
    said = subprocess.run([engine, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("version: ")


async def test_a_model_may_choose_a_named_one(tmp_path: Path, engine: Path) -> None:
    other = script(tmp_path / "other", '#!/bin/sh\necho "--only-here N   what"\n')
    engines = Engines(engine, named={"other": other, "gone": tmp_path / "gone"})
    found = await engines.current("other")
    assert found.path == str(other)
    assert found.flag("only_here") is not None
    assert (await engines.current()).path == str(engine)
    with pytest.raises(EngineNotFound, match="the engine gone"):
        await engines.current("gone")
    with pytest.raises(InvalidChoice, match="other, gone"):
        await engines.current("nowhere")
