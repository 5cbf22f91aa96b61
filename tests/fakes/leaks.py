"""What a process keeps: sockets, objects, memory."""

from __future__ import annotations

import gc
import os
import statistics
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import psutil

# By then caches, pools and tables are full.
WARM_SHARE = 0.25
COMPARED_SHARE = 0.15
# What a request may leave behind.
LEFT_BYTES_PER_REQUEST = 100


@dataclass(frozen=True)
class Sample:
    seconds: float
    requests: int
    resident_bytes: int

    def __str__(self) -> str:
        return f"{self.seconds:6.1f} s {self.requests:8} {self.resident_bytes / 1e6:7.1f} MB"


def assert_flat(samples: Sequence[Sample], *, spread_bytes: int) -> None:
    """From when it is warm to the end, less is left of each request than would be a leak.

    spread_bytes: what the allocator may do to all of it.
    """
    warm, compared = int(len(samples) * WARM_SHARE), max(2, int(len(samples) * COMPARED_SHARE))
    first, last = samples[warm : warm + compared], samples[-compared:]
    grown = statistics.median(each.resident_bytes for each in last)
    grown -= statistics.median(each.resident_bytes for each in first)
    requests = last[0].requests - first[-1].requests
    series = "\n".join(map(str, samples))
    assert grown <= spread_bytes + LEFT_BYTES_PER_REQUEST * requests, f"grown by {grown}\n{series}"


def sockets_on(ports: Collection[int]) -> int:
    """Of this process, those of connections at either end of which is one of these ports."""
    connections = psutil.Process(os.getpid()).net_connections("tcp")
    return sum(
        bool({address.port for address in (each.laddr, each.raddr) if address} & set(ports))
        for each in connections
        if each.status != psutil.CONN_LISTEN
    )


def living(*kinds: type) -> Counter[str]:
    """How many objects of these kinds there are, by name; subclasses count as theirs."""
    gc.collect()
    return Counter(
        kind.__name__ for each in gc.get_objects() for kind in kinds if issubclass(type(each), kind)
    )
