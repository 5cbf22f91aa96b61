"""What is saved of settings and folders, and what goes before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synapse_engine.api.wire.settings import SettingsEdit
from synapse_engine.errors import CouldNotSave, InvalidChoice
from synapse_engine.preferences import Preferences
from synapse_engine.settings import CHANGEABLE, Settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without a `.env`."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return tmp_path / "data" / "settings.json"


def test_an_edit_may_have_every_setting_that_can_be_changed() -> None:
    assert set(SettingsEdit.model_fields) == CHANGEABLE
    assert CHANGEABLE <= set(Settings.model_fields)


async def test_a_change_takes_effect_and_is_there_again(saved: Path) -> None:
    preferences = Preferences(Settings(), saved)
    assert (preferences.now.queue_max, preferences.source("queue_max")) == (256, "default")
    await preferences.change({"queue_max": 3, "evict": False})
    assert (preferences.now.queue_max, preferences.now.evict) == (3, False)
    again = Preferences(Settings(), saved)
    assert (again.now.queue_max, again.source("queue_max"), again.now.port) == (3, "saved", 8000)
    await again.change({"queue_max": None})
    assert (again.now.queue_max, again.source("queue_max"), again.now.evict) == (256, "default", False)
    assert json.loads(saved.read_text()) == {"settings": {"evict": False}}


async def test_flags_the_environment_and_dotenv_go_before(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Preferences(Settings(), saved).change(
        {"queue_max": 3, "queue_seconds": 4, "drain_seconds": 5, "refresh_seconds": 6}
    )
    monkeypatch.setenv("SYNAPSE_QUEUE_MAX", "7")
    monkeypatch.setenv("SYNAPSE_REFRESH_SECONDS", "")
    (tmp_path / ".env").write_text("SYNAPSE_QUEUE_SECONDS=8\n")
    preferences = Preferences(Settings(drain_seconds=9), saved)
    now, fields = preferences.now, ("queue_max", "queue_seconds", "drain_seconds", "refresh_seconds")
    assert [getattr(now, field) for field in fields] == [7, 8, 9, 6]
    assert [preferences.source(field) for field in fields] == ["environment", ".env", "flag", "saved"]
    monkeypatch.setenv("SYNAPSE_DRAIN_SECONDS", "1")
    assert Preferences(Settings(drain_seconds=9), saved).source("drain_seconds") == "flag"


@pytest.mark.parametrize(
    "changes", [{"queue_max": -1}, {"restart_window_seconds": 0}, {"memory_limit_mb": 1e300}]
)
async def test_what_makes_no_sense_changes_nothing(saved: Path, changes: dict[str, float]) -> None:
    preferences = Preferences(Settings(), saved)
    with pytest.raises(InvalidChoice, match=r"Bad value for SYNAPSE_\w+: Input should be"):
        await preferences.change({"evict": False, **changes})
    assert preferences.now.evict
    assert not saved.exists()


async def test_a_full_disk_changes_nothing(saved: Path) -> None:
    preferences = Preferences(Settings(), saved)
    saved.parent.write_text("in the way")
    with pytest.raises(CouldNotSave):
        await preferences.change({"evict": False})
    with pytest.raises(CouldNotSave):
        await preferences.add_folder(Path("/srv"))
    assert (preferences.now.evict, preferences.folders) == (True, ())


@pytest.mark.parametrize("content", [b"{broken", b"[]", b'{"settings": 1}', b'{"settings": {"\xff": 1}}'])
def test_a_file_that_makes_no_sense_stops_nothing(saved: Path, content: bytes) -> None:
    saved.parent.mkdir()
    saved.write_bytes(content)
    assert Preferences(Settings(), saved).now.model_dump() == Settings().model_dump()


def test_what_is_not_valid_any_more_is_left_out(saved: Path) -> None:
    saved.parent.mkdir()
    saved.write_text('{"settings": {"queue_max": -1, "evict": false, "host": "0.0.0.0", "gone": 1}}')
    now = Preferences(Settings(), saved).now
    assert (now.queue_max, now.evict, now.host) == (256, False, "127.0.0.1")


async def test_folders(saved: Path) -> None:
    preferences = Preferences(Settings(), saved)
    for name in ("/a", "/b", "/a"):
        await preferences.add_folder(Path(name))
    assert Preferences(Settings(), saved).folders == (Path("/a"), Path("/b"))
    await preferences.remove_folder(Path("/a"))
    await preferences.change({"evict": False})
    assert Preferences(Settings(), saved).folders == (Path("/b"),)
