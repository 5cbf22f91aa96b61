"""From samples to figures: how much they spread, never only their middle. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from synapse_engine.benchmarks.record import Sample

# By name what is told of samples; each an attribute of `Sample`.
MEASURES = (
    "first_token_seconds",
    "prompt_per_second",
    "output_per_second",
    "total_seconds",
    "prompt_tokens",
    "output_tokens",
    "energy_joules",
)


class Spread(msgspec.Struct, frozen=True):
    """Of `count` values; p10 and p90: a tenth is below, a tenth above, interpolated."""

    count: int
    median: float
    minimum: float
    maximum: float
    p10: float
    p90: float

    @property
    def relative(self) -> float | None:
        """From p10 to p90, as a share of the median."""
        return (self.p90 - self.p10) / self.median if self.median else None


def spread(values: Iterable[float | None]) -> Spread | None:
    """Of those that are known; None where none is."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    return Spread(
        len(known), quantile(known, 0.5), known[0], known[-1], quantile(known, 0.1), quantile(known, 0.9)
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Between the two nearest, in proportion (Hyndman and Fan's type 7). ordered: at least one."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def by_model_and_prompt(samples: Iterable[Sample]) -> Mapping[tuple[str, int], list[Sample]]:
    """In their order; empty for who was never asked."""
    found: defaultdict[tuple[str, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.model, sample.prompt].append(sample)
    return found


def summarize(samples: Iterable[Sample]) -> Mapping[str, Spread | None]:
    """By measure, of those that were answered."""
    answered = [sample for sample in samples if sample.problem is None]
    return {name: spread(getattr(sample, name) for sample in answered) for name in MEASURES}


def highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
