"""Lines of a log: their level, and which of them are wanted. Pure.

llama-server's form is `0.00.010.387 W srv  llama_server: text`, perhaps coloured; our own is
`2026-01-01 00:00:00,000 WARNING text`. A line without a level belongs to the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LLAMA_SERVER = re.compile(r"(?:\d+\.\d+\.\d+\.\d+ )?([DIWE]) ")
_OWN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d+ (DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")


class Level(IntEnum):
    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


_NAMED = {
    "D": Level.DEBUG,
    "I": Level.INFO,
    "W": Level.WARNING,
    "E": Level.ERROR,
    "DEBUG": Level.DEBUG,
    "INFO": Level.INFO,
    "WARNING": Level.WARNING,
    "ERROR": Level.ERROR,
    "CRITICAL": Level.ERROR,
}


def without_colours(line: str) -> str:
    return _ANSI.sub("", line) if "\x1b" in line else line


def level_of(line: str) -> Level | None:
    """The level that the line itself names; None where it goes on with an earlier one."""
    plain = without_colours(line)
    found = _LLAMA_SERVER.match(plain) or _OWN.match(plain)
    return _NAMED[found[1]] if found else None


@dataclass
class Sieve:
    """Lets through the lines at or above a level that hold a text, in whichever case.

    Feed it a log's lines in order: it remembers the level that lines without one go on with.
    """

    level: Level = Level.DEBUG
    search: str = ""
    keeps_colours: bool = False
    _current: Level = Level.INFO

    def sift(self, lines: Iterable[str]) -> list[str]:
        wanted = self.search.casefold()
        sifted = []
        for line in lines:
            plain = without_colours(line)
            if self.level is not Level.DEBUG:
                named = level_of(plain)
                self._current = self._current if named is None else named
            if self._current >= self.level and wanted in plain.casefold():
                sifted.append(line if self.keeps_colours else plain)
        return sifted

    @property
    def takes_all(self) -> bool:
        return self.level is Level.DEBUG and not self.search
