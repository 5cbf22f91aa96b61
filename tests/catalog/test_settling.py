from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.catalog.model_files import put, reasons

from synapse_engine.catalog.discovery import Scan, scan
from synapse_engine.catalog.settling import LOOK_AGAIN_SECONDS, PATIENCE_SECONDS, Settling


class Clock:
    """Stands still until it is told; the wall clock is 1,000 seconds into 1970."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def wall(self) -> float:
        return 1000.0 + self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settling(clock: Clock) -> Settling:
    return Settling(clock, clock.wall)


def write(path: Path, content: bytes, clock: Clock) -> None:
    path.write_bytes(content)
    os.utime(path, (clock.wall(), clock.wall()))


def look(settling: Settling, folder: Path, *, hold_fresh: bool = False) -> Scan:
    return settling.sift(scan([folder]), hold_fresh=hold_fresh)


def test_an_old_broken_file_is_broken_at_once(tmp_path: Path, settling: Settling, clock: Clock) -> None:
    write(tmp_path / "x.gguf", b"GGUF", clock)
    clock.seconds = 5
    assert "cut short" in reasons(look(settling, tmp_path))["x.gguf"]
    assert not settling.is_unsure


def test_a_fresh_broken_file_is_looked_at_twice(tmp_path: Path, settling: Settling, clock: Clock) -> None:
    write(tmp_path / "x.gguf", b"GGUF", clock)
    assert look(settling, tmp_path).skipped == ()
    assert settling.is_unsure
    clock.seconds = LOOK_AGAIN_SECONDS
    assert "cut short" in reasons(look(settling, tmp_path))["x.gguf"]
    assert not settling.is_unsure


def test_a_file_that_grows_is_given_time(tmp_path: Path, settling: Settling, clock: Clock) -> None:
    for length in range(4, 8):
        write(tmp_path / "x.gguf", b"GGUFGGUF"[:length], clock)
        assert look(settling, tmp_path).skipped == ()
        clock.seconds += 3
    assert not settling.is_unsure
    clock.seconds += PATIENCE_SECONDS
    assert "x.gguf" in reasons(look(settling, tmp_path))


def test_a_model_whose_shard_grows_is_not_there_yet(tmp_path: Path, settling: Settling, clock: Clock) -> None:
    put(tmp_path / "other.gguf")
    put(tmp_path / "x-00001-of-00002.gguf")
    write(tmp_path / "x-00002-of-00002.gguf", b"GGUF", clock)
    found = look(settling, tmp_path)
    assert ([model.stem for model in found.models], found.skipped) == (["other"], ())
    put(tmp_path / "x-00002-of-00002.gguf")
    assert [model.problem for model in look(settling, tmp_path).models] == [None, None]


def test_what_looks_whole_but_was_just_written_is_held_for_those_who_look_again(
    tmp_path: Path, settling: Settling, clock: Clock
) -> None:
    path = put(tmp_path / "x.gguf")
    write(path, path.read_bytes(), clock)
    assert look(settling, tmp_path, hold_fresh=True).models == ()
    assert len(look(settling, tmp_path).models) == 1
    assert len(look(settling, tmp_path, hold_fresh=True).models) == 1
    again = put(tmp_path / "y.gguf")
    write(again, again.read_bytes(), clock)
    clock.seconds = LOOK_AGAIN_SECONDS
    assert len(look(settling, tmp_path, hold_fresh=True).models) == 2
