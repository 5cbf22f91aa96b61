"""Who may load, and when."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.fakes.rig import fake_model

from synapse_engine.catalog.model import Tier
from synapse_engine.catalog.registry import Choices, Entry
from synapse_engine.fleet.turns import Order, Turns, start_order


class Line:
    """Takes turns by number; each ends when it is told."""

    def __init__(self, at_once: int) -> None:
        self.turns = Turns(at_once)
        self.begun: list[int] = []
        self._ends: dict[int, asyncio.Event] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def join(self, *numbers: int) -> None:
        for number in numbers:
            self._ends[number] = asyncio.Event()
            self._tasks[number] = asyncio.create_task(self._hold(number))

    async def end(self, number: int) -> None:
        self._ends[number].set()
        await self._tasks[number]
        await settle()

    async def cancel(self, number: int) -> None:
        self._tasks[number].cancel()
        await asyncio.wait({self._tasks[number]})
        await settle()

    async def _hold(self, number: int) -> None:
        order: Order = (1, 0, number, "")
        async with self.turns.turn(order):
            self.begun.append(number)
            await self._ends[number].wait()


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_smallest_of_one_call_comes_first() -> None:
    line = Line(1)
    line.join(3, 1, 2)
    await settle()
    assert line.begun == [1]
    for number in (1, 2, 3):
        await line.end(number)
    assert line.begun == [1, 2, 3]


async def test_no_more_than_may_at_once() -> None:
    line = Line(2)
    line.join(1, 2, 3, 4)
    await settle()
    assert line.begun == [1, 2]
    await line.end(2)
    assert line.begun == [1, 2, 3]
    for number in (1, 3, 4):
        await line.end(number)
    assert line.begun == [1, 2, 3, 4]


async def test_a_smaller_latecomer_goes_ahead_of_those_who_wait() -> None:
    line = Line(1)
    line.join(5)
    await settle()
    line.join(4)
    await settle()
    line.join(2)
    await line.end(5)
    assert line.begun == [5, 2]
    await line.end(2)
    await line.end(4)


async def test_one_who_waits_can_leave() -> None:
    line = Line(1)
    line.join(1, 2, 3)
    await settle()
    await line.cancel(2)
    await line.end(1)
    assert line.begun == [1, 3]
    await line.end(3)


async def test_one_who_holds_and_is_cancelled_gives_its_place_back() -> None:
    line = Line(1)
    line.join(1, 2)
    await settle()
    await line.cancel(1)
    assert line.begun == [1, 2]
    await line.end(2)


async def test_one_cancelled_in_the_moment_of_its_admission_gives_its_place_back() -> None:
    turns = Turns(1)
    leaver = asyncio.create_task(hold_for_ever(turns))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(leaver.cancel)  # after the admission, before the leaver wakes
    await asyncio.wait({leaver})
    async with asyncio.timeout(1), turns.turn((1, 0, 2, "")):
        pass


async def hold_for_ever(turns: Turns) -> None:
    async with turns.turn((1, 0, 1, "")):
        await asyncio.Event().wait()


async def test_one_who_breaks_gives_its_place_back() -> None:
    turns = Turns(1)
    with pytest.raises(RuntimeError):
        async with turns.turn((1, 0, 1, "")):
            raise RuntimeError
    async with asyncio.timeout(1), turns.turn((1, 0, 1, "")):
        pass


def test_order_is_tier_then_size_then_id() -> None:
    def entry(model_id: str, tier: Tier, size: int, override: Tier | None = None) -> Entry:
        model = fake_model(Path(model_id), size_bytes=size, tier=tier)
        return Entry(model_id=model_id, model=model, choices=Choices(tier=override))

    in_order = [
        entry("small", Tier.FAST, 1),
        entry("a", Tier.FAST, 5),
        entry("b", Tier.FAST, 5),
        entry("overridden", Tier.POWERFUL, 9, override=Tier.FAST),
        entry("middle", Tier.BALANCED, 2),
        entry("large", Tier.POWERFUL, 1),
    ]
    in_disorder = in_order[3:] + in_order[:3]
    assert sorted(in_disorder, key=start_order) == in_order


async def test_more_places_and_fewer() -> None:
    line = Line(1)
    line.join(1, 2, 3, 4)
    await settle()
    line.turns.resize(3)
    await settle()
    assert line.begun == [1, 2, 3]
    line.turns.resize(1)
    await line.end(1)
    await line.end(2)
    assert line.begun == [1, 2, 3]
    await line.end(3)
    assert line.begun == [1, 2, 3, 4]
    await line.end(4)
