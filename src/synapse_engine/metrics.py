"""What Prometheus sees: what is counted as it happens, and the text format.

The format is a few lines; the client library would cost every start a tenth of a second and 2 MB.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

LOAD_BUCKETS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Sample:
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True)
class Family:
    """One metric with all its samples."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    samples: Sequence[Sample]


class Histogram:
    """How many values fell below each bound, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def samples(self, labels: Mapping[str, str]) -> list[Sample]:
        samples, below = [], 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            below += count
            samples.append(Sample(below, {**labels, "le": _number(bound)}, "_bucket"))
        return [*samples, Sample(self._sum, labels, "_sum"), Sample(below, labels, "_count")]


class ServerCounts:
    """What has become of each model's server, counted from its changes of state."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[str, str] = {}
        self._loading_since: dict[str, float] = {}
        self._starts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._restarts: Counter[str] = Counter()
        self._loads: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(LOAD_BUCKETS))

    def see(self, model_id: str, state: str) -> None:
        """The state that its server is in; the same one again is no change."""
        before, self._states[model_id] = self._states.get(model_id, "stopped"), state
        if before == state:
            return
        # From `stopped` straight to `starting` is the adoption of a server that an earlier run started.
        if state == "starting" and before in ("queued", "backoff"):
            self._starts[model_id] += 1
            self._restarts[model_id] += before == "backoff"
            self._loading_since[model_id] = self._clock()
        elif state in ("failed", "backoff") and before != "backoff":
            self._failures[model_id] += 1
        began = self._loading_since.pop(model_id, None) if state != "starting" else None
        if state == "ready" and began is not None:
            self._loads[model_id].observe(self._clock() - began)

    def families(self) -> list[Family]:
        loads = [sample for model, load in self._loads.items() for sample in load.samples({"model": model})]
        return [
            _counts("synapse_server_starts_total", "Starts of a model's server.", self._starts),
            _counts("synapse_server_failures_total", "Starts and servers that failed.", self._failures),
            _counts("synapse_server_restarts_total", "Starts that followed a crash.", self._restarts),
            Family("synapse_server_load_seconds", "histogram", "From a start to ready.", loads),
        ]


def exposition(families: Iterable[Family]) -> str:
    """The text that Prometheus reads."""
    lines = []
    for family in families:
        lines.append(f"# HELP {family.name} {family.help}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for sample in family.samples:
            lines.append(f"{family.name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}")
    return "\n".join(lines) + "\n"


def _counts(name: str, help_text: str, counts: Counter[str]) -> Family:
    return Family(name, "counter", help_text, [Sample(n, {"model": model}) for model, n in counts.items()])


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
