"""What a mode costs over its models' own time, per step of it: real llama-servers under three names.

A step is a round: turns that go on at the same time are one. Of each query: what its client waited, less each
round's slowest turn, by the time from when its server was given it to its end. And the same against
llama-server's own `timings`, where its handling of the request is no part of the model's time.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.control_plane import ControlPlane, control_plane, model_path
from bench.sidebyside import print_machine, print_spread

NAMES = ("Alpha", "Beta", "Gamma")
TIERS = ("fast", "balanced", "powerful")
BUDGET_MS = 20.0
QUESTION = "What is the capital of France? Answer in one sentence."
OPTIONS: dict[str, Any] = {"max_tokens": 24, "temperature": 0, "seed": 1}
MODES: dict[str, dict[str, Any]] = {
    "simple": {},
    "two_stage": {},
    "council": {},
    "debate": {"turns": 4},
    "benchmark": {},
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder, "models")
        models.mkdir()
        for name in NAMES:
            shutil.copy(model_path(), models / f"{name}-135M-Instruct.Q4_1.gguf")
        with control_plane(Path(folder, "data"), models) as plane:
            prepare(plane)
            medians = {mode: measure(plane, mode, rounds) for mode in MODES}
    for mode, milliseconds in medians.items():
        verdict = "met" if milliseconds <= BUDGET_MS else "NOT MET"
        print(f"{mode}: {milliseconds:.1f} ms per step, at most {BUDGET_MS:g}: {verdict}")


def prepare(plane: ControlPlane) -> None:
    """All three run, each in a tier of its own."""
    for name, tier in zip(NAMES, TIERS, strict=True):
        choices = {"enabled": True, "tier": tier, "settings": {"ctx_size": 2048, "cache_ram": 0}}
        plane.call("PATCH", f"/api/models/{name.lower()}_135m_fast", choices)
    plane.call("POST", "/api/models/servers/start-all")


def measure(plane: ControlPlane, mode: str, rounds: int) -> float:
    """The median of what a step costs, in milliseconds, after one query that does not count."""
    body = {"query": QUESTION, "mode": mode, "options": OPTIONS | MODES[mode]}
    plane.call("POST", "/api/query", body)
    print(
        f"\n{mode}: {rounds} queries; seconds waited, steps, ms per step over the turns, and over `timings`"
    )
    found: list[tuple[float, float]] = []
    for _ in range(rounds):
        began = time.perf_counter()
        record = plane.call("POST", "/api/query", body)
        waited = time.perf_counter() - began
        steps = len({step_of(turn, mode) for turn in record["turns"]})
        over = [(waited - slowest(record, mode, own)) / steps * 1e3 for own in (by_turn, by_timings)]
        found.append((over[0], over[1]))
        print(f"  {waited:8.3f} {steps:3} {over[0]:8.2f} {over[1]:8.2f}")
    print_spread("over the turns", [each for each, _ in found], "ms")
    print_spread("over timings", [each for _, each in found], "ms")
    return statistics.median(each for each, _ in found)


def step_of(turn: Any, mode: str) -> object:
    """Turns of a council's round go on at the same time; all others follow one another."""
    return turn["round"] if mode == "council" else turn["turn"]


def slowest(record: Any, mode: str, own: Callable[[Any], float]) -> float:
    """Seconds: of each step its longest turn, all steps together."""
    longest: dict[object, float] = {}
    for turn in record["turns"]:
        step = step_of(turn, mode)
        longest[step] = max(longest.get(step, 0.0), own(turn["figures"]))
    return sum(longest.values())


def by_turn(figures: Any) -> float:
    return float(figures["total_seconds"])


def by_timings(figures: Any) -> float:
    """A speed is null where there was a single token, whose time is none."""
    read = figures["prompt_tokens"] - (figures["cached_tokens"] or 0)
    reading = read / figures["prompt_per_second"] if figures["prompt_per_second"] else 0.0
    writing = figures["output_tokens"] / figures["output_per_second"] if figures["output_per_second"] else 0.0
    return float(reading + writing)


if __name__ == "__main__":
    main()
