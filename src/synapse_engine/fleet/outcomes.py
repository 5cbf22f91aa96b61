"""What came of many starts or stops at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

from synapse_engine.catalog.registry import Entry
from synapse_engine.errors import SynapseError
from synapse_engine.fleet.life import Started, Stopped


@dataclass(frozen=True)
class Outcome:
    """What became of one model in a start-all or stop-all: a result, or the error in its place."""

    entry: Entry
    result: Started | Stopped | SynapseError


async def gather_outcomes(work: Iterable[tuple[Entry, Awaitable[Started | Stopped]]]) -> list[Outcome]:
    async def outcome(entry: Entry, awaitable: Awaitable[Started | Stopped]) -> Outcome:
        try:
            return Outcome(entry, await awaitable)
        except SynapseError as error:
            return Outcome(entry, error)

    return list(await asyncio.gather(*(outcome(entry, awaitable) for entry, awaitable in work)))


async def gather_stops(stops: Iterable[Awaitable[Stopped]]) -> Stopped:
    """The stop of one model, from those of its servers."""
    stopped = await asyncio.gather(*stops)
    return Stopped(
        was_active=any(each.was_active for each in stopped),
        seconds=max((each.seconds for each in stopped), default=0.0),
    )
