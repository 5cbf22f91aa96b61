"""Two ways of doing the same thing, in turn, every run printed with its spread."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence

Timed = Callable[[], float]


def print_machine() -> None:
    """What the figures were seen on; the whole run is pinned to the cores that it names."""
    cores = sorted(os.sched_getaffinity(0))
    model = platform.processor() or platform.machine()
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), model)
    print(f"# {model}, cores {cores}, Linux {platform.release()}, Python {platform.python_version()}")


def compare(what: str, ours: Timed, theirs: Timed, rounds: int, *, peer: str) -> float:
    """Run both in turn, after one uncounted round; print every pair; return the median of the ratios."""
    ours(), theirs()
    print(f"\n{what}: ours against {peer}, {rounds} pairs in turn, seconds")
    pairs = []
    for number in range(rounds):
        # The order changes every round, so that neither always finds the machine as the other left it.
        if number % 2:
            their_seconds, our_seconds = theirs(), ours()
        else:
            our_seconds, their_seconds = ours(), theirs()
        pairs.append((our_seconds, their_seconds))
        print(f"  {our_seconds:8.4f} {their_seconds:8.4f}  ratio {our_seconds / their_seconds:5.3f}")
    ratios = [our_seconds / their_seconds for our_seconds, their_seconds in pairs]
    print_spread("ours", [our_seconds for our_seconds, _ in pairs])
    print_spread(peer, [their_seconds for _, their_seconds in pairs])
    print_spread("ratio", ratios)
    print_spread("difference", [our_seconds - their_seconds for our_seconds, their_seconds in pairs])
    return statistics.median(ratios)


def print_spread(name: str, values: Sequence[float], unit: str = "") -> None:
    """Minimum, median and maximum on one line."""
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"  {name:<24} min {low:9.4f}  median {middle:9.4f}  max {high:9.4f} {unit}".rstrip())
