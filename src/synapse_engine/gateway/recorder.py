"""Takes calls that have ended, and brings them to the store and to whoever watches: beside the relay's work.

A call becomes a record in the loop's thread, a few at a time: a thread would hold the interpreter for
milliseconds on end, and a stream's next piece would wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable

from synapse_engine.errors import StoreFailed
from synapse_engine.gateway.activity import Activity
from synapse_engine.gateway.records import Record, insert, last_id, record_of
from synapse_engine.metrics import RequestMeasures
from synapse_engine.store import Store

TAKE_SECONDS = 0.5
WATCHED_TAKE_SECONDS = 0.1
# Of a core's time a record takes some 20 us.
PER_SECOND = 1_000
UNTOLD_MAX = 100
AT_A_TIME = 20

log = logging.getLogger(__name__)


async def first_id(store: Store) -> int:
    """Beyond every id of the records; where they cannot be reached, beyond what it ever came to."""
    try:
        return await store.run(last_id) + 1
    except StoreFailed:
        return time.time_ns() // 1000


class Recorder:
    """Records what has ended; of more than PER_SECOND for long, the newest. All are counted.

    kept: how many records the store keeps; may be set at any time. is_watched: whether somebody wants
    to hear of each at once.
    """

    def __init__(
        self,
        activity: Activity,
        store: Store,
        measures: RequestMeasures,
        kept: int,
        is_watched: Callable[[], bool],
    ) -> None:
        self.activity = activity
        self.store = store
        self.measures = measures
        self.recorded = 0
        self.kept = kept
        self._is_watched = is_watched
        self._unsaved: list[Record] = []
        self._untold: deque[Record] = deque(maxlen=UNTOLD_MAX)
        self._untold_count = 0
        self._is_failing = False

    async def run(self) -> None:
        """Take and save what has ended, until it is cancelled."""
        taken = 0
        while True:
            seconds = WATCHED_TAKE_SECONDS if self._is_watched() else TAKE_SECONDS
            await asyncio.sleep(max(seconds, taken / PER_SECOND))
            taken = await self._take()
            await self._save()

    async def flush(self) -> None:
        """Save all that has ended, once `run` was cancelled."""
        await self._take()
        await self._save()

    def take_untold(self) -> tuple[list[Record], int]:
        """What was recorded since the last take while somebody watched: the newest, and how many in all."""
        taken = list(self._untold), self._untold_count
        self._untold.clear()
        self._untold_count = 0
        return taken

    async def _take(self) -> int:
        """Make records of those that have ended by now; how many."""
        ended, taken, all_ = self.activity.ended, 0, len(self.activity.ended)
        while ended and taken < all_:
            record = record_of(ended.popleft())
            self._unsaved.append(record)
            self._observe(record)
            taken += 1
            if taken % AT_A_TIME == 0:
                await asyncio.sleep(0)
        return taken

    def _observe(self, record: Record) -> None:
        self.recorded += 1
        if self._is_watched():
            self._untold.append(record)
            self._untold_count += 1
        if record.model_id is None:
            return
        self.measures.observe_times(
            record.model_id, record.queue_seconds, record.first_byte_seconds, record.total_seconds
        )
        self.measures.observe_tokens(
            record.model_id, record.prompt_tokens or 0, record.cached_tokens or 0, record.output_tokens or 0
        )

    async def _save(self) -> None:
        records, self._unsaved = self._unsaved, []
        if not records:
            return

        def work(connection: sqlite3.Connection) -> None:
            insert(connection, records, self.kept)

        try:
            await self.store.run(work)
        except StoreFailed as error:
            if not self._is_failing:
                log.warning("%s; records are lost until that is over", error)
            self._is_failing = True
        else:
            if self._is_failing:
                log.info("Requests are recorded again")
            self._is_failing = False
