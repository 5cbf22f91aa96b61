"""One llama-server. One task owns it from start to exit and is the only writer of its state.

Callers ask (`ensure_ready`, `stop`, `lease`) and are told how it ended; they never look at a state and
then act on it. A server is registered while it starts, so that a stop reaches a loading one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from synapse_engine.errors import (
    NotRunning,
    OutOfMemory,
    ServerEnded,
    StartCancelled,
    StartFailed,
    SynapseError,
)
from synapse_engine.fleet.degraded import find_degradation
from synapse_engine.fleet.journal import Record
from synapse_engine.fleet.leases import Lease, Leases
from synapse_engine.fleet.life import (
    Ask,
    Attempt,
    Failure,
    Life,
    Started,
    StopAsked,
    Stopped,
    nothing_to_stop,
)
from synapse_engine.fleet.loading import Load
from synapse_engine.fleet.restarts import Restarts
from synapse_engine.fleet.state import Event, State, next_state
from synapse_engine.fleet.surroundings import Surroundings
from synapse_engine.fleet.watch import Watch
from synapse_engine.launch.base import Command, Process, server_id_of

ADOPTION_SECONDS = 5.0

log = logging.getLogger(__name__)

Turn = AbstractAsyncContextManager[object]


class Server:
    """One server of a model, running or not.

    Attributes to read: server_id, replica (from 1), state, process, command, started_at, failure, restarts,
    leases; load, while it loads; by_hand: a person wanted it when it last came up, or since. To write:
    keep_alive_seconds, how long it may be idle before it stops, until its next start; None where that is not
    said, math.inf for ever.
    """

    def __init__(self, model_id: str, surroundings: Surroundings, replica: int = 1) -> None:
        self.model_id = model_id
        self.replica = replica
        self.server_id = server_id_of(model_id, replica)
        self.state = State.STOPPED
        self.process: Process | None = None
        self.command: Command | None = None
        self.started_at: datetime | None = None
        self.failure: Failure | None = None
        self.degraded: str | None = None
        self.load: Load | None = None
        self.by_hand = False
        self.keep_alive_seconds: float | None = None
        self.restarts = Restarts(surroundings.restart_limits)
        self._with = surroundings
        self._life: Life | None = None
        self._ready_at = 0.0
        self._is_hung = False
        self._stops = 0
        self.leases = Leases(surroundings.clock)

    def __repr__(self) -> str:
        pid = self.process.pid if self.process else None
        return f"<Server {self.server_id} {self.state} pid={pid} leases={self.leases.held}>"

    @property
    def active_requests(self) -> int:
        return self.leases.held

    @property
    def is_leaving(self) -> bool:
        """Whether a stop is asked for, or under way."""
        return self._life is not None and self._life.stop_asked.is_set()

    @property
    def is_available(self) -> bool:
        """Whether it may be leased: ready, not known to be lost, and no stop is asked for."""
        life, process = self._life, self.process
        if self.state is not State.READY or life is None or process is None:
            return False
        return not (life.stop_asked.is_set() or self._is_hung or process.has_exited)

    @property
    def slots(self) -> int:
        """On how many requests it works at once; 0 without a process."""
        return self.command.slots if self.command is not None and self.process is not None else 0

    @property
    def up_seconds(self) -> float:
        """How long it has been ready, where it is."""
        return self._with.clock() - self._ready_at

    @property
    def settings(self) -> Mapping[str, Any] | None:
        """Those of the person's that its command was or will be built from; None while that is open."""
        if self.command is not None:
            return self.command.settings
        return self._life.ask.settings if self._life is not None and self.state is State.QUEUED else None

    async def ensure_ready(self, ask: Ask, turn: Turn) -> Started:
        """Start it, or join the start under way, or find it running; wait until it is ready.

        turn: entered before it loads and left when it is ready or has failed. The start goes on
        when the caller goes away. Raises StartCancelled after a stop, else what made the start fail.
        """
        began = asyncio.get_running_loop().time()
        stops = self._stops
        while self._life is not None and self._life.stop_asked.is_set():
            await self._life.ended()
            if self._stops != stops:
                raise StartCancelled(self.model_id)
        self._want(ask.by_hand)
        if self._life is None:
            self._begin(Life(ask), Event.ENQUEUE, lambda life: self._come_up(life, turn))
            self.restarts.reset()
        elif self.state is State.BACKOFF or self._is_lost():
            self.restarts.reset()
            self._life.ask = ask
            self._life.renew()
            self._life.start_asked.set()
        assert self._life is not None
        was_running = self._life.ready.done()
        port = await asyncio.shield(self._life.ready)
        seconds = 0.0 if was_running else asyncio.get_running_loop().time() - began
        return Started(port, was_running, seconds)

    async def stop(self, *, now: bool = False) -> Stopped:
        """Stop it, cancelling a start under way; return once the process is gone.

        Running requests are let finish first, up to the drain limit; `now` kills at once.
        """
        self._stops += 1
        stopped = await self._begin_stop(now=now, keeps_cache=False)
        if self.state is State.FAILED:
            self._move(Event.STOP)
            self.failure = None
        return stopped

    def unload(self) -> Coroutine[Any, Any, Stopped]:
        """Stop it for other reasons than a person's word: a start that waits for its end goes on.

        It is asked when this is called, so that no lease comes between the caller's look and the stop.
        """
        return self._begin_stop(now=False, keeps_cache=True)

    def _begin_stop(self, *, now: bool, keeps_cache: bool) -> Coroutine[Any, Any, Stopped]:
        if self._life is None:
            return nothing_to_stop()
        was_active = self.state is not State.BACKOFF
        return self._life.stop(was_active=was_active, now=now, keeps_cache=keeps_cache)

    def adopt(self, record: Record, process: Process | None, ask: Ask) -> None:
        """Take over what an earlier run left: a process, or the news that it ended meanwhile (None)."""
        self.command = record.command
        self.process = process
        self.started_at = datetime.fromtimestamp(record.began_at, UTC)
        self.by_hand = ask.by_hand
        life = Life(ask)
        if record.is_stopping:
            life.stop_asked.set()
        self._begin(life, Event.ADOPT, lambda life: self._rejoin(life, record))

    async def settled(self) -> None:
        """Return once the coming up under way has ended, either way."""
        if self._life is not None:
            await asyncio.wait({self._life.ready})

    async def let_go(self) -> None:
        """Leave the process running, unwatched, for a later run to adopt; a start not yet spawned ends."""
        life = self._life
        if life is None or life.task is None or life.stop_asked.is_set():
            return
        life.is_let_go = True
        life.task.cancel()
        await life.ended()

    def lease(self) -> Lease:
        """Use of the ready server. Raises NotRunning where it is not available."""
        if not self.is_available:
            raise NotRunning(self.model_id, self._unavailable_state())
        return self.leases.now

    def _move(self, event: Event) -> None:
        before, self.state = self.state, next_state(self.state, event)
        log.info("%s: %s -> %s (%s)", self.server_id, before, self.state, event)
        self._with.on_change(self)

    def _want(self, by_hand: bool) -> None:
        """A person's wish outlasts a request's, for as long as it runs."""
        was_by_hand, self.by_hand = self.by_hand, by_hand or (self._life is not None and self.by_hand)
        if self.process is not None and self.by_hand != was_by_hand:
            self._with.journal.note(self.server_id, by_hand=self.by_hand)

    def _unavailable_state(self) -> State:
        if self.is_leaving:
            return State.STOPPING
        return State.BACKOFF if self._is_lost() else self.state

    def _is_lost(self) -> bool:
        """Whether its process is gone or was found hung, and its task has not come round to that yet."""
        if self.state is not State.READY:
            return False
        return self.process is None or self._is_hung or self.process.has_exited

    def _begin(self, life: Life, event: Event, come_up: Callable[[Life], Coroutine[Any, Any, None]]) -> None:
        self._life = life
        self.failure = None
        self.keep_alive_seconds = None
        self._move(event)
        life.task = asyncio.create_task(self._live(life, come_up), name=f"server {self.server_id}")

    async def _live(self, life: Life, come_up: Callable[[Life], Coroutine[Any, Any, None]]) -> None:
        """From the ask to the end, whichever it is: stopped, failed to start, ended too often, let go."""
        try:
            await life.unless_stopped(come_up(life))
            while True:
                ended = await life.unless_stopped(self._until_ended())
                await life.unless_stopped(self._come_back(life, ended))
        except StopAsked:
            await self._wind_down(life)
        except SynapseError as error:
            await self._fail(life, error)
        except Exception as error:
            log.exception("%s: its life broke", self.server_id)
            await self._fail(life, StartFailed(f"Unexpected {type(error).__name__}: {error}"))
        finally:
            if not life.ready.done():
                life.ready.set_exception(StartCancelled(self.model_id))
            was_let_go = life.is_let_go and self.process is not None
            self._life = None
            self.process = None
            self.command = None
            self.load = None
            self.started_at = None
            if not was_let_go:
                self._with.journal.forget(self.server_id)

    async def _come_up(self, life: Life, turn: Turn) -> None:
        async with turn:
            await self._load(life, Attempt())

    async def _rejoin(self, life: Life, record: Record) -> None:
        """Wait until an adopted process answers, or go on waiting for one that was loading."""
        if self.process is None:
            raise ServerEnded("It ended while the control plane was not running (exit status unknown).")
        limit = ADOPTION_SECONDS
        if not record.was_ready:
            elapsed = time.time() - record.began_at
            limit = max(limit, self._with.limits.loading_seconds(record.command.weights_bytes) - elapsed)
            self.load = Load(record.command, self._with.paces, begun_seconds_ago=elapsed)
        if await self._watch().until_ready(limit, self._watch_load) is not None:
            raise StartFailed(f"Port {record.command.port} was taken by another process")
        self._now_ready(life)

    async def _come_back(self, life: Life, ended: ServerEnded) -> None:
        """Start it again after waits that grow. Raises the last reason once it is given up."""
        life.renew()
        loop = asyncio.get_running_loop()
        uptime_seconds = self.up_seconds
        while True:
            await self._end_process()
            self._with.journal.forget(self.server_id)
            delay = self.restarts.plan(life.ask.policy, ended.exit_code, loop.time(), uptime_seconds)
            if delay is None and not life.start_asked.is_set():
                raise ended
            self.failure = Failure.of(ended)
            self.command = None
            self._move(Event.CRASH)
            await life.unless_started(delay or 0.0)
            self._move(Event.RETRY)
            try:
                await self._load(life, Attempt(comes_back=True))
                return
            except StartFailed as error:
                if life.start_asked.is_set():
                    raise
                ended, uptime_seconds = ServerEnded(error.detail), 0.0

    async def _load(self, life: Life, attempt: Attempt) -> None:
        """Spawn and wait until it is ready: on another port where the first is a stranger's.

        A first start is tried once more where memory ran out.
        """
        while True:
            try:
                busy_port = await self._attempt(life.ask, attempt)
            except OutOfMemory:
                if attempt.ran_out or attempt.comes_back:
                    raise
                log.warning("%s: memory ran out, it is tried once more", self.server_id)
                await self._end_process()
                attempt = replace(attempt, ran_out=True)
                continue
            if busy_port is None:
                break
            attempt = replace(attempt, strangers=attempt.strangers | {busy_port})
        assert self.process is not None and self.command is not None
        await self._with.kept_caches.restore(self.process.url, self.command)
        self._now_ready(life)

    def _now_ready(self, life: Life) -> None:
        assert self.process is not None and self.command is not None
        self._ready_at = self._with.clock()
        self._is_hung = False
        if self.load is not None:
            self.load.finish()
            self.load = None
        self.failure = None
        self.leases.begin(self.process.url, self.command)
        self._with.journal.note(self.server_id, was_ready=True)
        self._move(Event.HEALTHY)
        life.start_asked.clear()
        life.ready.set_result(self.command.port)

    async def _attempt(self, ask: Ask, attempt: Attempt) -> int | None:
        """One spawn, until it is ready (None) or its port turns out to be taken (the port)."""
        command = self.command = await ask.prepare(attempt)
        if self.state is State.QUEUED:
            self._move(Event.ADMIT)
        began_at = time.time()
        self._with.journal.intend(command, began_at, by_hand=self.by_hand)
        self.process = await self._with.launcher.start(command)
        self._with.journal.note(self.server_id, process=self.process.identity())
        self.started_at = datetime.fromtimestamp(began_at, UTC)
        self.load = Load(command, self._with.paces)
        limit = self._with.limits.loading_seconds(command.weights_bytes)
        return await self._watch().until_ready(limit, self._watch_load)

    def _watch(self) -> Watch:
        assert self.process is not None and self.command is not None
        return Watch(self._with.launcher, self.command, self.process)

    async def _watch_load(self) -> None:
        if self.load is not None and self.process is not None:
            await self.load.watch(self.process, lambda: self._with.on_change(self))

    async def _until_ended(self) -> ServerEnded:
        def found_hung() -> None:
            # A start that comes before it is ended must not be told that it runs.
            self._is_hung = True

        seconds = self._with.limits.probe_seconds
        return await self._watch().until_ended(seconds, self._look_for_degradation, found_hung)

    async def _look_for_degradation(self) -> None:
        """Beside the serving, which goes on whatever comes of it."""
        assert self.command is not None
        self.degraded = await find_degradation(self._with.launcher, self.command)
        if self.degraded is not None:
            self._with.on_change(self)

    async def _fail(self, life: Life, error: SynapseError) -> None:
        await self._end_process()
        self.failure = Failure.of(error)
        self._move(Event.FAIL)
        if not life.ready.done():
            life.ready.set_exception(error)

    async def _end_process(self) -> None:
        """Kill what is left of it, and reap it."""
        if self.process is not None:
            self.process.kill()
            await self.process.wait()
            self.process = None

    async def _wind_down(self, life: Life) -> None:
        was_ready, command = self.state is State.READY, self.command
        self._move(Event.STOP)
        if not life.ready.done():
            life.ready.set_exception(StartCancelled(self.model_id))
        if self.process is not None and command is not None:
            self._with.journal.note(self.server_id, is_stopping=True)
            await life.unless_hurried(self.leases.until_idle(), self._with.limits.drain_seconds)
            if life.keeps_cache and was_ready and not self.leases.held:
                await life.unless_hurried(self._with.kept_caches.save(self.process.url, command))
            if not life.hurry.is_set():
                self.process.terminate()
                await life.unless_hurried(self.process.wait(), self._with.limits.stop_seconds)
            await self._end_process()
        self._move(Event.GONE)
