"""Which port a server gets. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from synapse_engine.errors import NoFreePort


@dataclass(frozen=True)
class Holding:
    """A port that a server keeps. last_started_at: unix seconds, None where it never ran."""

    server_id: str
    port: int
    is_pinned: bool
    is_active: bool
    last_started_at: float | None


def plan_port(
    server_id: str,
    holdings: Iterable[Holding],
    port_range: range,
    busy: Collection[int],
) -> int:
    """The port to start on: the kept one, else the lowest free, else the one unused longest.

    busy: ports found taken by strangers during this start. A pinned port is never moved away from: a
    busy one is the caller's failure to report. Raises NoFreePort.
    """
    holdings = list(holdings)
    own = next((holding for holding in holdings if holding.server_id == server_id), None)
    others = [holding for holding in holdings if holding is not own]
    kept = {holding.port for holding in others if holding.is_pinned or holding.is_active}
    if own is not None and (own.is_pinned or (own.port in port_range and own.port not in kept | {*busy})):
        return own.port
    held = {holding.port for holding in others}
    for port in port_range:
        if port not in held and port not in busy:
            return port
    takeable = [
        holding
        for holding in others
        if holding.port in port_range and holding.port not in kept and holding.port not in busy
    ]
    if not takeable:
        raise NoFreePort(port_range.start, port_range.stop - 1)
    return min(takeable, key=lambda holding: (holding.last_started_at or 0.0, holding.port)).port
