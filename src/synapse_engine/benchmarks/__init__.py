"""Benchmark jobs: models asked the same, measured, and the fleet left as it was found."""
