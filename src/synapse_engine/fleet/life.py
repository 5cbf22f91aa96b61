"""One run of a server, from the ask to the end: what its callers want of it, and what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from synapse_engine.errors import SynapseError
from synapse_engine.fleet.restarts import RestartPolicy
from synapse_engine.launch.base import Command

GIB = 1 << 30
STARTUP_SECONDS_PER_GIB = 20.0

T = TypeVar("T")


@dataclass(frozen=True)
class Attempt:
    """One spawn of several.

    strangers: ports that others were found on. ran_out: memory did, before. comes_back: after it was ready.
    """

    strangers: frozenset[int] = frozenset()
    ran_out: bool = False
    comes_back: bool = False


@dataclass(frozen=True)
class Ask:
    """What one start asks for.

    prepare: gives the command of the next attempt. settings: those that shape the command, as they were when
    the start was asked for. by_hand: a person did, not a request.
    """

    prepare: Callable[[Attempt], Awaitable[Command]]
    policy: RestartPolicy
    settings: Mapping[str, Any]
    by_hand: bool


@dataclass
class Limits:
    """How long a server may take, in seconds; what is changed here holds for all at once.

    probe_seconds: how often a ready one is probed.
    """

    startup_seconds: float
    stop_seconds: float
    drain_seconds: float
    probe_seconds: float

    def loading_seconds(self, weights_bytes: int) -> float:
        """How long a start may take with so many weights."""
        return self.startup_seconds + STARTUP_SECONDS_PER_GIB * weights_bytes / GIB


@dataclass(frozen=True)
class Failure:
    """Why a server is not running, and since when."""

    error: str
    detail: str
    at: datetime

    @classmethod
    def of(cls, error: SynapseError) -> Failure:
        return cls(error.error, error.detail, datetime.now(UTC))


@dataclass(frozen=True)
class Started:
    """A ready server. seconds: what this caller's start took; 0 where it was running already."""

    port: int
    was_running: bool
    seconds: float


@dataclass(frozen=True)
class Stopped:
    """A server that is not running. was_active: whether there was something to stop."""

    was_active: bool
    seconds: float


class StopAsked(Exception):
    """A stop came while a life was under way."""


class Life:
    """What is wanted of one run (events that the owner's task watches) and what came of it (a future).

    keeps_cache: the prompt cache is to be had when it comes up again, where that is wanted at all.
    ready: the port, or why there is none; a new future for every time that it comes up.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.ready = _future()
        self.stop_asked = asyncio.Event()
        self.hurry = asyncio.Event()
        self.start_asked = asyncio.Event()
        self.is_let_go = False
        self.keeps_cache = False
        self.task: asyncio.Task[None] | None = None

    def renew(self) -> None:
        """It ended by itself and will come up again: who asks from now on waits for that."""
        if self.ready.done():
            self.ready = _future()

    async def unless_stopped(self, work: Awaitable[T]) -> T:
        """The work's result. Raises StopAsked, with the work cancelled, once a stop is asked for."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self.stop_asked.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if self.stop_asked.is_set():
                raise StopAsked
            return await task
        finally:
            for unfinished in (task, stop):
                unfinished.cancel()
            await asyncio.wait({task, stop})
            if not task.cancelled():
                task.exception()

    async def unless_hurried(self, work: Awaitable[object], timeout_seconds: float | None = None) -> None:
        """Wait for the work, at most so long, and no longer than until a hurry is asked for."""
        await first_of(work, self.hurry.wait(), timeout_seconds=timeout_seconds)

    async def unless_started(self, delay_seconds: float) -> None:
        """Wait so long, or until a start is asked for."""
        await first_of(self.start_asked.wait(), timeout_seconds=delay_seconds)

    def stop(self, *, was_active: bool, now: bool, keeps_cache: bool) -> Coroutine[Any, Any, Stopped]:
        """Ask for the stop, at once; what is given back is done when it has ended."""
        began = asyncio.get_running_loop().time()
        self.keeps_cache = keeps_cache
        self.stop_asked.set()
        if now:
            self.hurry.set()

        async def stopped() -> Stopped:
            await self.ended()
            return Stopped(was_active, asyncio.get_running_loop().time() - began)

        return stopped()

    async def ended(self) -> None:
        assert self.task is not None
        await asyncio.wait({self.task})


async def nothing_to_stop() -> Stopped:
    return Stopped(was_active=False, seconds=0.0)


async def first_of(*works: Awaitable[object], timeout_seconds: float | None) -> None:
    """Wait until one of the works is done or the time is up; cancel the rest."""
    tasks = {asyncio.ensure_future(work) for work in works}
    try:
        await asyncio.wait(tasks, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _future() -> asyncio.Future[int]:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future
