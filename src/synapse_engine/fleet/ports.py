"""Which port a server gets. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from synapse_engine.errors import NoFreePort


@dataclass(frozen=True)
class Holding:
    """A port that a model keeps. last_started_at: unix seconds, None where it never ran."""

    model_id: str
    port: int
    is_pinned: bool
    is_active: bool
    last_started_at: float | None


def plan_port(
    model_id: str,
    holdings: Iterable[Holding],
    port_range: range,
    busy: Collection[int],
) -> int:
    """The port to start on: the kept one, else the lowest free, else the one unused longest.

    busy: ports found taken by strangers during this start. A pinned port is never moved away from: a
    busy one is the caller's failure to report. Raises NoFreePort.
    """
    held = {holding.port: holding for holding in holdings}
    own = next((holding for holding in held.values() if holding.model_id == model_id), None)
    if own is not None and (own.is_pinned or (own.port in port_range and own.port not in busy)):
        return own.port
    for port in port_range:
        if port not in held and port not in busy:
            return port
    takeable = [
        holding
        for holding in held.values()
        if holding.port in port_range
        and holding.port not in busy
        and not (holding.is_pinned or holding.is_active or holding.model_id == model_id)
    ]
    if not takeable:
        raise NoFreePort(port_range.start, port_range.stop - 1)
    return min(takeable, key=lambda holding: (holding.last_started_at or 0.0, holding.port)).port
