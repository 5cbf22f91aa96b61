"""Queries under way: each a mode that is played in a task of its own, is told, kept, and can be ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from synapse_engine.errors import Booting, StoreFailed, SynapseError
from synapse_engine.gateway.activity import Outcome
from synapse_engine.gateway.asker import GatewayAsker
from synapse_engine.gateway.candidates import Candidates
from synapse_engine.gateway.errors import CallCancelled, QueryNotFound
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.kept_queries import Keeper, delete, interrupt, load, steps_of
from synapse_engine.modes.asking import Message
from synapse_engine.modes.floor import Floor
from synapse_engine.modes.options import Options, Question
from synapse_engine.modes.playing import Plan, plan, play
from synapse_engine.modes.record import Record, busy_seconds, summed
from synapse_engine.modes.steps import Begun, Done, Mode, Problem, Status, Step
from synapse_engine.store import Store

# How many steps the reader on whose behalf it runs may be behind, before it is waited for.
BEHIND_MAX = 1_000
# How many detached queries stay readable after their end where none are kept.
ENDED_MAX = 8
OUTCOMES: Mapping[Status, Outcome] = {
    "done": Outcome.OK,
    "failed": Outcome.ERROR,
    "cancelled": Outcome.CANCELLED,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Query:
    """models: names, whom the person wants; empty: the mode picks. given: the options as they were given, for
    the record. start and deadline_seconds, of the options: None leaves them to the settings. priority: as of
    any request.
    """

    text: str
    mode: Mode = "auto"
    models: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)
    given: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Message, ...] = ()
    start: bool | None = None
    deadline_seconds: float | None = None
    priority: int = 1


@dataclass(frozen=True)
class Prepared:
    """A query that can be answered, and by whom."""

    query: Query
    question: Question
    options: Options
    plan: Plan


class Run:
    """One query under way. Attributes to read: id, record; error, why it has no answer, once it has ended."""

    def __init__(self, query_id: int, query: Query, plan: Plan, floor: Floor, keeper: Keeper) -> None:
        self.id = query_id
        self.error: SynapseError | None = None
        self.is_detached = False
        self._plan = plan
        self._floor = floor
        self._keeper = keeper
        self._steps: list[Step] = []
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._taken = 0
        begun = Begun(
            query_id,
            query.mode,
            query.text,
            datetime.now(UTC),
            list(query.models),
            dict(query.given),
            list(query.history),
        )
        self.record = Record(**vars(begun))
        self._tell(begun)
        self._task = asyncio.create_task(self._play(), name=f"query {query_id}")
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        """End it: its models are asked no more, and it is told as cancelled. Harmless once it has ended."""
        self._task.cancel()

    def detach(self, on_end: Callable[[], None]) -> None:
        """Nobody owns it any more: it is played on, whoever reads it. on_end is called once it has ended."""
        self.is_detached = True
        self._task.add_done_callback(lambda _: on_end())

    async def follow(self, *, is_owner: bool = False) -> AsyncGenerator[Step]:
        """All its steps, from the first to the last. It is played no faster than its owner reads."""
        at = 0
        while True:
            news = self._news
            while at < len(self._steps):
                step = self._steps[at]
                at += 1
                if is_owner:
                    self._taken = at
                    self._room.set()
                yield step
                if isinstance(step, Done):
                    return
            await news.wait()

    async def ended(self) -> None:
        """Until it has ended; whoever waits is its owner."""
        async with aclosing(self.follow(is_owner=True)) as steps:
            async for _ in steps:
                pass

    @property
    def is_over(self) -> bool:
        return self.record.status != "running"

    @property
    def outcome(self) -> Outcome:
        """How it has ended, as a request."""
        return OUTCOMES[self.record.status]

    async def until_kept(self) -> None:
        await asyncio.wait({self._task})
        await self._keeper.flush()

    async def _play(self) -> None:
        async with aclosing(play(self._plan, self._floor)) as steps:
            async for step in steps:
                self.record.add(step)
                self._tell(step)
                await self._until_read()

    def _end(self, task: asyncio.Task[None]) -> None:
        """Also of one that was cancelled before it had begun."""
        error = CallCancelled() if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, SynapseError):
            log.error("Query %d broke", self.id, exc_info=error)
            error = SynapseError("Internal error", f"{type(error).__name__}: {error}. This is a defect.")
        self.error = error
        done = self._done()
        self.record.add(done)
        self._tell(done)

    async def _until_read(self) -> None:
        while not self.is_detached and len(self._steps) - self._taken > BEHIND_MAX:
            self._room.clear()
            await self._room.wait()

    def _tell(self, step: Step) -> None:
        self._keeper.keep(self.id, len(self._steps), step)
        self._steps.append(step)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _done(self) -> Done:
        turns, now, error = self.record.turns, self._floor.seconds, self.error
        ends = [now if turn.ended_seconds is None else turn.ended_seconds for turn in turns]
        spans = [(turn.began_seconds, ended) for turn, ended in zip(turns, ends, strict=True)]
        usage = summed(turn.figures for turn in turns)
        if error is None:
            return Done("done", None, usage, now, busy_seconds(spans))
        status: Status = "cancelled" if isinstance(error, CallCancelled) else "failed"
        return Done(status, Problem(error.error, error.detail), usage, now, busy_seconds(spans))


class Queries:
    """Attributes: live, the runs by id, to read. To set at any time: keeper.kept; may_start and
    deadline_seconds, what goes where a query does not say it.
    """

    def __init__(
        self,
        gateway: Gateway,
        candidates: Candidates,
        keeper: Keeper,
        *,
        first_id: int,
        may_start: bool,
        deadline_seconds: float,
    ) -> None:
        self.live: dict[int, Run] = {}
        self.keeper = keeper
        self.may_start = may_start
        self.deadline_seconds = deadline_seconds
        self._gateway = gateway
        self._candidates = candidates
        self._next_id = first_id
        self._ending: set[asyncio.Task[None]] = set()
        self._ended: dict[int, Run] = {}
        self._is_closed = False

    async def prepare(self, query: Query) -> Prepared:
        """Who plays. Raises NobodyToAsk, ModelNotFound, AmbiguousModelName, BadRequest, Booting."""
        if self._is_closed:
            raise Booting
        question = Question(query.text, query.history)
        named = await self._candidates.named(query.models) if query.models else []
        pool = [] if named else await self._candidates.pool()
        options = replace(
            query.options,
            start=self.may_start if query.start is None else query.start,
            deadline_seconds=query.deadline_seconds or self.deadline_seconds,
        )
        return Prepared(query, question, options, plan(query.mode, question, options, pool, named))

    def begin(self, prepared: Prepared, client: str) -> Run:
        """It is played from now on. client: on whose behalf, as records and fairness know it."""
        query = prepared.query
        query_id = self._next_id
        self._next_id += 1
        asker = GatewayAsker(self._gateway, client, f"/api/query/{query_id}", priority=query.priority)
        floor = Floor(asker, prepared.question, prepared.options, prepared.plan.cast)
        run = self.live[query_id] = Run(query_id, query, prepared.plan, floor, self.keeper)
        if self._is_closed:
            run.cancel()  # it was being prepared when all were ended
        ending = asyncio.create_task(self._forget(run), name=f"end of query {query_id}")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        return run

    def cancel(self, query_id: int) -> bool:
        """Whether there was one under way."""
        run = self.live.get(query_id)
        if run is not None:
            run.cancel()
        return run is not None

    async def record(self, query_id: int) -> Record:
        """As far as it has come. Raises QueryNotFound, StoreFailed."""
        if (run := self._here(query_id)) is not None:
            return run.record
        await self.keeper.flush()
        found = await self.keeper.store.run(lambda connection: load(connection, query_id))
        if found is None:
            raise QueryNotFound(query_id)
        return found

    async def steps(self, query_id: int) -> AsyncGenerator[Step]:
        """From the first one on: of one under way until it ends, of an ended one those that are kept.

        Raises QueryNotFound, StoreFailed.
        """
        if (run := self._here(query_id)) is not None:
            return run.follow()
        await self.keeper.flush()
        kept = await self.keeper.store.run(lambda connection: steps_of(connection, query_id))
        if not kept:
            raise QueryNotFound(query_id)
        return _each(kept)

    async def delete(self, query_id: int) -> None:
        """Raises QueryNotFound, StoreFailed."""
        if self._ended.pop(query_id, None) is None and not await self.keeper.store.run(
            lambda connection: delete(connection, query_id)
        ):
            raise QueryNotFound(query_id)

    async def close(self) -> None:
        """End all, keep what they have come to, and refuse new ones."""
        self._is_closed = True
        for run in self.live.values():
            run.cancel()
        while self._ending:
            await asyncio.wait(self._ending)

    async def _forget(self, run: Run) -> None:
        await run.until_kept()
        if run.is_detached and self.keeper.kept == 0:
            # Whoever asked may come for the answer a moment after it is there.
            self._ended[run.id] = run
            for oldest in list(self._ended)[:-ENDED_MAX]:
                del self._ended[oldest]
        del self.live[run.id]

    def _here(self, query_id: int) -> Run | None:
        return self.live.get(query_id) or self._ended.get(query_id)


async def first_query_id(store: Store) -> int:
    """Beyond every id that is kept; what an earlier run was at is marked as interrupted."""
    try:
        return await store.run(interrupt) + 1
    except StoreFailed:
        return time.time_ns() // 1000


async def _each(steps: list[Step]) -> AsyncGenerator[Step]:
    for step in steps:
        yield step
