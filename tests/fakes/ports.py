"""Ports that nobody uses, below the range that the system gives to outgoing connections."""

from __future__ import annotations

import contextlib
import os
import random
import socket

FIRST, LAST = 20_000, 31_900
# Tests that run beside each other have a share each, so that none takes what another has only found yet.
SHARES = 8
SHARE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES
SHARE_SIZE = (LAST - FIRST) // SHARES


def free_ports(count: int) -> range:
    """A block of neighbours that were free a moment ago."""
    while True:
        start = FIRST + SHARE * SHARE_SIZE + random.randrange(SHARE_SIZE - count)
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in range(start, start + count):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return range(start, start + count)


def free_port() -> int:
    return free_ports(1).start
