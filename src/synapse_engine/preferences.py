"""What a person changes while it runs: settings, and further folders to search. One file, one writer.

Flags, the environment and `.env` go before it. So what is saved of a setting that one of them names has no
effect until they do not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from pydantic import ValidationError
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from synapse_engine.datafolder import replace_file
from synapse_engine.errors import InvalidChoice
from synapse_engine.settings import CHANGEABLE, Settings

Source = Literal["flag", "environment", ".env", "saved", "default"]

log = logging.getLogger(__name__)


class _Saved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    settings: dict[str, Any] = {}
    folders: tuple[str, ...] = ()


class Preferences:
    """Attributes to read: now, the settings as they are, a new one for each change; path, of the file."""

    def __init__(self, given: Settings, path: Path) -> None:
        """given: from flags, the environment, `.env` and the defaults."""
        self._given = given
        self.path = path
        self._saved = _read(path)
        self._given_by = _sources(given)
        self._writer = asyncio.Lock()
        self.now = self._applied(self._saved.settings)

    @property
    def saved(self) -> Mapping[str, Any]:
        """By field; those without effect too."""
        return self._saved.settings

    @property
    def folders(self) -> tuple[Path, ...]:
        """To be searched besides those of the settings."""
        return tuple(map(Path, self._saved.folders))

    def source(self, field: str) -> Source:
        """Where its value comes from."""
        return self._given_by.get(field) or ("saved" if field in self._saved.settings else "default")

    async def change(self, changes: Mapping[str, Any]) -> None:
        """Save, and let take effect, by field; None takes back what was saved.

        Raises InvalidChoice and CouldNotSave; then nothing has changed.
        """
        async with self._writer:
            merged = {**self._saved.settings, **changes}
            settings = {field: value for field, value in merged.items() if value is not None}
            _check(self._given, settings)
            await self._save(msgspec.structs.replace(self._saved, settings=settings))
            self.now = self._applied(settings)

    async def add_folder(self, folder: Path) -> None:
        """Raises CouldNotSave."""
        async with self._writer:
            folders = tuple(dict.fromkeys([*self._saved.folders, str(folder)]))
            await self._save(msgspec.structs.replace(self._saved, folders=folders))

    async def remove_folder(self, folder: Path) -> None:
        """Raises CouldNotSave."""
        async with self._writer:
            folders = tuple(known for known in self._saved.folders if known != str(folder))
            await self._save(msgspec.structs.replace(self._saved, folders=folders))

    async def _save(self, saved: _Saved) -> None:
        # In memory only once it is on the disk; so both are the same even if who asked has gone.
        saving = asyncio.to_thread(replace_file, self.path, msgspec.json.encode(saved))
        await asyncio.shield(asyncio.ensure_future(saving))
        self._saved = saved

    def _applied(self, saved: Mapping[str, Any]) -> Settings:
        effective = {
            field: value
            for field, value in saved.items()
            if field in CHANGEABLE and field not in self._given_by and _is_valid(self._given, field, value)
        }
        return _with(self._given, effective)


def _with(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Raises ValidationError."""
    values = {field: getattr(settings, field) for field in Settings.model_fields}
    return Settings(_env_file=None, **{**values, **changes})


def _check(settings: Settings, changes: Mapping[str, Any]) -> None:
    for field, value in changes.items():
        try:
            _with(settings, {field: value})
        except ValidationError as error:
            name = Settings.model_fields[field].validation_alias
            raise InvalidChoice(f"Bad value for {name}", error.errors()[0]["msg"]) from error


def _is_valid(settings: Settings, field: str, value: Any) -> bool:
    try:
        _check(settings, {field: value})
    except InvalidChoice as error:
        log.warning("What was saved of a setting is left out: %s", error)
        return False
    return True


def _sources(settings: Settings) -> dict[str, Source]:
    """Of what the defaults do not decide."""
    environment = EnvSettingsSource(Settings, env_ignore_empty=True)()
    dotenv = DotEnvSettingsSource(Settings, env_ignore_empty=True)()
    places: tuple[tuple[Source, Any], ...] = (
        ("flag", settings.flags),
        ("environment", environment),
        (".env", dotenv),
    )
    sources: dict[str, Source] = {}
    for field, facts in Settings.model_fields.items():
        for source, names in places:
            if field in names or facts.validation_alias in names:
                sources[field] = source
                break
    return sources


def _read(path: Path) -> _Saved:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Saved)
    except FileNotFoundError:
        return _Saved()
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        log.warning("%s makes no sense, so nothing of it is used: %s", path, error)
        return _Saved()
