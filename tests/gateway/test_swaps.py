"""Two models with memory for one, both wanted: neither starves, and no answer is cut."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.fleet import eviction
from synapse_engine.gateway import waking

CHAT = "/v1/chat/completions"
RESIDENCY_SECONDS = 0.3


@pytest.fixture
async def tight(
    tmp_path: Path, engine: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ControlPlane]:
    """Memory for one of the models at a time."""
    monkeypatch.setattr(waking, "RESIDENCY_SECONDS", RESIDENCY_SECONDS)
    monkeypatch.setattr(eviction, "MIN_RESIDENCY_SECONDS", RESIDENCY_SECONDS)
    async with open_control_plane(tmp_path, engine, stage, memory_limit_mb=40, queue_seconds=12) as plane:
        yield plane


def for_ever(monkeypatch: pytest.MonkeyPatch, *, unwanted_seconds: float) -> None:
    """A newcomer's time outlasts the test, unless nobody has wanted it for so long."""
    monkeypatch.setattr(waking, "RESIDENCY_SECONDS", 60.0)
    monkeypatch.setattr(eviction, "MIN_RESIDENCY_SECONDS", 60.0)
    monkeypatch.setattr(eviction, "UNWANTED_SECONDS", unwanted_seconds)


async def enabled(plane: ControlPlane, file_name: str, behaviour: Behaviour) -> str:
    model_id = await plane.add(file_name, behaviour)
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    return model_id


async def stream(plane: ControlPlane, model_id: str) -> int:
    """How many words of an answer came; it must have come whole."""
    words = 0
    async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
        assert response.status_code == 200, (await response.aread()).decode()
        async for line in response.aiter_lines():
            words += "word" in line
    assert line == "" or words
    return words


async def test_a_steady_stream_to_one_does_not_starve_the_other(tight: ControlPlane) -> None:
    busy = await enabled(tight, "Busy-7B-Q4_K_M.gguf", Behaviour(chunks=4, pace_seconds=0.02))
    other = await enabled(tight, "Other-7B-Q4_K_M.gguf", Behaviour(chunks=2))
    goes_on = True

    async def keep_busy() -> list[int]:
        counts = []
        while goes_on:
            counts.append(await stream(tight, busy))
        return counts

    steady = [asyncio.create_task(keep_busy()) for _ in range(3)]
    await asyncio.sleep(0.2)
    began = time.monotonic()
    for _ in range(2):
        assert await stream(tight, other) == 2
    took = time.monotonic() - began
    goes_on = False
    counts = [count for task in steady for count in await task]
    assert set(counts) == {4}
    assert took < 10


async def test_who_was_held_back_goes_on_afterwards(tight: ControlPlane) -> None:
    one = await enabled(tight, "One-7B-Q4_K_M.gguf", Behaviour(chunks=3, pace_seconds=0.01))
    two = await enabled(tight, "Two-7B-Q4_K_M.gguf", Behaviour(chunks=3, pace_seconds=0.01))
    wanted = [one, two] * 6
    assert await asyncio.gather(*(stream(tight, model_id) for model_id in wanted)) == [3] * len(wanted)
    lines = tight.services.gateway.lines.by_model.values()
    assert [(len(line.waiting), line.in_flight, line.is_held_back) for line in lines] == [(0, 0, False)] * 2


@pytest.mark.parametrize("pause_seconds", [0.0, 0.01])
async def test_two_that_are_wanted_at_once_do_not_thrash(
    tight: ControlPlane, monkeypatch: pytest.MonkeyPatch, pause_seconds: float
) -> None:
    """Each for a client that asks again and again: both are answered, and a load serves many requests."""
    for_ever(monkeypatch, unwanted_seconds=1.0)
    ids = [await enabled(tight, f"{name}-7B-Q4_K_M.gguf", Behaviour(chunks=2)) for name in ("One", "Two")]

    async def ask_again(model_id: str) -> None:
        for _ in range(30):
            assert await stream(tight, model_id) == 2
            await asyncio.sleep(pause_seconds)

    await asyncio.gather(*map(ask_again, ids))
    # Two would do; the others are for a machine that is held up for a second in the midst of it.
    assert len(tight.stage.actors) <= 6


async def test_one_started_by_hand_is_not_held_back(tight: ControlPlane) -> None:
    mine = await enabled(tight, "Mine-7B-Q4_K_M.gguf", Behaviour())
    other = await enabled(tight, "Other-7B-Q4_K_M.gguf", Behaviour())
    await tight.start(mine)
    response = await tight.post(CHAT, {"model": other})
    assert response.status_code == 507
    assert mine in response.json()["error"]["message"]
    assert (await tight.post(CHAT, {"model": mine})).status_code == 200


async def test_whoever_gives_up_holds_nobody_back(tight: ControlPlane) -> None:
    busy = await enabled(tight, "Busy-7B-Q4_K_M.gguf", Behaviour(answers_when_told=True))
    other = await enabled(tight, "Other-7B-Q4_K_M.gguf", Behaviour())
    first = asyncio.create_task(tight.post(CHAT, {"model": busy}))
    actor = await tight.enter(busy)
    await actor.saw("request")
    asking = asyncio.create_task(tight.post(CHAT, {"model": other}))
    line = tight.services.gateway.lines.line(busy)
    await until(lambda: line.is_held_back)
    asking.cancel()
    await until(lambda: not line.is_held_back)
    second = asyncio.create_task(tight.post(CHAT, {"model": busy}))
    await actor.saw("request")
    for _ in range(2):
        actor.tell("go on")
    assert [(await task).status_code for task in (first, second)] == [200, 200]


async def test_a_crowd_over_five_models_with_memory_for_two(
    tmp_path: Path, engine: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 clients: all are answered, none waits much longer than its share, and no model comes twice."""
    # Whoever has come stays as long as anybody waits for it, and not a moment longer.
    for_ever(monkeypatch, unwanted_seconds=0.0)
    async with open_control_plane(tmp_path, engine, stage, memory_limit_mb=35, queue_seconds=60) as plane:
        behaviour = Behaviour(chunks=2, pace_seconds=0.01, loads_when_told=True)
        ids = [await enabled(plane, f"Model{n}-7B-Q4_K_M.gguf", behaviour) for n in range(5)]
        at_once: list[int] = []

        async def ask(number: int) -> float:
            assert await stream(plane, ids[number % 5]) == 2
            at_once.append(sum(s.state == "ready" for s in plane.services.fleet.servers.values()))
            return time.monotonic()

        asking = [asyncio.create_task(ask(number)) for number in range(200)]
        lines = plane.services.gateway.lines.by_model
        await until(lambda: sum(len(line.waiting) for line in lines.values()) == len(asking))
        began = time.monotonic()
        loading = [asyncio.create_task(load_when_spawned(plane, model_id)) for model_id in ids]
        waits = [at - began for at in await asyncio.gather(*asking)]
        await asyncio.gather(*loading)
        by_model = [max(waits[start::5]) for start in range(5)]
        spawns = [plane.stage.spawns(Path(plane.services.registry.get(i).model.path)) for i in ids]
    # Served in turn, the last model's clients wait for all of it: whose share is that of the average.
    assert max(by_model) <= 3 * sum(by_model) / len(by_model)
    assert spawns == [1] * 5
    assert max(at_once) <= 2


async def load_when_spawned(plane: ControlPlane, model_id: str) -> None:
    (await plane.enter(model_id)).tell("ready")


class TestOneAfterTheOther:
    """Nobody wants two at the same time, so nobody is made to wait for a newcomer's time to be over."""

    @pytest.fixture
    async def patient(self, tmp_path: Path, engine: Path, stage: Stage) -> AsyncIterator[ControlPlane]:
        """As `tight`, but a newcomer's time would outlast the test."""
        async with open_control_plane(tmp_path, engine, stage, memory_limit_mb=40) as plane:
            yield plane

    async def test_who_asks_for_them_in_turn_is_served_in_turn(
        self, patient: ControlPlane, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for_ever(monkeypatch, unwanted_seconds=60.0)
        ids = [await enabled(patient, f"{name}-7B-Q4_K_M.gguf", Behaviour()) for name in ("One", "Two")]
        for _ in range(3):
            for model_id in ids:
                assert await stream(patient, model_id) == 3
        assert sum(actor.count("sigterm") for actor in patient.stage.actors) == 5

    async def test_one_that_nobody_wants_any_more_goes_before_its_time(
        self, patient: ControlPlane, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for_ever(monkeypatch, unwanted_seconds=0.1)
        busy = await enabled(patient, "Busy-7B-Q4_K_M.gguf", Behaviour(answers_when_told=True))
        other = await enabled(patient, "Other-7B-Q4_K_M.gguf", Behaviour())
        first = asyncio.create_task(patient.post(CHAT, {"model": busy}))
        actor = await patient.enter(busy)
        await actor.saw("request")
        second = asyncio.create_task(patient.post(CHAT, {"model": other}))
        await until(lambda: len(patient.services.gateway.lines.line(other).waiting) == 1)
        actor.tell("go on")
        assert [(await task).status_code for task in (first, second)] == [200, 200]
