"""What can go wrong with a benchmark.

SynapseError
  BenchmarkNotFound        404
  BenchmarkIsActive        409
  TooManyBenchmarks        429
  NothingToMeasure         422
"""

from __future__ import annotations

from synapse_engine.errors import SynapseError


class BenchmarkNotFound(SynapseError):
    code = "benchmark_not_found"
    status = 404

    def __init__(self, benchmark_id: int) -> None:
        super().__init__(f"Benchmark not found: {benchmark_id}", "GET /api/benchmarks lists them.")


class BenchmarkIsActive(SynapseError):
    code = "benchmark_is_active"
    status = 409

    def __init__(self, benchmark_id: int) -> None:
        super().__init__(f"Benchmark has not ended: {benchmark_id}", "Cancel it first, then delete it.")


class TooManyBenchmarks(SynapseError):
    code = "too_many_benchmarks"
    status = 429
    retry_after_seconds = 60

    def __init__(self, most: int) -> None:
        super().__init__("Too many benchmarks are waiting", f"There may be {most}. Cancel some, or wait.")


class NothingToMeasure(SynapseError):
    code = "nothing_to_measure"
    status = 422

    def __init__(self) -> None:
        super().__init__("No model to ask", "Name models, or enable some: those that chat are taken then.")
