"""What was looked at, and how it came out."""

from __future__ import annotations

import time


class Unexpected(Exception):
    """What follows makes no sense without what was expected here."""


class Report:
    """Says what was looked at, when, and counts."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self._began = time.monotonic()

    def check(self, is_right: bool, what: str, seen: object = "") -> None:
        self.passed += is_right
        self.failed += not is_right
        tail = f": {seen}" if seen != "" else ""
        self._line("ok" if is_right else "FAILED", f"{what}{tail}")

    def note(self, what: str) -> None:
        self._line("", what)

    def _line(self, verdict: str, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.2f} s  {verdict:<7}{text}", flush=True)
