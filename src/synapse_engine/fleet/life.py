"""One run of a server, from the ask to the end: what its callers want of it, and what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from synapse_engine.fleet.restarts import RestartPolicy
from synapse_engine.launch.base import Command

T = TypeVar("T")


@dataclass(frozen=True)
class Attempt:
    """One spawn of several. strangers: ports that others were found on. ran_out: memory did, before."""

    strangers: frozenset[int] = frozenset()
    ran_out: bool = False


Prepare = Callable[[Attempt], Awaitable[Command]]
"""Gives the command of the next attempt."""


@dataclass(frozen=True)
class Limits:
    """How long a server may take, in seconds. probe_seconds: how often a ready one is probed."""

    startup_seconds: float
    stop_seconds: float
    drain_seconds: float
    probe_seconds: float


@dataclass(frozen=True)
class Failure:
    """Why a server is not running, and since when."""

    error: str
    detail: str
    at: datetime


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

    ready: the port, or why there is none; a new future for every time that it comes up.
    """

    def __init__(self, prepare: Prepare, policy: RestartPolicy) -> None:
        self.prepare = prepare
        self.policy = policy
        self.ready = _future()
        self.stop_asked = asyncio.Event()
        self.hurry = asyncio.Event()
        self.start_asked = asyncio.Event()
        self.is_let_go = False
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

    async def unless_hurried(self, work: Awaitable[object], timeout_seconds: float) -> None:
        """Wait for the work, at most so long, and no longer than until a hurry is asked for."""
        await first_of(work, self.hurry.wait(), timeout_seconds=timeout_seconds)

    async def unless_started(self, delay_seconds: float) -> None:
        """Wait so long, or until a start is asked for."""
        await first_of(self.start_asked.wait(), timeout_seconds=delay_seconds)

    async def ended(self) -> None:
        assert self.task is not None
        await asyncio.wait({self.task})


async def first_of(*works: Awaitable[object], timeout_seconds: float) -> None:
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
