"""What leaves at once, what at the end of the round, and that nothing is lost or overtaken."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from synapse_engine.gateway.outbox import Outbox


class Wire:
    """A transport that notes, with all others of the same log, what is written to it."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.log.append(self.name + data.decode())

    def is_closing(self) -> bool:
        return self.is_closed


def wires(log: list[str], *names: str) -> list[Any]:
    return [cast(asyncio.Transport, Wire(name, log)) for name in names]


async def test_the_first_leaves_at_once_and_the_others_at_the_end_of_the_round() -> None:
    outbox = Outbox(range(2))
    log: list[str] = []
    a, b = wires(log, "a", "b")
    outbox.write(a, b"1")
    assert log == ["a1"]
    outbox.write(b, b"1")
    outbox.write(a, b"2")
    outbox.write(b, b"2")
    assert log == ["a1"]
    await asyncio.sleep(0)
    assert log == ["a1", "b1", "a2", "b2"]
    outbox.write(b, b"3")
    assert log[-1] == "b3"


async def test_what_was_asked_for_later_comes_later() -> None:
    outbox = Outbox(range(2))
    log: list[str] = []
    a, b = wires(log, "a", "b")
    outbox.write(a, b"1")
    outbox.write(b, b"1")
    asyncio.get_running_loop().call_soon(b.write, b" by another way")
    await asyncio.sleep(0)
    assert log == ["a1", "b1", "b by another way"]


async def test_flushed_before_a_close() -> None:
    outbox = Outbox(range(2))
    log: list[str] = []
    a, b = wires(log, "a", "b")
    outbox.write(a, b"1")
    outbox.write(b, b"1")
    outbox.flush()
    assert log == ["a1", "b1"]
    outbox.write(b, b"2")
    assert log == ["a1", "b1"]
    await asyncio.sleep(0)
    assert log == ["a1", "b1", "b2"]


async def test_one_that_has_closed_gets_no_more_and_the_others_all() -> None:
    outbox = Outbox(range(2))
    log: list[str] = []
    a, b, c = wires(log, "a", "b", "c")
    for wire in (a, b, c):
        outbox.write(wire, b"1")
    b.is_closed = True
    await asyncio.sleep(0)
    assert log == ["a1", "c1"]


async def test_nothing_waits_for_the_end_of_the_round_while_there_is_but_one_request() -> None:
    under_way = [1]
    outbox = Outbox(under_way)
    log: list[str] = []
    a, b = wires(log, "a", "b")
    outbox.write(a, b"1")
    outbox.write(b, b"1")
    assert log == ["a1", "b1"]
    under_way.append(2)
    outbox.write(a, b"2")
    outbox.write(b, b"2")
    under_way.pop()
    outbox.write(b, b"3")
    assert log == ["a1", "b1", "a2"]
    await asyncio.sleep(0)
    assert log == ["a1", "b1", "a2", "b2", "b3"]
