"""Processes on this machine: their logs, and who holds a port."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
import pytest

from synapse_engine.launch.local import LOG_BLOCK_BYTES, port_holder, read_tail

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
def test_tail(case: str, tmp_path: Path) -> None:
    content, count, expected = LOGS[case]
    (tmp_path / "log").write_bytes(content)
    assert read_tail(tmp_path / "log", count) == expected


def test_no_log(tmp_path: Path) -> None:
    assert read_tail(tmp_path / "log", 5) == []


@pytest.mark.parametrize("length", [1, 7, 1000, LOG_BLOCK_BYTES - 1, LOG_BLOCK_BYTES, LOG_BLOCK_BYTES + 1])
def test_a_tail_over_block_edges(length: int, tmp_path: Path) -> None:
    lines = [f"{number}".ljust(length, "x") for number in range(max(4, 3 * LOG_BLOCK_BYTES // length))]
    (tmp_path / "log").write_text("\n".join(lines) + "\n")
    assert read_tail(tmp_path / "log", 3) == lines[-3:]


def test_who_holds_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert port_holder(port) == f"{psutil.Process().name()} (pid {os.getpid()})"
    assert port_holder(port) is None
