"""What a walk hands on: files, and what could not be looked at."""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec


class Skipped(msgspec.Struct, frozen=True):
    """A file or folder that gave no model, and why, in words."""

    path: str
    reason: str


class FoundFile(NamedTuple):
    """One GGUF file.

    path: absolute, as met. identity: what choices stick to. repo: `org/name` where the store tells it.
    group: what belongs together: a folder, a snapshot, a repository. title: the file's name as its maker
    gave it, where the store keeps it under another. names: what else the store calls it.
    mmproj, adapters: further files that the store says belong to it.
    """

    path: str
    size: int
    mtime_ns: int
    identity: str
    repo: str | None
    group: str
    title: str
    names: tuple[str, ...] = ()
    mmproj: str | None = None
    adapters: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return os.path.dirname(self.path)

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


def explain_unreadable(error: OSError, needed: str = "r") -> str:
    """In words, with what to do; `needed` are the permissions as chmod spells them."""
    if isinstance(error, PermissionError):
        return f"cannot be read: permission denied. Allow it with chmod a+{needed} (and a+rx above it)"
    return f"cannot be read: {error.strerror or error}"
