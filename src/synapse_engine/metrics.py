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

REQUEST_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
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
    """What has become of each model's servers, counted from its changes of state."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[tuple[str, int], str] = {}
        self._loading_since: dict[tuple[str, int], float] = {}
        self._starts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._restarts: Counter[str] = Counter()
        self._loads: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(LOAD_BUCKETS))

    def see(self, model_id: str, state: str, replica: int = 1) -> None:
        """The state that a server of it is in; the same one again is no change."""
        server = model_id, replica
        before, self._states[server] = self._states.get(server, "stopped"), state
        if before == state:
            return
        # From `stopped` straight to `starting` is the adoption of a server that an earlier run started.
        if state == "starting" and before in ("queued", "backoff"):
            self._starts[model_id] += 1
            self._restarts[model_id] += before == "backoff"
            self._loading_since[server] = self._clock()
        elif state in ("failed", "backoff") and before != "backoff":
            self._failures[model_id] += 1
        began = self._loading_since.pop(server, None) if state != "starting" else None
        if state == "ready" and began is not None:
            self._loads[model_id].observe(self._clock() - began)

    def families(self) -> list[Family]:
        return [
            _counts("synapse_server_starts_total", "Starts of a model's server.", self._starts),
            _counts("synapse_server_failures_total", "Starts and servers that failed.", self._failures),
            _counts("synapse_server_restarts_total", "Starts that followed a crash.", self._restarts),
            _times("synapse_server_load_seconds", "From a start to ready.", self._loads),
        ]


class RequestMeasures:
    """How long the recorded requests of each model took, and their tokens."""

    def __init__(self) -> None:
        self._queue, self._first_byte, self._total = (
            defaultdict[str, Histogram](lambda: Histogram(REQUEST_BUCKETS)) for _ in range(3)
        )
        self._prompt: Counter[str] = Counter()
        self._cached: Counter[str] = Counter()
        self._output: Counter[str] = Counter()

    def observe_times(
        self, model_id: str, queue_seconds: float, first_byte_seconds: float | None, total_seconds: float
    ) -> None:
        self._queue[model_id].observe(queue_seconds)
        self._total[model_id].observe(total_seconds)
        if first_byte_seconds is not None:
            self._first_byte[model_id].observe(first_byte_seconds)

    def observe_tokens(self, model_id: str, prompt: int, cached: int, output: int) -> None:
        self._prompt[model_id] += prompt
        self._cached[model_id] += cached
        self._output[model_id] += output

    def families(self) -> list[Family]:
        return [
            _times("synapse_request_queue_seconds", "Until it was given to its server.", self._queue),
            _times("synapse_request_first_byte_seconds", "Until the answer began.", self._first_byte),
            _times("synapse_request_seconds", "Until the last byte.", self._total),
            _counts("synapse_prompt_tokens_total", "Tokens of prompts, cached ones too.", self._prompt),
            _counts(
                "synapse_cached_tokens_total", "Of these, those taken from a prompt cache.", self._cached
            ),
            _counts("synapse_output_tokens_total", "Tokens of answers.", self._output),
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


def _times(name: str, help_text: str, times: Mapping[str, Histogram]) -> Family:
    samples = [sample for model, histogram in times.items() for sample in histogram.samples({"model": model})]
    return Family(name, "histogram", help_text, samples)


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
