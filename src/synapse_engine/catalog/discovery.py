"""Folders -> models: every file found, every header read once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from synapse_engine.catalog.assembly import Piece, assemble
from synapse_engine.catalog.cursor import GgufError
from synapse_engine.catalog.found import FoundFile, Skipped, explain_unreadable
from synapse_engine.catalog.gguf import ArrayMemo
from synapse_engine.catalog.header import Header, read_header_from
from synapse_engine.catalog.model import Model
from synapse_engine.catalog.names import parse_file_name
from synapse_engine.catalog.walk import find_files

Progress = Callable[[int, int], None]
"""Called with the number of files done, and of those found."""


Stamp = tuple[int, int]
"""What a file's content is taken by: its size, and when it was last written, in nanoseconds."""


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What one scan found. `models` and `skipped` are sorted by path; `seconds` is how long it took.

    broken: by path, those of the skipped whose content made no sense.
    """

    models: tuple[Model, ...]
    skipped: tuple[Skipped, ...]
    broken: dict[str, Stamp] = {}
    roots: tuple[str, ...]
    seconds: float


class HeaderCache:
    """Headers by (path, size, mtime), so that a rescan reads only what changed. For one scan at a time."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, int, int], Header | GgufError] = {}
        self._arrays = ArrayMemo()

    def header(self, file: FoundFile) -> Header:
        """Raises GgufError, and OSError for a file that cannot be opened (which is not remembered)."""
        key = (file.path, file.size, file.mtime_ns)
        known = self._read.get(key)
        if known is None:
            known = self._read[key] = _read_file(file.path, self._arrays)
        if isinstance(known, GgufError):
            raise known
        return known

    def keep_only(self, files: Iterable[FoundFile]) -> None:
        """Forget the files that are gone."""
        current = {(file.path, file.size, file.mtime_ns) for file in files}
        self._read = {key: known for key, known in self._read.items() if key in current}


def scan(
    roots: Sequence[Path], headers: HeaderCache | None = None, on_progress: Progress | None = None
) -> Scan:
    """Find every model below `roots`. Blocks: run it in a thread. No broken file or folder is fatal."""
    started = time.perf_counter()
    headers = headers or HeaderCache()
    files, skipped = find_files(roots)
    headers.keep_only(files)
    pieces: list[Piece] = []
    broken: dict[str, Stamp] = {}
    for done, file in enumerate(files):
        if on_progress:
            on_progress(done, len(files))
        try:
            pieces.append(Piece(file, parse_file_name(file.title), headers.header(file)))
        except GgufError as error:
            skipped.append(Skipped(file.path, str(error)))
            broken[file.path] = (file.size, file.mtime_ns)
        except OSError as error:
            skipped.append(Skipped(file.path, explain_unreadable(error)))
    reasons = {skip.path: skip.reason for skip in skipped}
    return Scan(
        models=tuple(sorted(assemble(pieces, reasons), key=lambda model: (model.path, model.identity))),
        skipped=tuple(sorted(skipped, key=lambda skip: skip.path)),
        broken=broken,
        roots=tuple(str(root) for root in roots),
        seconds=time.perf_counter() - started,
    )


def _read_file(path: str, arrays: ArrayMemo) -> Header | GgufError:
    # What was a file a moment ago may be a pipe now, and opening one would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        size = os.fstat(descriptor).st_size
        return read_header_from(lambda at, count: os.pread(descriptor, count, at), size, arrays)
    except GgufError as error:
        return error.with_traceback(None)
    finally:
        os.close(descriptor)
