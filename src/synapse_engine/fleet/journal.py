"""What was started, so that it can be found again after a crash of the control plane.

One file per server, replaced in one step: the intent before the spawn, who the process is after it, then
that it is ready, or being stopped; gone when the process is gone. Not synced to the disk: what a crash of
the machine loses here, it has ended too.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import msgspec

from synapse_engine.datafolder import file_stem
from synapse_engine.errors import CouldNotSave
from synapse_engine.launch.base import Command

log = logging.getLogger(__name__)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One server that may be running.

    process: what the launcher needs to find the process again; None before it is spawned.
    began_at: unix seconds of the spawn. was_ready, is_stopping: how far it had come.
    by_hand: a person started it, not a request.
    """

    command: Command
    began_at: float
    process: dict[str, Any] | None = None
    was_ready: bool = False
    is_stopping: bool = False
    by_hand: bool = True


class Journal:
    """The records in one folder, readable by its owner alone: they hold the servers' keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records: dict[str, Record] = {}

    def intend(self, command: Command, began_at: float, *, by_hand: bool = True) -> None:
        """Before the spawn. Raises CouldNotSave: what cannot be found again is not started."""
        self._write(command.server_id, Record(command=command, began_at=began_at, by_hand=by_hand))

    def note(self, server_id: str, **facts: Any) -> None:
        """What has become of it since. A full disk is only logged: the intent is there."""
        try:
            self._write(server_id, msgspec.structs.replace(self._records[server_id], **facts))
        except CouldNotSave as error:
            log.warning("%s: %s", server_id, error)

    def forget(self, server_id: str) -> None:
        """The process is gone."""
        self._records.pop(server_id, None)
        try:
            self._path(server_id).unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s: %s", server_id, error)

    def read(self) -> list[Record]:
        """Every record of an earlier run; one that makes no sense is logged and dropped."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                record = msgspec.json.decode(path.read_bytes(), type=Record)
            except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
                log.warning("%s makes no sense and is dropped: %s", path, error)
                path.unlink(missing_ok=True)
                continue
            self._records[record.command.server_id] = record
        return list(self._records.values())

    def _path(self, server_id: str) -> Path:
        return self._folder / f"{file_stem(server_id)}.json"

    def _write(self, server_id: str, record: Record) -> None:
        path = self._path(server_id)
        temporary = path.with_suffix(".tmp")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(msgspec.json.encode(record))
            os.replace(temporary, path)
        except OSError as error:
            raise CouldNotSave(str(path), error.strerror or str(error)) from error
        self._records[server_id] = record
