"""What was started is written down, and read again."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from synapse_engine.errors import CouldNotSave
from synapse_engine.fleet.journal import Journal
from synapse_engine.launch.base import Command


def a_command(model_id: str = "alpha") -> Command:
    return Command(
        model_id=model_id,
        argv=("llama-server", "--port", "8080"),
        env={"LLAMA_API_KEY": "secret"},
        port=8080,
        port_is_pinned=False,
        api_key="secret",
        weights_bytes=1000,
        settings={"ctx_size": 4096},
    )


def test_what_was_written_is_read_by_the_next_run(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.intend(a_command(), 5.0)
    journal.note("alpha", process={"pid": 7})
    journal.note("alpha", was_ready=True)
    (record,) = Journal(tmp_path / "journal").read()
    assert record.command == a_command()
    assert (record.began_at, record.process) == (5.0, {"pid": 7})
    assert (record.was_ready, record.is_stopping) == (True, False)


def test_the_intent_alone_is_enough_to_be_found(tmp_path: Path) -> None:
    Journal(tmp_path).intend(a_command(), 5.0)
    (record,) = Journal(tmp_path).read()
    assert record.process is None


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.intend(a_command("alpha"), 5.0)
    journal.intend(a_command("beta"), 6.0)
    journal.forget("alpha")
    journal.forget("never-there")
    assert [record.command.model_id for record in Journal(tmp_path).read()] == ["beta"]


def test_a_record_that_makes_no_sense_is_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.intend(a_command(), 5.0)
    (tmp_path / "beta.json").write_text('{"command": 1}')
    (tmp_path / "gamma.json").write_bytes(b"\x00\xff")
    (tmp_path / "delta.json").write_bytes((tmp_path / "alpha.json").read_bytes().replace(b"secret", b"\xff"))
    assert [record.command.model_id for record in Journal(tmp_path).read()] == ["alpha"]
    assert [path.name for path in tmp_path.iterdir()] == ["alpha.json"]


def test_only_the_owner_may_read_the_keys(tmp_path: Path) -> None:
    Journal(tmp_path / "journal").intend(a_command(), 5.0)
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o700


def test_an_intent_that_cannot_be_written_is_an_error_and_a_note_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal = Journal(folder)
    journal.intend(a_command(), 5.0)
    (folder / "alpha.json").unlink()
    folder.rmdir()
    folder.write_text("a file where the folder was")
    with pytest.raises(CouldNotSave, match="Could not save"):
        journal.intend(a_command(), 6.0)
    journal.note("alpha", was_ready=True)
