"""When a server that ended by itself is started again: the plan alone."""

from __future__ import annotations

import pytest

from synapse_engine.fleet.restarts import RestartLimits, RestartPolicy, Restarts

ALWAYS, ON_FAILURE, NEVER = RestartPolicy.ALWAYS, RestartPolicy.ON_FAILURE, RestartPolicy.NEVER


def without_jitter(limits: RestartLimits | None = None) -> Restarts:
    return Restarts(limits or RestartLimits(), jitter=lambda: 0.0)


@pytest.mark.parametrize(
    ("policy", "exit_code", "comes_back"),
    [
        (ALWAYS, 0, True),
        (ALWAYS, 1, True),
        (ON_FAILURE, 0, False),
        (ON_FAILURE, 1, True),
        (ON_FAILURE, -9, True),
        (ON_FAILURE, None, True),
        (NEVER, 1, False),
        (NEVER, None, False),
    ],
)
def test_the_policy_decides(policy: RestartPolicy, exit_code: int | None, comes_back: bool) -> None:
    delay = without_jitter().plan(policy, exit_code, now=0.0, uptime_seconds=0.0)
    assert (delay is not None) is comes_back


def test_the_wait_doubles_up_to_a_minute() -> None:
    restarts = without_jitter(RestartLimits(most=9))
    delays = [restarts.plan(ALWAYS, 1, now=float(n), uptime_seconds=0.0) for n in range(9)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert restarts.total == 9


def test_the_jitter_lengthens_it_by_a_fifth_at_most() -> None:
    restarts = Restarts(RestartLimits(), jitter=lambda: 1.0)
    assert restarts.plan(ALWAYS, 1, now=0.0, uptime_seconds=0.0) == pytest.approx(1.2)


def test_too_many_in_the_window_are_given_up() -> None:
    restarts = without_jitter(RestartLimits(most=2, window_seconds=100))
    assert restarts.plan(ALWAYS, 1, now=0.0, uptime_seconds=0.0) is not None
    assert restarts.plan(ALWAYS, 1, now=50.0, uptime_seconds=0.0) is not None
    assert restarts.plan(ALWAYS, 1, now=99.0, uptime_seconds=0.0) is None
    assert restarts.plan(ALWAYS, 1, now=120.0, uptime_seconds=0.0) is not None


def test_steady_uptime_resets_the_count() -> None:
    restarts = without_jitter(RestartLimits(most=1))
    assert restarts.plan(ALWAYS, 1, now=0.0, uptime_seconds=0.0) == 1
    assert restarts.plan(ALWAYS, 1, now=10.0, uptime_seconds=119.0) is None
    assert restarts.plan(ALWAYS, 1, now=10.0, uptime_seconds=120.0) == 1


def test_a_start_on_purpose_resets_it_too() -> None:
    restarts = without_jitter(RestartLimits(most=1))
    restarts.plan(ALWAYS, 1, now=0.0, uptime_seconds=0.0)
    restarts.reset()
    assert restarts.total == 0
    assert restarts.plan(ALWAYS, 1, now=1.0, uptime_seconds=0.0) == 1
