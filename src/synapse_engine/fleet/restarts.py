"""When a server that ended by itself is started again, and when it is given up. Pure but for the jitter."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

MAX_DELAY_SECONDS = 60.0
STEADY_SECONDS = 120.0
JITTER = 0.2


class RestartPolicy(StrEnum):
    """A model's `restart` setting: which ends are followed by another start."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NEVER = "never"


@dataclass
class RestartLimits:
    """At most `most` restarts within `window_seconds`; the first one after `first_delay_seconds`. What is
    changed here holds for all servers at once.
    """

    most: int = 5
    window_seconds: float = 600.0
    first_delay_seconds: float = 1.0


class Restarts:
    """The restarts of one server. `total` counts all since it was last started on purpose."""

    def __init__(self, limits: RestartLimits, jitter: Callable[[], float] = random.random) -> None:
        self.total = 0
        self._limits = limits
        self._jitter = jitter
        self._recent: list[float] = []

    def reset(self) -> None:
        """A person or a request started it: what was before does not count."""
        self.total = 0
        self._recent.clear()

    def plan(
        self, policy: RestartPolicy, exit_code: int | None, now: float, uptime_seconds: float
    ) -> float | None:
        """Seconds to wait before the next start, None to give up; counts the restart.

        The wait doubles up to 60 s with every restart in the window, plus a jitter, so that
        servers that died together do not come back together.
        """
        if policy is RestartPolicy.NEVER or (policy is RestartPolicy.ON_FAILURE and exit_code == 0):
            return None
        if uptime_seconds >= STEADY_SECONDS:
            self._recent.clear()
        self._recent = [moment for moment in self._recent if now - moment < self._limits.window_seconds]
        if len(self._recent) >= self._limits.most:
            return None
        first = self._limits.first_delay_seconds
        delay: float = min(MAX_DELAY_SECONDS, first * 2.0 ** len(self._recent))
        self._recent.append(now)
        self.total += 1
        return delay * (1 + JITTER * self._jitter())
