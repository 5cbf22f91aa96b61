"""Several servers of one model: which of them speaks for it, which answers a request. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synapse_engine.fleet.state import State

# What a model is said to be is the first of these that one of its servers is.
FIRST_TO_SPEAK = (
    State.READY,
    State.STARTING,
    State.QUEUED,
    State.STOPPING,
    State.BACKOFF,
    State.FAILED,
    State.STOPPED,
)


@dataclass(frozen=True, slots=True)
class Busy:
    """A ready replica. active: how many requests it has; slots: on how many it works at once."""

    replica: int
    active: int
    slots: int


def choose_speaker(states: Sequence[State]) -> int:
    """The place of the one whose state is the model's: it runs while one of them does."""
    return min(range(len(states)), key=lambda place: (FIRST_TO_SPEAK.index(states[place]), place))


def choose_replica(ready: Iterable[Busy], prefix: int | None) -> int:
    """The replica that a request goes to: the least busy.

    With a prefix (a number that stands for how its prompt begins) always the same, whose prompt cache is
    warm: by rendezvous hashing, so that the going of one moves the prefixes of no other. Only where that one
    has more than its slots beyond the least busy, the least busy all the same.
    """
    known = list(ready)
    least = min(known, key=lambda one: (one.active, one.replica))
    if prefix is None:
        return least.replica
    favourite = max(known, key=lambda one: _weight(prefix, one.replica))
    return favourite.replica if favourite.active - least.active <= favourite.slots else least.replica


def _weight(prefix: int, replica: int) -> bytes:
    return hashlib.blake2b(b"%d %d" % (prefix, replica), digest_size=8).digest()
