"""Which servers stop to make room for another. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from synapse_engine.catalog.model import Kind

# What a person started is left alone until it has been idle for so long.
BY_HAND_IDLE_SECONDS = 600.0
IDLE_STEP_SECONDS = 60.0
# What a request started is left to requests for so long, unless none comes: loads must not outweigh answers.
MIN_RESIDENCY_SECONDS = 10.0
UNWANTED_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Occupant:
    """A server that takes memory. model_id: of the model that it serves.

    taken: bytes by device. is_idle: ready, without a request. is_protected: it must not make room for this
    start, as it is of the same start-all, or has just come. is_leaving: it is being stopped, whoever wanted
    that. up_seconds: how long it has been ready. reload_bytes: what it would have to read to come back.
    """

    server_id: str
    model_id: str
    taken: Mapping[str, int]
    is_idle: bool = True
    is_pinned: bool = False
    is_protected: bool = False
    is_leaving: bool = False
    by_hand: bool = False
    idle_seconds: float = 0.0
    up_seconds: float = math.inf
    kind: Kind = Kind.CHAT
    reload_bytes: int = 0


def may_be_evicted(occupant: Occupant) -> bool:
    if occupant.is_leaving:
        return True
    if not occupant.is_idle or occupant.is_pinned or occupant.is_protected:
        return False
    return not occupant.by_hand or occupant.idle_seconds >= BY_HAND_IDLE_SECONDS


def has_just_come(occupant: Occupant) -> bool:
    """Whether another request has to leave it for a moment: a request started it, and it is still in use."""
    is_unwanted = occupant.is_idle and occupant.idle_seconds >= UNWANTED_SECONDS
    return not occupant.by_hand and occupant.up_seconds < MIN_RESIDENCY_SECONDS and not is_unwanted


def plan_eviction(short: Mapping[str, int], occupants: Iterable[Occupant]) -> tuple[str, ...] | None:
    """The ids of those that stop so that nothing is short any more; None where that cannot be reached.

    short: missing bytes by device. In this order: those that are leaving as it is, chat models before
    embedding and reranking ones, request-started before hand-started, longest idle (to the minute), cheapest
    to reload. Nobody stops in vain: who is not needed once later ones have been added is spared.
    """
    chosen: list[Occupant] = []
    for occupant in sorted(filter(may_be_evicted, occupants), key=_order):
        if _missing(short, chosen) and any(
            occupant.taken.get(name, 0) > 0 for name in _missing(short, chosen)
        ):
            chosen.append(occupant)
    if _missing(short, chosen):
        return None
    for occupant in reversed(chosen[:]):
        without = [other for other in chosen if other is not occupant]
        if not _missing(short, without):
            chosen = without
    return tuple(occupant.server_id for occupant in chosen)


def _order(occupant: Occupant) -> tuple[bool, bool, bool, float, int, str]:
    return (
        not occupant.is_leaving,
        occupant.kind is not Kind.CHAT,
        occupant.by_hand,
        -(occupant.idle_seconds // IDLE_STEP_SECONDS),
        occupant.reload_bytes,
        occupant.server_id,
    )


def _missing(short: Mapping[str, int], gone: Iterable[Occupant]) -> set[str]:
    freed = list(gone)
    return {
        name for name, size in short.items() if size > sum(occupant.taken.get(name, 0) for occupant in freed)
    }
