"""One llama-server. One task owns it from start to exit and is the only writer of its state.

Callers ask (`ensure_ready`, `stop`, `lease`) and are told how it ended; they never look at a state and
then act on it. A server is registered while it starts, so that a stop reaches a loading one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import aiohttp

from synapse_engine.errors import (
    NotRunning,
    ServerEnded,
    StartCancelled,
    StartFailed,
    StartTimedOut,
    SynapseError,
)
from synapse_engine.fleet.health import until_healthy
from synapse_engine.fleet.state import Event, State, next_state
from synapse_engine.launch.base import Command, Launcher, Process
from synapse_engine.launch.failure import SHOWN_LINES, explain_exit, is_port_taken, with_log

GIB = 1 << 30
STARTUP_SECONDS_PER_GIB = 20.0

log = logging.getLogger(__name__)
T = TypeVar("T")

Prepare = Callable[[frozenset[int]], Awaitable[Command]]
"""Gives the command of the next attempt, given the ports that strangers were found on."""


@dataclass(frozen=True)
class Limits:
    """How long a server may take, in seconds."""

    startup_seconds: float
    stop_seconds: float
    drain_seconds: float


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


class Lease:
    """Permission to use a ready server, held until the last byte of the answer has left."""

    def __init__(self, server: Server, url: str, api_key: str) -> None:
        self.url = url
        self.api_key = api_key
        self._server = server

    def __enter__(self) -> Lease:
        self._server._leases.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._server._leases.discard(self)
        if not self._server._leases:
            self._server._idle.set()


class _StopAsked(Exception):
    """A stop came while a life was under way."""


class _Life:
    """One run of a server, from the ask to the end."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.began = loop.time()
        self.ready: asyncio.Future[int] = loop.create_future()  # the port
        self.ready.add_done_callback(lambda future: future.cancelled() or future.exception())
        self.stop_asked = asyncio.Event()
        self.hurry = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def unless_stopped(self, work: Awaitable[T]) -> T:
        """The work's result. Raises _StopAsked, with the work cancelled, once a stop is asked for."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self.stop_asked.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if self.stop_asked.is_set():
                raise _StopAsked
            return await task
        finally:
            for unfinished in (task, stop):
                unfinished.cancel()
            await asyncio.wait({task, stop})
            if not task.cancelled():
                task.exception()


class Server:
    """The server of one model, running or not.

    Attributes to read: state, process, port, command, ready_at (loop time), started_at, failure.
    """

    def __init__(
        self, model_id: str, launcher: Launcher, session: aiohttp.ClientSession, limits: Limits
    ) -> None:
        self.model_id = model_id
        self.state = State.STOPPED
        self.process: Process | None = None
        self.command: Command | None = None
        self.started_at: datetime | None = None
        self.failure: Failure | None = None
        self._launcher = launcher
        self._session = session
        self._limits = limits
        self._life: _Life | None = None
        self._stops = 0
        self._leases: set[Lease] = set()
        self._idle = asyncio.Event()

    def __repr__(self) -> str:
        pid = self.process.pid if self.process else None
        return f"<Server {self.model_id} {self.state} pid={pid} leases={len(self._leases)}>"

    @property
    def active_requests(self) -> int:
        return len(self._leases)

    async def ensure_ready(self, prepare: Prepare, turn: AbstractAsyncContextManager[object]) -> Started:
        """Start it, or join the start under way, or find it running; wait until it is ready.

        turn: entered before it loads and left when it is ready or has failed. The start goes on
        when the caller goes away. Raises StartCancelled after a stop, else what made the start fail.
        """
        began = asyncio.get_running_loop().time()
        stops = self._stops
        while self._life is not None and self._is_ending(self._life):
            await self._ended(self._life)
            if self._stops != stops:
                raise StartCancelled(self.model_id)
        if self._life is None:
            self._begin(prepare, turn)
        assert self._life is not None
        was_running = self._life.ready.done()
        port = await asyncio.shield(self._life.ready)
        seconds = 0.0 if was_running else asyncio.get_running_loop().time() - began
        return Started(port, was_running, seconds)

    async def stop(self, *, now: bool = False) -> Stopped:
        """Stop it, cancelling a start under way; return once the process is gone.

        Running requests are let finish first, up to the drain limit; `now` kills at once.
        """
        began = asyncio.get_running_loop().time()
        self._stops += 1
        life = self._life
        if life is not None:
            life.stop_asked.set()
            if now:
                life.hurry.set()
            await self._ended(life)
        if self.state is State.FAILED:
            self._move(Event.STOP)
            self.failure = None
        return Stopped(life is not None, asyncio.get_running_loop().time() - began)

    def lease(self) -> Lease:
        """Use of the ready server. Raises NotRunning in any other state."""
        if self.state is not State.READY or self.process is None or self.command is None:
            raise NotRunning(self.model_id, self.state)
        return Lease(self, self.process.url, self.command.api_key)

    def _move(self, event: Event) -> None:
        before, self.state = self.state, next_state(self.state, event)
        log.info("%s: %s -> %s (%s)", self.model_id, before, self.state, event)

    def _begin(self, prepare: Prepare, turn: AbstractAsyncContextManager[object]) -> None:
        life = self._life = _Life()
        self.failure = None
        self._move(Event.ENQUEUE)
        life.task = asyncio.create_task(self._live(life, prepare, turn), name=f"server {self.model_id}")

    def _is_ending(self, life: _Life) -> bool:
        """Whether its end can only be waited for: a start that comes now belongs to the next life."""
        has_crashed = life.ready.done() and self.process is not None and self.process.has_exited
        return has_crashed or life.stop_asked.is_set()

    async def _ended(self, life: _Life) -> None:
        assert life.task is not None
        await asyncio.wait({life.task})

    async def _live(self, life: _Life, prepare: Prepare, turn: AbstractAsyncContextManager[object]) -> None:
        """From the ask to the end, whichever it is: stopped, failed to start, or ended by itself."""
        try:
            await life.unless_stopped(self._come_up(life, prepare, turn))
            await life.unless_stopped(self._until_exit())
        except _StopAsked:
            await self._wind_down(life)
        except SynapseError as error:
            await self._fail(life, error)
        except Exception as error:
            log.exception("%s: the start broke", self.model_id)
            await self._fail(life, StartFailed(f"Unexpected {type(error).__name__}: {error}"))
        finally:
            self._life = None
            self.process = None
            self.started_at = None

    async def _come_up(
        self, life: _Life, prepare: Prepare, turn: AbstractAsyncContextManager[object]
    ) -> None:
        async with turn:
            self._move(Event.ADMIT)
            strangers: set[int] = set()
            while (busy_port := await self._attempt(prepare, frozenset(strangers))) is not None:
                strangers.add(busy_port)
        self._move(Event.HEALTHY)
        assert self.command is not None
        life.ready.set_result(self.command.port)

    async def _attempt(self, prepare: Prepare, strangers: frozenset[int]) -> int | None:
        """One spawn, until it is ready (None) or its port turns out to be taken (the port)."""
        command = self.command = await prepare(strangers)
        self.process = await self._launcher.start(command)
        self.started_at = datetime.now(UTC)
        limit = self._limits.startup_seconds + STARTUP_SECONDS_PER_GIB * command.weights_bytes / GIB
        healthy = asyncio.ensure_future(until_healthy(self._session, self.process))
        exited = asyncio.ensure_future(self.process.wait())
        try:
            await asyncio.wait({healthy, exited}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                return await self._explain_early_exit(command, exited.result())
            if not healthy.done():
                lines = await self._launcher.log_tail(self.model_id, SHOWN_LINES)
                raise StartTimedOut(with_log(f"Still loading after {limit:.0f} s, and was ended", lines))
            healthy.result()
            return None
        finally:
            healthy.cancel()
            exited.cancel()
            await asyncio.wait({healthy, exited})

    async def _explain_early_exit(self, command: Command, exit_code: int | None) -> int:
        """The port where that was the cause and another may be tried. Raises StartFailed otherwise."""
        lines = await self._launcher.log_tail(self.model_id, SHOWN_LINES)
        if not is_port_taken(lines):
            raise StartFailed(explain_exit(exit_code, lines))
        if command.port_is_pinned:
            holder = self._launcher.port_holder(command.port)
            raise StartFailed(f"Port {command.port} already in use" + (f" by {holder}" if holder else ""))
        return command.port

    async def _until_exit(self) -> None:
        """Wait while it serves. Raises ServerEnded once the process ends by itself."""
        assert self.process is not None
        exit_code = await self.process.wait()
        lines = await self._launcher.log_tail(self.model_id, SHOWN_LINES)
        raise ServerEnded(explain_exit(exit_code, lines))

    async def _fail(self, life: _Life, error: SynapseError) -> None:
        if self.process is not None:
            self.process.kill()
            await self.process.wait()
        self.failure = Failure(error.error, error.detail, datetime.now(UTC))
        self._move(Event.FAIL)
        if not life.ready.done():
            life.ready.set_exception(error)

    async def _wind_down(self, life: _Life) -> None:
        self._move(Event.STOP)
        if not life.ready.done():
            life.ready.set_exception(StartCancelled(self.model_id))
        if self.process is not None:
            await self._drain(life)
            await self._terminate(life, self.process)
        self._move(Event.GONE)

    async def _drain(self, life: _Life) -> None:
        if self._leases:
            self._idle.clear()
            await self._wait_unless_hurried(life, self._idle.wait(), self._limits.drain_seconds)

    async def _terminate(self, life: _Life, process: Process) -> None:
        if not life.hurry.is_set():
            process.terminate()
            await self._wait_unless_hurried(life, process.wait(), self._limits.stop_seconds)
        process.kill()
        await process.wait()

    @staticmethod
    async def _wait_unless_hurried(life: _Life, work: Awaitable[object], timeout: float) -> None:
        tasks = {asyncio.ensure_future(work), asyncio.ensure_future(life.hurry.wait())}
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
