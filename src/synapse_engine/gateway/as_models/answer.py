"""A mode in a server's place: it answers one request of the relay, in a task of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from typing import Protocol

from synapse_engine.errors import SynapseError
from synapse_engine.gateway.activity import Outcome
from synapse_engine.gateway.as_models.asked import ModeAsked
from synapse_engine.gateway.as_models.told import AnthropicTeller, OpenAITeller, Teller
from synapse_engine.gateway.as_models.voice import Voice
from synapse_engine.gateway.dialect import Dialect
from synapse_engine.gateway.headers import STREAM_HEADERS
from synapse_engine.gateway.heads import AnswerHead
from synapse_engine.gateway.news import Manner
from synapse_engine.gateway.queries import Queries, Run
from synapse_engine.gateway.silence import with_silences
from synapse_engine.gateway.upstream import Answering

KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = b":\n\n"
JSON_HEADERS = [(b"content-type", b"application/json")]

log = logging.getLogger(__name__)


class Waiting(Answering, Protocol):
    """Who is told the answer, or why there is none."""

    def fail(self, error: SynapseError, outcome: Outcome) -> None: ...


class ModeAnswer:
    """In place of a connection to a server: it is paused, resumed and aborted as one."""

    def __init__(
        self,
        queries: Queries,
        waiting: Waiting,
        asked: ModeAsked,
        dialect: Dialect,
        client: str,
        manner: Manner,
    ) -> None:
        self._queries = queries
        self._waiting: Waiting | None = waiting
        self._asked = asked
        self._dialect = dialect
        self._client = client
        self._voice = Voice(manner)
        self._may_tell = asyncio.Event()
        self._may_tell.set()
        self._has_begun = False
        self._task = asyncio.create_task(self._answer(), name=f"{asked.name} in a server's place")

    def pause(self) -> None:
        self._may_tell.clear()

    def resume(self) -> None:
        self._may_tell.set()

    def abort(self) -> None:
        self._waiting = None
        self._task.cancel()

    async def _answer(self) -> None:
        try:
            run = self._queries.begin(await self._queries.prepare(self._asked.query), self._client)
            try:
                await (self._stream(run) if self._asked.is_stream else self._whole(run))
            finally:
                run.cancel()
            if run.error is not None:
                self._fail(run.error, run.outcome)
        except SynapseError as error:
            self._fail(error, Outcome.REFUSED)
        except Exception as error:
            log.exception("%s broke", self._asked.name)
            self._fail(SynapseError("Internal error", f"{type(error).__name__}: {error}"), Outcome.ERROR)

    async def _whole(self, run: Run) -> None:
        await run.ended()
        if run.error is not None:
            return
        data = self._teller(run).whole(run.record)
        if self._waiting is not None:
            self._waiting.answer_begins(_head(JSON_HEADERS), len(data))
        self._tell(data)
        self._end()

    async def _stream(self, run: Run) -> None:
        teller = self._teller(run)
        async with aclosing(with_silences(run.follow(is_owner=True), KEEP_ALIVE_SECONDS)) as steps:
            async for step in steps:
                if step is None:
                    told = [KEEP_ALIVE] if self._has_begun else []
                else:
                    told = [teller.say(said) for said in self._voice.hear(step)]
                if not told:
                    continue
                if not self._has_begun:
                    self._begin_stream()
                    told.insert(0, teller.begin())
                self._tell(b"".join(told))
                await self._may_tell.wait()
        if run.error is not None:
            return
        self._tell(teller.end(run.record))
        self._end()

    def _begin_stream(self) -> None:
        self._has_begun = True
        if self._waiting is not None:
            self._waiting.answer_begins(_head(STREAM_HEADERS), None)

    def _tell(self, data: bytes) -> None:
        if self._waiting is not None:
            self._waiting.answer_goes_on(data)
            self._waiting.has_read()

    def _end(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.answer_ends()

    def _fail(self, error: SynapseError, outcome: Outcome) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.fail(error, outcome)

    def _teller(self, run: Run) -> Teller:
        if self._dialect is Dialect.ANTHROPIC:
            return AnthropicTeller(run.id, self._asked.name)
        return OpenAITeller(run.id, self._asked.name, int(time.time()), with_usage=self._asked.with_usage)


def _head(headers: list[tuple[bytes, bytes]]) -> AnswerHead:
    return AnswerHead(200, b"OK", headers, dict(headers))
