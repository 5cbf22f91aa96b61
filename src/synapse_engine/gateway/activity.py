"""What the gateway is answering, and what it has just answered.

`begin` and `end` are on the way of every request: they note, and leave all work on it for later.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

# Of calls that ended and are not recorded yet, the newest this many are kept; all are counted.
ENDED_MAX = 2_000
TAIL_BYTES = 4_096
HEAD_BYTES = 1_024


class Outcome(StrEnum):
    """How a call ended. ERROR: the server answered 400 or above. REFUSED: we did, without asking it."""

    OK = "ok"
    ERROR = "error"
    REFUSED = "refused"
    CLIENT_LEFT = "client_left"
    SERVER_LOST = "server_lost"
    CANCELLED = "cancelled"

    # An enum's own is a function in Python, and each call is counted by this.
    __hash__ = str.__hash__


class Stage(StrEnum):
    """How far a call is: in its line, sent to its server, or being answered.

    LOADING is how one in line is shown whose server is not ready; it is not noted.
    """

    QUEUED = "queued"
    LOADING = "loading"
    SENT = "sent"
    ANSWERING = "answering"


@dataclass(slots=True, eq=False)
class Call:
    """One request, from its arrival to its last byte.

    began_at is time.time(); began, seated, first_byte and ended are time.monotonic(). cancel: ends it from
    outside. asked: the name as it was asked for; model_id, what it came to. load_seconds: of the time until
    it was seated (given to its server), how long the server was loading. tail: the last TAIL_BYTES of the
    answer's body at most, without transfer encoding. head: its first HEAD_BYTES at most: there embeddings
    and Anthropic's streams say how long the prompt was.
    """

    id: int
    began_at: float
    began: float
    path: str
    dialect: str
    client: str
    cancel: Callable[[], None]
    asked: str = ""
    model_id: str | None = None
    server_id: str | None = None
    variant: str | None = None
    is_stream: bool = False
    stage: Stage = Stage.QUEUED
    load_seconds: float = 0.0
    seated: float | None = None
    first_byte: float | None = None
    ended: float | None = None
    status: int | None = None
    error: str | None = None
    outcome: Outcome | None = None
    head: bytes = b""
    tail: bytes = b""
    bytes_in: int = 0
    bytes_out: int = 0


class Activity:
    """Every call: `live` by id until its end, then in `ended` until it is recorded, in `counts` for ever.

    counts: calls ended, by model id (None where the name meant none), dialect and outcome; exact.
    """

    def __init__(self, first_id: int = 1) -> None:
        self.live: dict[int, Call] = {}
        self.ended: deque[Call] = deque(maxlen=ENDED_MAX)
        self.counts: defaultdict[tuple[str | None, str, Outcome], int] = defaultdict(int)
        self._next_id = first_id

    def begin(self, path: str, dialect: str, client: str, cancel: Callable[[], None]) -> Call:
        """A call that has just arrived; the caller fills in what it learns, and must `end` it."""
        call_id = self._next_id
        self._next_id = call_id + 1
        call = Call(call_id, time.time(), time.monotonic(), path, dialect, client, cancel)
        self.live[call_id] = call
        return call

    def end(self, call: Call, outcome: Outcome) -> None:
        """Once for each call, after its last byte or its refusal."""
        del self.live[call.id]
        call.ended = time.monotonic()
        call.outcome = outcome
        # It must not keep alive all that worked on it.
        call.cancel = _nothing
        self.ended.append(call)
        self.counts[call.model_id, call.dialect, outcome] += 1

    def cancel(self, call_id: int) -> bool:
        """End a live call from outside; False where there is none of that id."""
        call = self.live.get(call_id)
        if call is None:
            return False
        call.cancel()
        return True


def _nothing() -> None:
    """Too late to cancel."""
