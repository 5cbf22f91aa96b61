"""The bus: nobody is waited for, nothing is lost unsaid."""

from __future__ import annotations

import asyncio

import pytest

from synapse_engine.events import KEPT_EVENTS, QUEUE_EVENTS, Bus, Changes


async def test_every_reader_gets_every_event_in_order() -> None:
    bus = Bus()
    with bus.subscribe(None) as first, bus.subscribe(None) as second:
        for reader in (first, second):
            assert reader.is_behind
            reader.catch_up()
        for number in range(3):
            bus.publish("server", b"%d" % number)
        for reader in (first, second):
            await reader.arrival()
            events = reader.take()
            assert [event.data for event in events] == [b"0", b"1", b"2"]
            assert [event.id for event in events] == [bus.last_id - 2, bus.last_id - 1, bus.last_id]


async def test_a_slow_reader_falls_behind_and_the_others_do_not() -> None:
    bus = Bus()
    with bus.subscribe(None) as slow, bus.subscribe(None) as quick:
        slow.catch_up()
        quick.catch_up()
        for _ in range(QUEUE_EVENTS + 1):
            bus.publish("server", b"{}")
            quick.take()
        assert slow.is_behind and not quick.is_behind
        assert slow.take() == []
        bus.publish("server", b"1")
        assert slow.take() == []
        slow.catch_up()
        bus.publish("server", b"2")
        assert [event.data for event in slow.take()] == [b"2"]


async def test_a_reader_goes_on_where_it_broke_off() -> None:
    bus = Bus()
    bus.publish("model", b"1")
    seen = bus.last_id
    bus.publish("model", b"2")
    with bus.subscribe(seen) as reader:
        assert not reader.is_behind
        await reader.arrival()
        assert [event.data for event in reader.take()] == [b"2"]


async def test_what_is_not_kept_is_told_to_those_who_are_there() -> None:
    bus = Bus()
    bus.publish("model", b"1")
    seen = bus.last_id
    with bus.subscribe(seen) as reader:
        bus.publish("queue", b"2", is_kept=False)
        bus.publish("model", b"3")
        assert [(event.id, event.data) for event in reader.take()] == [(None, b"2"), (seen + 1, b"3")]
    with bus.subscribe(seen) as late:
        assert [event.data for event in late.take()] == [b"3"]


@pytest.mark.parametrize("offset", [-KEPT_EVENTS - 2, 1])
async def test_what_is_not_kept_cannot_be_gone_on_from(offset: int) -> None:
    bus = Bus()
    for _ in range(KEPT_EVENTS + 5):
        bus.publish("model", b"{}")
    with bus.subscribe(bus.last_id + offset) as reader:
        assert reader.is_behind


async def test_starting_over_makes_everybody_look_at_the_whole() -> None:
    bus = Bus()
    bus.publish("model", b"1")
    seen = bus.last_id
    with bus.subscribe(seen) as reader:
        bus.start_over()
        await reader.arrival()
        assert reader.is_behind
    with bus.subscribe(seen) as late:
        assert late.is_behind


async def test_somebody_is_waited_for() -> None:
    bus = Bus()
    waiting = asyncio.create_task(bus.somebody())
    await asyncio.sleep(0)
    assert not waiting.done()
    with bus.subscribe(None):
        await waiting
        assert bus.subscribers == 1
    assert bus.subscribers == 0


async def test_many_changes_of_one_thing_are_one() -> None:
    changes = Changes()
    for _ in range(3):
        changes.server("a")
    changes.some_models(["a", "b"])
    changes.the_scan()
    await changes.arrival()
    assert changes.take() == ({"a"}, {"a", "b"}, True)
    assert changes.take() == (set(), set(), False)
