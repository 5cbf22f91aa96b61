"""Folders to search: listed, added, removed, and what is wrong with them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane, write_model
from tests.fakes.listener import listening
from tests.fakes.stage import Stage

PATH = "/api/folders"


async def test_an_added_folder_is_searched_at_once_and_in_later_runs(
    plane: ControlPlane, tmp_path: Path, engine: Path, stage: Stage
) -> None:
    more = tmp_path / "more"
    write_model(more / "deep" / "Qwen-7B-Q4_K_M.gguf")
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        added = await plane.post(PATH, {"path": f" {more}/ "})
        assert added.status_code == 201
        assert (await listener.next("folders")).data == added.json()
    assert added.json()["folders"] == [
        {"path": str(plane.models), "source": "settings", "can_remove": False, "problem": None, "models": 0},
        {"path": str(more), "source": "added", "can_remove": True, "problem": None, "models": 1},
    ]
    assert (await plane.get("/api/models/qwen_7b_fast")).json()["missing"] is False
    assert (await plane.get("/api/models/registry")).json()["scan_paths"] == [str(plane.models), str(more)]
    async with open_control_plane(tmp_path, engine, stage) as later:
        assert (await later.get(PATH)).json() == added.json()

    removed = await plane.http.delete(PATH, params={"path": str(more)})
    assert [folder["path"] for folder in removed.json()["folders"]] == [str(plane.models)]
    assert (await plane.get("/api/models/qwen_7b_fast")).json()["missing"] is True
    again = await plane.http.delete(PATH, params={"path": str(more)})
    assert (again.status_code, again.json()["error"]) == (404, f"Folder was not added here: {more}")


async def test_those_of_the_settings_cannot_be_removed(plane: ControlPlane) -> None:
    refused = await plane.http.delete(PATH, params={"path": str(plane.models)})
    assert refused.status_code == 404
    assert "MODEL_SCAN_PATH" in refused.json()["detail"]


async def test_the_home_is_understood(
    plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").mkdir()
    added = (await plane.post(PATH, {"path": "~/here"})).json()
    assert added["folders"][1]["path"] == str(tmp_path / "here")


async def test_what_cannot_be_searched(plane: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "file.gguf").write_bytes(b"GGUF")
    (plane.models / "below").mkdir()
    for path, error, says in (
        ("models", "Not a whole path: models", "from the root on"),
        ("../models", "Not a whole path: ../models", "from the root on"),
        (f"{tmp_path}/none", f"Cannot be searched: {tmp_path}/none", "not there"),
        (f"{tmp_path}/file.gguf", f"Cannot be searched: {tmp_path}/file.gguf", f"its folder: {tmp_path}"),
        ("/", "Not the whole disk", "holds models"),
        (f"{plane.models}/below", f"Already searched: {plane.models}/below", str(plane.models)),
        (f"{tmp_path}/x/../models", f"Already searched: {plane.models}", str(plane.models)),
        ("/a\0b", "Cannot be searched: /a\0b", "not there"),
        ("", "Invalid request", "at least 1"),
    ):
        refused = await plane.post(PATH, {"path": path})
        assert (refused.status_code, refused.json()["error"]) == (422, error)
        assert says in refused.json()["detail"]
    assert len((await plane.get(PATH)).json()["folders"]) == 1


def test_a_folder_that_may_not_be_read() -> None:
    # Of root nothing can be kept from reading, so another user looks.
    looks = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from synapse_engine.api.folders import problem_of\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "for path in sys.argv[1:]: print(problem_of(Path(path)))\n"
    )
    with tempfile.TemporaryDirectory() as closed:
        (Path(closed) / "below").mkdir()
        os.chmod(closed, 0o000)
        looked = subprocess.run(
            [sys.executable, "-c", looks, closed, f"{closed}/below"],
            capture_output=True,
            text=True,
            check=True,
        )
        os.chmod(closed, 0o700)
    itself, below = looked.stdout.splitlines()
    assert itself.startswith("It may not be read by the user that the control plane runs as")
    assert below == "It cannot be looked at: Permission denied."


async def test_a_folder_that_has_gone_says_so(plane: ControlPlane, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (await plane.post(PATH, {"path": str(more)})).raise_for_status()
    more.rmdir()
    folder = (await plane.get(PATH)).json()["folders"][1]
    assert folder["problem"].startswith("It is not there.")
    assert (await plane.http.delete(PATH, params={"path": str(more)})).status_code == 200
