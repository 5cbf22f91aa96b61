"""What an earlier run left is taken over, or cleaned up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from tests.fakes.rig import LIMITS, Rig, is_alive, open_rig, until
from tests.fakes.stage import Actor, Behaviour, Stage

from synapse_engine.errors import Booting, StillLooking
from synapse_engine.fleet.journal import Journal, Record
from synapse_engine.fleet.state import State
from synapse_engine.launch.base import Command
from synapse_engine.launch.local import LocalLauncher


class Lives:
    """One run of the control plane after the other, over the same folder, engine and stage."""

    def __init__(self, folder: Path, engine: Path, stage: Stage, ports: range) -> None:
        self.folder = folder
        self._engine = engine
        self._stage = stage
        self._ports = ports

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Rig]:
        limits = replace(LIMITS, startup_seconds=2.0)
        async with open_rig(self.folder, self._engine, self._stage, self._ports, limits=limits) as rig:
            yield rig

    def records(self) -> list[Record]:
        return Journal(self.folder / "journal").read()

    def rewrite(self, record: Record) -> None:
        path = self.folder / "journal" / f"{record.command.model_id}.json"
        path.write_bytes(msgspec.json.encode(record))


@pytest.fixture
def lives(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> Lives:
    return Lives(tmp_path, engine, stage, ports)


async def left_running(rig: Rig, model_id: str = "alpha") -> Actor:
    """A ready server of a run that goes away."""
    await rig.add(model_id)
    await rig.fleet.start(model_id)
    actor = await rig.enter(model_id)
    await rig.fleet.let_go(0.0)
    return actor


async def test_a_ready_one_goes_on_with_its_pid_port_and_uptime(lives: Lives) -> None:
    async with lives.run() as first:
        actor = await left_running(first)
        (record,) = lives.records()
        async with lives.run() as second:
            await second.fleet.adopt()
            server = second.server("alpha")
            assert server.state is State.READY
            assert server.process is not None and server.command is not None
            assert (server.process.pid, server.command.port) == (actor.pid, actor.port)
            assert server.started_at is not None
            assert server.started_at.timestamp() == pytest.approx(record.began_at)
            with second.fleet.lease("alpha") as lease:
                assert lease.api_key == record.command.api_key
            assert (await second.fleet.stop("alpha")).was_active
    assert lives.records() == []


async def test_one_whose_pid_was_not_written_down_is_found_by_its_key(lives: Lives) -> None:
    async with lives.run() as first:
        actor = await left_running(first)
        (record,) = lives.records()
        lives.rewrite(msgspec.structs.replace(record, process=None, was_ready=False))
        async with lives.run() as second:
            await second.fleet.adopt()
            await until(lambda: second.server("alpha").state is State.READY)
            process = second.server("alpha").process
            assert process is not None and process.pid == actor.pid


async def test_one_that_was_loading_goes_on_loading(lives: Lives) -> None:
    async with lives.run() as first:
        await first.add("alpha", Behaviour(loads_when_told=True))
        starting = asyncio.ensure_future(first.fleet.start("alpha"))
        actor = await first.enter("alpha")
        await actor.saw("listening")
        await first.fleet.let_go(0.0)
        with pytest.raises(Exception, match="Start cancelled"):
            await starting
        async with lives.run() as second:
            await second.fleet.adopt()
            assert second.server("alpha").state is State.STARTING
            actor.tell("ready")
            await until(lambda: second.server("alpha").state is State.READY)


async def test_one_that_was_loading_onto_a_gpu_still_fits_itself_alone(lives: Lives) -> None:
    async with lives.run() as first:
        await first.add("alpha", Behaviour(loads_when_told=True))
        starting = asyncio.ensure_future(first.fleet.start("alpha"))
        actor = await first.enter("alpha")
        await first.fleet.let_go(0.0)
        await asyncio.wait({starting})
        starting.exception()
        (record,) = lives.records()
        command = replace(record.command, need={"RAM": 1000, "CUDA0": 1000})
        lives.rewrite(msgspec.structs.replace(record, command=command))
        async with lives.run() as second:
            await second.fleet.adopt()
            await second.add("beta")
            beginning = asyncio.create_task(second.fleet.start("beta"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await second.enter("beta")
            actor.tell("ready")
            await beginning


async def test_one_that_was_being_stopped_is_stopped(lives: Lives) -> None:
    async with lives.run() as first:
        actor = await left_running(first)
        (record,) = lives.records()
        lives.rewrite(msgspec.structs.replace(record, is_stopping=True))
        async with lives.run() as second:
            await second.fleet.adopt()
            await actor.saw("sigterm")
            await until(lambda: second.server("alpha").state is State.STOPPED)
    assert lives.records() == []


async def test_one_that_ended_meanwhile_has_failed_and_says_so(lives: Lives) -> None:
    async with lives.run() as first:
        actor = await left_running(first)
        os.kill(actor.pid, signal.SIGKILL)
        await actor.saw("gone")
        async with lives.run() as second:
            await second.fleet.adopt()
            server = second.server("alpha")
            assert server.state is State.FAILED
            assert server.failure is not None
            assert "while the control plane was not running" in server.failure.detail
    assert lives.records() == []


@pytest.mark.parametrize("lie", ["start_mark", "boot_id", "key"])
async def test_a_pid_that_is_another_process_now_is_left_alone(lives: Lives, lie: str) -> None:
    async with lives.run() as first:
        actor = await left_running(first)
        (record,) = lives.records()
        assert record.process is not None
        command: Command = record.command
        if lie == "key":
            command = replace(command, api_key="another")
        lives.rewrite(
            msgspec.structs.replace(
                record, command=command, process=record.process | ({} if lie == "key" else {lie: "other"})
            )
        )
        async with lives.run() as second:
            await second.fleet.adopt()
            assert second.server("alpha").state is State.FAILED
            os.kill(actor.pid, 0)
            os.kill(actor.pid, signal.SIGKILL)
            await until(lambda: not psutil.pid_exists(actor.pid))


async def test_one_that_does_not_answer_any_more_is_ended(
    lives: Lives, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synapse_engine.fleet.server.ADOPTION_SECONDS", 0.3)
    async with lives.run() as first:
        actor = await left_running(first)
        os.kill(actor.pid, signal.SIGSTOP)
        async with lives.run() as second:
            await second.fleet.adopt()
            assert second.server("alpha").state is State.FAILED
            await actor.saw("gone")


class Hesitation:
    """A launcher that cannot tell yet. Told how by `says`: None for nothing at all, or what it raises."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.says: Exception | None = None
        self.looks = 0
        self.ends = asyncio.Event()
        adopt = LocalLauncher.adopt

        async def hesitate(launcher: LocalLauncher, *what: Any) -> Any:
            self.looks += 1
            if self.says is not None and not self.ends.is_set():
                raise self.says
            await self.ends.wait()
            return await adopt(launcher, *what)

        monkeypatch.setattr(LocalLauncher, "adopt", hesitate)
        monkeypatch.setattr("synapse_engine.fleet.adoption.ADOPTION_SECONDS", 0.05)
        monkeypatch.setattr("synapse_engine.fleet.adoption.LOOK_AGAIN_SECONDS", 0.01)


@pytest.fixture
def hesitation(monkeypatch: pytest.MonkeyPatch) -> Hesitation:
    return Hesitation(monkeypatch)


@pytest.mark.parametrize("says", [None, OSError(24, "Too many open files")])
async def test_one_that_could_not_be_looked_for_is_found_later(
    lives: Lives, hesitation: Hesitation, says: Exception | None
) -> None:
    async with lives.run() as first:
        actor = await left_running(first)
        async with lives.run() as second:
            hesitation.says = says
            await second.fleet.adopt()
            for refused in (second.fleet.start("alpha"), second.fleet.stop("alpha")):
                with pytest.raises(StillLooking):
                    await refused
            (outcome,) = await second.fleet.stop_all()
            assert isinstance(outcome.result, StillLooking)
            assert (second.spawns("alpha"), len(lives.records())) == (1, 1)
            await until(lambda: hesitation.looks > 1)
            hesitation.ends.set()
            await until(lambda: "alpha" in second.fleet.servers)
            started = await second.fleet.start("alpha")
            process = second.server("alpha").process
            assert process is not None and (process.pid, started.port) == (actor.pid, actor.port)
            assert (await second.fleet.stop("alpha")).was_active


@pytest.mark.parametrize("ending", ["close", "let go"])
async def test_one_that_was_never_found_stays_in_the_journal(
    lives: Lives, hesitation: Hesitation, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    async with lives.run() as first:
        actor = await left_running(first)
        async with lives.run() as second:
            await second.fleet.adopt()
            monkeypatch.setattr("synapse_engine.fleet.adoption.ADOPTION_SECONDS", 10)
            waiting = asyncio.create_task(second.fleet.start("alpha"))
            await asyncio.sleep(0)
            await (second.fleet.close() if ending == "close" else second.fleet.let_go(0.0))
            with pytest.raises(Booting):
                await waiting
            assert is_alive(actor.pid)
            hesitation.ends.set()
            async with lives.run() as third:
                await third.fleet.adopt()
                assert third.server("alpha").state is State.READY


async def test_one_of_a_model_that_is_in_no_registry_is_ended(lives: Lives) -> None:
    async with lives.run() as first:
        actor = await left_running(first)
        (lives.folder / "model_registry.json").unlink()
        async with lives.run() as second:
            await second.fleet.adopt()
            await actor.saw("gone")
            assert second.fleet.servers == {}
    assert lives.records() == []


async def test_an_adopted_one_that_dies_is_failed_with_an_unknown_exit_status(lives: Lives) -> None:
    async with lives.run() as first:
        actor = await left_running(first)
        async with lives.run() as second:
            await second.fleet.adopt()
            actor.die(5)
            await until(lambda: second.server("alpha").state is State.FAILED)
            failure = second.server("alpha").failure
            assert failure is not None and "exit status unknown" in failure.detail
