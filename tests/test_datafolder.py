"""The data folder's lock."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_engine.datafolder import DataFolder, file_stem
from synapse_engine.errors import CouldNotSave, DataFolderInUse


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "deep" / "data")
    with folder.hold("the first (pid 1)"):
        with pytest.raises(DataFolderInUse) as raised, DataFolder(folder.root).hold("the second"):
            pass
        assert raised.value.error == f"Data folder {folder.root} is in use by the first (pid 1)"
        assert "SYNAPSE_DATA_DIR" in raised.value.detail


def test_it_can_be_held_again(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    for holder in ("a very long name of the first one", "short"):
        with folder.hold(holder), pytest.raises(DataFolderInUse, match=f"in use by {holder}$|{holder}:"):
            with DataFolder(tmp_path).hold("x"):
                pass


def test_it_is_let_go_when_what_it_was_held_for_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), DataFolder(tmp_path).hold("x"):
        raise RuntimeError
    with DataFolder(tmp_path).hold("y"):
        pass


def test_a_crash_lets_it_go(tmp_path: Path) -> None:
    crash = (
        "import os, sys; from pathlib import Path; from synapse_engine.datafolder import DataFolder\n"
        "with DataFolder(Path(sys.argv[1])).hold('the crashed'): os._exit(9)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", crash, tmp_path], env=environment)
    assert ended.returncode == 9
    with DataFolder(tmp_path).hold("the next"):
        pass


def test_only_its_owner_may_look(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.hold("x"):
        assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder.root / "lock").stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CouldNotSave, match="Not a directory"),
        DataFolder(tmp_path / "file" / "data").hold("x"),
    ):
        pass


def test_a_models_files_are_named_by_its_id() -> None:
    assert file_stem("qwen2.5_7b_fast") == "qwen2.5_7b_fast"


@pytest.mark.parametrize("letter", ["a", "é", "語"])
def test_a_very_long_id_is_cut_and_told_apart_by_a_digest(letter: str) -> None:
    ids = [letter * 300 + ending for ending in ("_fast", "_balanced")]
    stems = [file_stem(model_id) for model_id in ids]
    assert len(set(stems)) == 2
    assert all(stem.startswith(letter * 50) and "-" in stem for stem in stems)
    assert all(len(f"{stem}.1.log".encode()) <= 255 for stem in stems)
