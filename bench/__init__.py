"""Figures, each side by side with doing it by hand or with a peer, in turn, every run printed.

Run one with `python -m bench.NAME`; `docs/benchmarks.md` holds what was seen, when and where.
"""
