"""Benchmarks made by hand, for what is pure about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synapse_engine.benchmarks.prompts import Prompt
from synapse_engine.benchmarks.record import Benchmark, BenchmarkStatus, Contestant, Sample, Wanted


def contestant(name: str, model_id: str | None = None) -> Contestant:
    return Contestant(name, model_id or name, name.title())


def wanted(models: str = "a b", prompts: str = "one two", **how: Any) -> Wanted:
    """Models and prompts by their names."""
    return Wanted(
        tuple(contestant(name) for name in models.split()),
        tuple(Prompt(name, f"Say {name}.") for name in prompts.split()),
        **how,
    )


def benchmark(of: Wanted, samples: Sequence[Sample] = (), **facts: Any) -> Benchmark:
    made = Benchmark(1, of, 1_700_000_000.0, len(samples), status=BenchmarkStatus.DONE, **facts)
    made.samples = list(samples)
    return made


def sample(model: str, prompt: int = 0, repetition: int = 1, **figures: Any) -> Sample:
    return Sample(model, prompt, repetition, 1_700_000_000.0, **figures)
