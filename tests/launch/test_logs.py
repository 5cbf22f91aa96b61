"""Logs: read from their end, followed over cuts and new starts, and kept small."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.rig import until

from synapse_engine.launch.base import LogChunk
from synapse_engine.launch.logs import (
    BLOCK_BYTES,
    CHECK_MAX_SECONDS,
    CHECK_MIN_SECONDS,
    Logs,
    cut,
    plan_check,
)

MAX_BYTES = 1 << 20

LOGS = {
    "none": (b"", 5, []),
    "fewer than asked": (b"a\nb\n", 5, ["a", "b"]),
    "as many": (b"a\nb\n", 2, ["a", "b"]),
    "more": (b"a\nb\nc\n", 2, ["b", "c"]),
    "a last line that is not ended": (b"a\nb\nc", 2, ["b", "c"]),
    "one line": (b"a\nb\nc", 1, ["c"]),
    "empty lines": (b"a\n\n\nb\n", 3, ["", "", "b"]),
    "no UTF-8": (b"a\xff\n", 1, ["a\ufffd"]),
    "carriage returns": (b"a\r\nb\r\n", 2, ["a", "b"]),
}


@pytest.mark.parametrize("case", LOGS)
async def test_tail(case: str, tmp_path: Path) -> None:
    content, count, expected = LOGS[case]
    (tmp_path / "a.log").write_bytes(content)
    assert await Logs(tmp_path, MAX_BYTES).tail("a", count) == expected


async def test_no_log(tmp_path: Path) -> None:
    assert await Logs(tmp_path, MAX_BYTES).tail("a", 5) == []


@pytest.mark.parametrize("length", [1, 7, 1000, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1])
async def test_a_tail_over_block_edges(length: int, tmp_path: Path) -> None:
    lines = [f"{number}".ljust(length, "x") for number in range(max(4, 3 * BLOCK_BYTES // length))]
    (tmp_path / "a.log").write_text("\n".join(lines) + "\n")
    assert await Logs(tmp_path, MAX_BYTES).tail("a", 3) == lines[-3:]


async def lines_of(follower: AsyncIterator[LogChunk], count: int) -> list[str]:
    lines: list[str] = []
    while len(lines) < count:
        lines += (await anext(follower)).lines
    return lines


async def test_following_begins_with_the_end_and_waits_for_whole_lines(tmp_path: Path) -> None:
    logs = Logs(tmp_path, MAX_BYTES)
    with logs.open("a") as file:
        file.write(b"1\n2\n3\n4")
        file.flush()
        follower = logs.follow("a", 2)
        assert await anext(follower) == LogChunk(["2", "3"])
        file.write(b"4\n5\n")
        file.flush()
        assert await lines_of(follower, 2) == ["44", "5"]


async def test_following_goes_over_a_cut_without_a_gap(tmp_path: Path) -> None:
    logs = Logs(tmp_path, MAX_BYTES)
    with logs.open("a") as file:
        file.write(b"1\n2\n")
        file.flush()
        follower = logs.follow("a", 10)
        assert await anext(follower) == LogChunk(["1", "2"])
        file.write(b"3\n4")
        file.flush()
        logs._cut("a", logs._places["a"])
        file.write(b"4\n5\n")
        file.flush()
        assert await lines_of(follower, 3) == ["3", "44", "5"]
        assert await logs.tail("a", 10) == ["1", "2", "3", "44", "5"]
        assert await logs.tail("a", 2) == ["44", "5"]


async def test_following_goes_on_with_a_new_start(tmp_path: Path) -> None:
    logs = Logs(tmp_path, MAX_BYTES)
    with logs.open("a") as file:
        file.write(b"1\n")
    follower = logs.follow("a", 10)
    assert await anext(follower) == LogChunk(["1"])
    with (tmp_path / "a.log").open("ab") as file:
        file.write(b"last words\n")
    with logs.open("a") as file:
        file.write(b"anew\n")
    assert await anext(follower) == LogChunk(["last words"])
    assert await anext(follower) == LogChunk(["anew"], is_new_start=True)
    assert await logs.tail("a", 10) == ["anew"]
    assert (tmp_path / "a.1.log").read_text() == "1\nlast words\n"


async def test_a_log_that_is_not_there_yet_can_be_followed(tmp_path: Path) -> None:
    logs = Logs(tmp_path, MAX_BYTES)
    follower = logs.follow("a", 10)
    assert await anext(follower) == LogChunk([])
    with logs.open("a") as file:
        file.write(b"hello\n")
    assert (await lines_of(follower, 1)) == ["hello"]


def test_a_cut_keeps_the_end(tmp_path: Path) -> None:
    path, kept = tmp_path / "a.log", tmp_path / "a.1.log"
    path.write_bytes(b"0123456789")
    assert cut(path, kept, 4) == 10
    assert (path.read_bytes(), kept.read_bytes()) == (b"", b"6789")


@pytest.mark.parametrize(
    ("size", "growth", "expected"),
    [(0, 0, CHECK_MAX_SECONDS), (50, 1, CHECK_MAX_SECONDS), (50, 50, 0.5), (99, 99, CHECK_MIN_SECONDS)],
)
def test_what_grows_fast_is_looked_at_sooner(size: int, growth: int, expected: float) -> None:
    assert plan_check(size, growth, 1.0, 100) == expected


async def test_a_log_that_cannot_be_kept_small_leaves_the_others_to_be_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is too long, one that leads in a circle, a folder: each said once, however often seen."""
    monkeypatch.setattr("synapse_engine.launch.logs.CHECK_MAX_SECONDS", 0.01)
    logs = Logs(tmp_path, 100)
    (tmp_path / "circle.log").symlink_to(tmp_path / "circle.log")
    (tmp_path / "folder.log").mkdir()
    for name in ("circle", "folder", "none"):
        logs.watch(name)
    keeping = asyncio.create_task(logs.keep_small())
    with logs.open("fine") as file:
        for _ in range(3):
            file.write(b"x" * 101)
            file.flush()
            await until(lambda: keeping.done() or not (tmp_path / "fine.log").stat().st_size)
    assert not keeping.done()
    keeping.cancel()
    assert sorted(message.rpartition(": ")[2] for message in caplog.messages) == [
        "Is a directory",
        "Too many levels of symbolic links",
    ]
    assert await logs.tail("circle", 5) == await logs.tail("x" * 300, 5) == []


WRITER = """
import os, sys, time
line = b"0.00.006.020 I srv  some words that fill a line of a log, number %012d\\n"
slowest, number = 0.0, 0
for burst in range(1000):
    block = b"".join(line % (number + n) for n in range(1250))
    number += 1250
    began = time.monotonic()
    os.write(1, block)
    slowest = max(slowest, time.monotonic() - began)
    time.sleep(0.002)
sys.stderr.write(f"{slowest}")
"""


async def test_a_writer_of_100_mb_is_not_held_up_and_the_disk_stays_small(tmp_path: Path) -> None:
    max_bytes = 16_000_000
    logs = Logs(tmp_path, max_bytes)
    keeping = asyncio.create_task(logs.keep_small())
    with logs.open("a") as file:
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, stdout=file, stderr=asyncio.subprocess.PIPE
        )
    largest, slowest_tail, loop = 0, 0.0, asyncio.get_running_loop()
    ended = asyncio.create_task(writer.communicate())
    while not ended.done():
        began = loop.time()
        await logs.tail("a", 200)
        slowest_tail = max(slowest_tail, loop.time() - began)
        largest = max(largest, sum(path.stat().st_size for path in tmp_path.glob("*.log")))
        await asyncio.wait({ended}, timeout=0.01)
    keeping.cancel()
    (last,) = await logs.tail("a", 1)
    assert last.endswith(f"{1000 * 1250 - 1:012d}")
    assert largest < 3 * max_bytes
    assert slowest_tail < 1.0
    assert float(ended.result()[1]) < 1.0


async def test_a_follower_of_a_quick_writer_misses_nothing(tmp_path: Path) -> None:
    logs = Logs(tmp_path, 4_000_000)
    with logs.open("a") as file:
        follower, heard = logs.follow("a", 1), itertools.count()
        await anext(follower)
        for burst in range(20):
            first = burst * 5000
            file.write(
                b"".join(b"%07d some words that fill a line\n" % n for n in range(first, first + 5000))
            )
            file.flush()
            if burst % 3 == 2:
                logs._cut("a", logs._places["a"])
            lines = await lines_of(follower, 5000)
            assert [int(line[:7]) for line in lines] == [next(heard) for _ in lines]
