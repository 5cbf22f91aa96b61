"""Settings: which source wins, what is refused, and with what words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from synapse_engine.settings import Settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, so without a `.env`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(**flags: object) -> str:
    with pytest.raises(ValidationError) as raised:
        Settings(**flags)
    return str(raised.value)


def test_defaults() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.api_key) == ("127.0.0.1", 8000, None)
    assert (settings.port_range_start, settings.port_range_end) == (8080, 8099)
    assert (settings.max_startup_seconds, settings.stop_timeout_seconds, settings.drain_seconds) == (
        60,
        10,
        30,
    )
    assert (settings.start_concurrency, settings.refresh_seconds) == (4, 30)
    assert settings.scan_paths == () and settings.scan_defaults
    assert settings.data_dir.name == "synapse-engine"
    assert settings.llama_server_path is None


def test_flags_beat_environment_beats_file(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / ".env").write_text("SYNAPSE_PORT=9001\nSYNAPSE_START_CONCURRENCY=7\nUNKNOWN=1\n")
    assert Settings().port == 9001
    monkeypatch.setenv("SYNAPSE_PORT", "9002")
    assert Settings().port == 9002
    assert Settings(port=9003).port == 9003
    assert Settings(port=9003).start_concurrency == 7


def test_every_setting_has_one_name_in_the_environment() -> None:
    names = [field.validation_alias for field in Settings.model_fields.values()]
    assert all(isinstance(name, str) and name == name.upper() for name in names)
    assert len(set(names)) == len(names)
    assert all(field.description for field in Settings.model_fields.values())


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_several_folders(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_SCAN_PATH", f"/models{os.pathsep}~/more{os.pathsep}{os.pathsep}here")
    assert Settings().scan_paths == (Path("/models"), Path.home() / "more", elsewhere / "here")
    monkeypatch.setenv("MODEL_SCAN_PATH", "/with, comma")
    assert Settings().scan_paths == (Path("/with, comma"),)


def test_several_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNAPSE_ALLOWED_HOSTS", "box.local, other.local,")
    assert Settings().allowed_hosts == ("box.local", "other.local")


@pytest.mark.parametrize("name", ["SYNAPSE_PORT", "MODEL_SCAN_PATH", "LLAMA_SERVER_PATH", "SYNAPSE_API_KEY"])
def test_an_empty_variable_is_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `SYNAPSE_API_KEY=${KEY}` without a KEY makes it."""
    monkeypatch.setenv(name, "")
    with_it = Settings()
    monkeypatch.delenv(name)
    assert with_it == Settings()
    assert with_it.api_key is None


@pytest.mark.parametrize("key", ["", "   "])
def test_an_empty_key_lets_nobody_in(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNAPSE_API_KEY", key)
    assert "lets other machines in" in refusal(host="0.0.0.0")


def test_a_key_is_taken_without_the_space_around_it_and_never_shown() -> None:
    settings = Settings(api_key=" s3cret\n")
    assert settings.api_key is not None and settings.api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.local"])
def test_another_address_needs_a_key(host: str) -> None:
    words = refusal(host=host)
    assert f"SYNAPSE_HOST={host} lets other machines in: set SYNAPSE_API_KEY" in words
    assert Settings(host=host, api_key="k").host == host
    assert Settings(host=host, insecure=True).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert Settings(host=host).host == host


REFUSED = {
    "a port of 0": {"port": 0},
    "a port too high": {"port": 65536},
    "a range upside down": {"port_range_start": 9000, "port_range_end": 8999},
    "a range beyond the ports": {"port_range_end": 70000},
    "nobody may load": {"start_concurrency": 0},
    "no time to start": {"max_startup_seconds": 0},
    "negative patience": {"stop_timeout_seconds": -1},
    "negative drain": {"drain_seconds": -1},
    "endless refreshing": {"refresh_seconds": 0},
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    assert refusal(**REFUSED[case])


def test_the_range_names_both_its_ends() -> None:
    words = refusal(port_range_start=9000, port_range_end=8999)
    assert "MODEL_PORT_RANGE_END (8999) is below MODEL_PORT_RANGE_START (9000)" in words


def test_a_range_of_one() -> None:
    assert Settings(port_range_start=9000, port_range_end=9000).port_range_end == 9000
