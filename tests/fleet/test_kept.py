"""Prompt caches that are kept on the disk while a model is away."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.rig import Rig, open_rig, until
from tests.fakes.stage import Actor, Behaviour, Stage

from synapse_engine.fleet.kept import plan_removals
from synapse_engine.fleet.state import State

CACHED = Behaviour(cached_tokens=30)


@pytest.fixture
def rig_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


@pytest.fixture
async def keeping(rig: Rig) -> AsyncIterator[Rig]:
    """`alpha`, ready, with two slots whose caches are kept."""
    await rig.add("alpha", CACHED)
    await rig.choose("alpha", settings={"keep_prompt_cache": True, "parallel": 2})
    await rig.fleet.start("alpha", by_request=True)
    yield rig


def kept(rig: Rig) -> list[Path]:
    return sorted((rig.folder / "prompt_caches").iterdir())


async def asked_of(actor: Actor, count: int) -> list[str]:
    return [(await actor.saw("request"))["path"] for _ in range(count)]


async def test_it_is_kept_when_it_is_unloaded_and_given_back_before_it_is_ready(
    keeping: Rig, rig_log: pytest.LogCaptureFixture
) -> None:
    first = await keeping.enter("alpha")
    await keeping.fleet.unload("alpha")
    assert await asked_of(first, 2) == ["/slots/0?action=save", "/slots/1?action=save"]
    assert len(kept(keeping)) == 3
    assert oct(os.stat(keeping.folder / "prompt_caches").st_mode)[-3:] == "700"
    await keeping.fleet.start("alpha", by_request=True)
    second = await keeping.enter("alpha")
    assert await asked_of(second, 2) == ["/slots/0?action=restore", "/slots/1?action=restore"]
    assert kept(keeping) == []
    assert "its prompt cache of 60 tokens is kept" in rig_log.text
    assert "its prompt cache of 60 tokens is back" in rig_log.text


async def test_one_that_makes_room_keeps_it(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> None:
    async with open_rig(tmp_path, engine, stage, ports, memory_limit_bytes=800_000_000) as rig:
        await rig.add("alpha", CACHED, size_bytes=500_000_000)
        await rig.choose("alpha", settings={"keep_prompt_cache": True})
        await rig.fleet.start("alpha", by_request=True)
        await rig.add("beta", size_bytes=500_000_000)
        await rig.fleet.start("beta")
        assert rig.server("alpha").state is State.STOPPED
        assert kept(rig)


async def test_a_persons_stop_keeps_nothing(keeping: Rig) -> None:
    actor = await keeping.enter("alpha")
    await keeping.fleet.stop("alpha")
    assert kept(keeping) == []
    assert actor.count("request") == 0


async def test_without_the_setting_nothing_is_asked_for_or_left(keeping: Rig) -> None:
    await keeping.fleet.unload("alpha")
    assert kept(keeping)
    await keeping.choose("alpha", settings={})
    await keeping.fleet.start("alpha")
    assert kept(keeping) == []
    await keeping.enter("alpha")
    actor = await keeping.enter("alpha")
    assert "--slot-save-path" not in actor.argv
    await keeping.fleet.unload("alpha")
    assert actor.count("request") == 0


async def test_with_other_settings_it_is_of_no_use_and_goes(keeping: Rig) -> None:
    await keeping.fleet.unload("alpha")
    await keeping.choose("alpha", settings={"keep_prompt_cache": True, "parallel": 3})
    await keeping.fleet.start("alpha")
    await keeping.enter("alpha")
    assert (await keeping.enter("alpha")).count("request") == 0
    assert kept(keeping) == []


async def test_an_empty_one_is_not_kept(rig: Rig) -> None:
    await rig.add("alpha")
    await rig.choose("alpha", settings={"keep_prompt_cache": True, "parallel": 1})
    await rig.fleet.start("alpha")
    await rig.fleet.unload("alpha")
    assert not any(path.suffix == ".json" for path in kept(rig))


async def test_an_engine_that_ignores_it_is_told_of(keeping: Rig, rig_log: pytest.LogCaptureFixture) -> None:
    await keeping.fleet.unload("alpha")
    keeping.direct("alpha", Behaviour(ignores_restore=True))
    await keeping.fleet.start("alpha")
    assert keeping.server("alpha").state is State.READY
    assert "alpha: the engine took 0 of the 60 tokens of its prompt cache back" in rig_log.text


async def test_one_that_does_not_answer_is_stopped_all_the_same(
    keeping: Rig, rig_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synapse_engine.fleet.kept.SAVE_SECONDS", 0.1)
    await keeping.fleet.stop("alpha")
    keeping.direct("alpha", Behaviour(answers_when_told=True))
    await keeping.fleet.start("alpha")
    assert (await keeping.fleet.unload("alpha")).seconds < 5
    assert "its prompt cache could not be kept: no answer in time" in rig_log.text
    assert keeping.server("alpha").state is State.STOPPED


async def test_a_hurry_does_not_wait_for_it(keeping: Rig) -> None:
    await keeping.fleet.stop("alpha")
    keeping.direct("alpha", Behaviour(answers_when_told=True))
    await keeping.fleet.start("alpha")
    await keeping.enter("alpha")
    actor = await keeping.enter("alpha")
    unload = asyncio.create_task(keeping.fleet.unload("alpha"))
    await actor.saw("request")
    assert (await keeping.fleet.stop("alpha", now=True)).was_active
    await unload


async def test_one_that_dies_meanwhile_and_a_broken_list(
    keeping: Rig, rig_log: pytest.LogCaptureFixture
) -> None:
    await keeping.fleet.unload("alpha")
    (listed,) = [path for path in kept(keeping) if path.suffix == ".json"]
    listed.write_text("{")
    await keeping.fleet.start("alpha")
    assert "its prompt cache could not be given back" in rig_log.text
    assert kept(keeping) == []
    await keeping.enter("alpha")
    (await keeping.enter("alpha")).die(1)
    await until(lambda: keeping.server("alpha").state is State.FAILED)
    await keeping.fleet.unload("alpha")
    assert kept(keeping) == []


async def test_where_the_disk_is_full_nothing_is_kept(
    keeping: Rig, rig_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synapse_engine.fleet.kept.SPARE_BYTES", 1 << 60)
    await keeping.fleet.unload("alpha")
    assert kept(keeping) == []
    assert "no room on the disk" in rig_log.text


async def test_a_file_where_its_folder_should_be(rig: Rig, rig_log: pytest.LogCaptureFixture) -> None:
    (rig.folder / "prompt_caches").write_text("")
    await rig.add("alpha")
    await rig.choose("alpha", settings={"keep_prompt_cache": True})
    await rig.fleet.start("alpha")
    assert "alpha: its prompt cache cannot be kept" in rig_log.text
    await rig.fleet.unload("alpha")


def test_the_oldest_go_first() -> None:
    old, new, newest = (Path("a"), 1.0, 50), (Path("b"), 2.0, 30), (Path("c"), 3.0, 40)
    files = [new, old, newest]
    assert plan_removals(files, 120) == []
    assert plan_removals(files, 119) == [old[0]]
    assert plan_removals(files, 69) == [new[0], old[0]]
    assert plan_removals(files, 0) == [newest[0], new[0], old[0]]
