"""The shape of `model_registry.json`, and how it is read and replaced so that no crash can harm it."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from synapse_engine.catalog.found import Skipped
from synapse_engine.catalog.model import Model, Tier
from synapse_engine.errors import CouldNotSave, SynapseError

VERSION = 1

log = logging.getLogger(__name__)


class RegistryRefused(SynapseError):
    """The saved registry is there and must not be touched, so the program cannot go on."""

    code = "registry_refused"


class Choices(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person (and the fleet, for ports) decided about one model.

    tier: overrides the model's own. settings: llama-server's, under its long names.
    last_started_at: unix seconds. held: a person stopped it, so requests do not start it.
    measured_memory_bytes: what it took when it last ran. measured_for: a digest of the settings then.
    """

    enabled: bool = False
    tier: Tier | None = None
    port: int | None = None
    port_is_pinned: bool = False
    aliases: tuple[str, ...] = ()
    settings: dict[str, Any] = {}
    last_started_at: float | None = None
    held: bool = False
    measured_memory_bytes: int | None = None
    measured_for: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model joined to its choices. `missing`: the last scan did not find its file."""

    model_id: str
    model: Model
    choices: Choices = Choices()
    missing: bool = False

    @property
    def tier(self) -> Tier:
        return self.choices.tier or self.model.tier


class SavedRegistry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file as a whole. `version` is first, so that a newer shape can still be told."""

    version: int
    entries: tuple[Entry, ...] = ()
    last_scan: datetime | None = None
    scan_seconds: float | None = None
    scan_paths: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()


class _VersionOnly(msgspec.Struct):
    version: int


def read_registry(path: Path) -> tuple[SavedRegistry, list[str]]:
    """The saved registry (an empty one where there is none), and notices for the person.

    A file that makes no sense is moved aside. Raises RegistryRefused for one of a newer version, and for
    one that cannot be read or moved.
    """
    empty = SavedRegistry(version=VERSION)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return empty, []
    except OSError as error:
        raise RegistryRefused("Could not read the registry", f"{path}: {error.strerror}") from error
    try:
        version = msgspec.json.decode(content, type=_VersionOnly).version
        if version > VERSION:
            raise _newer(path, version)
        return msgspec.json.decode(content, type=SavedRegistry), []
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return empty, [_set_aside(path, str(error))]


def write_registry(path: Path, registry: SavedRegistry) -> None:
    """Replace the file in one step that lasts. Raises CouldNotSave; then the old file is as it was.

    Once renamed, the file is the new one, whatever comes after: a folder that cannot be synced (some
    networked ones cannot) only means that a power cut may bring the old one back.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_through(temporary, msgspec.json.encode(registry))
            os.replace(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CouldNotSave(str(path), error.strerror or str(error)) from error
    try:
        _sync_folder(path.parent)
    except OSError as error:
        log.warning("%s is saved, but a power cut may undo it: %s", path, error.strerror or error)


def _newer(path: Path, version: int) -> RegistryRefused:
    return RegistryRefused(
        "The registry was written by a newer version",
        f"{path} has version {version}, and this program knows {VERSION}. Upgrade it, or move that file away "
        "to begin anew. Nothing was changed.",
    )


def _set_aside(path: Path, reason: str) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    try:
        os.replace(path, aside)
    except OSError as error:
        raise RegistryRefused(
            "The registry is damaged", f"{path}: {reason}. Moving it aside failed: {error.strerror}."
        ) from error
    return (
        f"The registry was damaged ({reason}) and has been set aside as {aside}. Models are found again "
        "by themselves; which were enabled, their ports, tiers and settings start afresh."
    )


def _write_through(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
