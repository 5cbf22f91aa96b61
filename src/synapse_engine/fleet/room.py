"""What is free, and whether a start fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from synapse_engine.fleet.eviction import (
    BY_HAND_IDLE_SECONDS,
    IDLE_STEP_SECONDS,
    Occupant,
    may_be_evicted,
    plan_eviction,
)
from synapse_engine.fleet.placement import Placement
from synapse_engine.launch.base import RAM, Device

MB = 1_000_000
MIB = 1 << 20
# Of RAM, where no limit is set, the rest is left to the system.
SHARE_FOR_SERVERS = 0.9
# What llama-server's own fit leaves free on each GPU.
GPU_MARGIN_BYTES = 1 << 30
CACHE_MAX_BYTES = 2 << 30
SHARE_OF_CACHES = 10


@dataclass(frozen=True)
class Holding:
    """One server's reservation by device, and what its process has taken of it in RAM so far."""

    reserved: Mapping[str, int]
    taken_bytes: int


@dataclass(frozen=True, kw_only=True)
class Space:
    """A device as it is for one more server. limit_bytes: for all servers together."""

    name: str
    kind: Literal["ram", "gpu"]
    total_bytes: int
    limit_bytes: int
    reserved_bytes: int
    free_bytes: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """fits: with those stopped that `evicts` names, and once those have left that `awaits` names.

    short: missing bytes by device, where it does not fit.
    """

    fits: bool
    placement: Placement
    evicts: tuple[str, ...] = ()
    awaits: tuple[str, ...] = ()
    short: Mapping[str, int]


def plan_spaces(
    devices: Sequence[Device], limit_bytes: int | None, holdings: Iterable[Holding]
) -> list[Space]:
    """Free is what the limit leaves beside what servers hold, and never more than the machine has left
    beside what they were promised and have not taken yet. Memory that a GPU shares with the machine is RAM's.
    """
    held = list(holdings)
    return [_space(device, limit_bytes, held) for device in devices if not device.shares_ram]


def _space(device: Device, limit_bytes: int | None, holdings: Sequence[Holding]) -> Space:
    if device.kind == "ram":
        share = int(device.total_bytes * SHARE_FOR_SERVERS)
        limit = share if limit_bytes is None else limit_bytes
        reserved = sum(max(holding.reserved.get(RAM, 0), holding.taken_bytes) for holding in holdings)
        promised = sum(max(0, holding.reserved.get(RAM, 0) - holding.taken_bytes) for holding in holdings)
        left = device.free_bytes - promised
    else:
        limit = max(0, device.total_bytes - GPU_MARGIN_BYTES)
        reserved = sum(holding.reserved.get(device.name, 0) for holding in holdings)
        # A process that has taken no RAM yet has taken nothing of the GPU either.
        waiting = sum(holding.reserved.get(device.name, 0) for holding in holdings if not holding.taken_bytes)
        left = device.free_bytes - GPU_MARGIN_BYTES - waiting
    return Space(
        name=device.name,
        kind=device.kind,
        total_bytes=device.total_bytes,
        limit_bytes=limit,
        reserved_bytes=reserved,
        free_bytes=max(0, min(limit - reserved, left)),
    )


def plan_admission(
    placements: Sequence[Placement],
    spaces: Sequence[Space],
    occupants: Iterable[Occupant],
    *,
    may_evict: bool,
    must_evict: bool = False,
) -> Verdict:
    """The best placement that fits, in what is free or after others have stopped.

    A better placement with an eviction goes before a smaller one without. must_evict: one that may go is
    stopped in any case, as what seemed to be free was not. Where nothing fits, the smallest is judged.
    """
    known = list(occupants)
    leaving = {occupant.server_id for occupant in known if occupant.is_leaving}
    going = known if may_evict else [occupant for occupant in known if occupant.is_leaving]
    for placement in placements:
        short = _short(placement, spaces)
        if not short and not must_evict:
            return Verdict(fits=True, placement=placement, short={})
        stops = plan_eviction(short or {RAM: 1}, going)
        if stops is not None or not short:
            evicts = tuple(server_id for server_id in stops or () if server_id not in leaving)
            awaits = tuple(server_id for server_id in stops or () if server_id in leaving)
            return Verdict(fits=True, placement=placement, evicts=evicts, awaits=awaits, short={})
    return Verdict(fits=False, placement=placements[-1], short=_short(placements[-1], spaces))


def plan_wait(
    placements: Sequence[Placement], spaces: Sequence[Space], occupants: Iterable[Occupant]
) -> tuple[str, ...]:
    """Who would have to finish so that a start by request fits, where it does not fit now.

    Request-started, unpinned ones that are in use, are coming up or have just come; those that may stop as
    it is are taken first. Empty where no waiting helps, and where it fits.
    """
    now = list(occupants)
    if plan_admission(placements, spaces, now, may_evict=True).fits:
        return ()
    busy = {occupant.server_id for occupant in now if _may_finish(occupant)}
    later = [
        replace(occupant, is_idle=True, is_protected=False, idle_seconds=-IDLE_STEP_SECONDS)
        if occupant.server_id in busy
        else occupant
        for occupant in now
    ]
    evicts = plan_admission(placements, spaces, later, may_evict=True).evicts
    return tuple(server_id for server_id in evicts if server_id in busy)


def grant_cache(ram: Space, need_bytes: int, given_bytes: int) -> int:
    """A prompt cache out of what is left over: no start is refused for it, and nobody stops for it.

    At most 2 GiB, half of what is left of a tenth of the limit (given_bytes: what others have of that), and
    half of what is free beside the model. Whole MiB, as llama-server takes it.
    """
    pool = ram.limit_bytes // SHARE_OF_CACHES - given_bytes
    left = ram.free_bytes - need_bytes
    return max(0, min(CACHE_MAX_BYTES, pool // 2, left // 2)) // MIB * MIB


def explain_refusal(verdict: Verdict, spaces: Sequence[Space], occupants: Iterable[Occupant]) -> str:
    """What it needs, what is free and what would have to stop, in words."""
    known = {space.name: space for space in spaces}
    parts = []
    for name, missing in verdict.short.items():
        space = known.get(name)
        free = space.free_bytes if space else 0
        parts.append(f"It needs {_mb(free + missing)} MB of {name}, and {_mb(free)} MB are free")
    return ". ".join([*parts, _way_out(verdict, spaces, list(occupants)), "force=true starts it anyway."])


def _way_out(verdict: Verdict, spaces: Sequence[Space], occupants: Sequence[Occupant]) -> str:
    limits = {space.name: space.limit_bytes for space in spaces}
    too_large = [name for name, size in verdict.placement.need.items() if size > limits.get(name, 0)]
    if too_large:
        held = ", ".join(f"{_mb(limits.get(name, 0))} MB of {name}" for name in too_large)
        return f"All servers together may have {held}"
    patient = [
        replace(
            occupant,
            is_idle=True,
            is_pinned=False,
            is_protected=False,
            by_hand=not may_be_evicted(occupant),
            idle_seconds=occupant.idle_seconds + BY_HAND_IDLE_SECONDS,
        )
        for occupant in occupants
    ]
    stops = plan_eviction(verdict.short, patient)
    if not stops:
        return "Other programs hold the rest"
    return f"To free enough, {', '.join(stops)} would have to stop"


def _may_finish(occupant: Occupant) -> bool:
    return not (may_be_evicted(occupant) or occupant.by_hand or occupant.is_pinned)


def _short(placement: Placement, spaces: Sequence[Space]) -> dict[str, int]:
    free = {space.name: space.free_bytes for space in spaces}
    return {
        name: size - free.get(name, 0) for name, size in placement.need.items() if size > free.get(name, 0)
    }


def _mb(size_bytes: int) -> int:
    return -(-size_bytes // MB)
