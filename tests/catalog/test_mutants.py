"""Thousands of damaged headers: each is an answer or a GgufError, quickly, and nothing stays behind."""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from tests.gguf_files import write_llama

from synapse_engine.catalog.cursor import GgufError
from synapse_engine.catalog.gguf import ArrayMemo
from synapse_engine.catalog.header import read_header

MUTANTS = 10_000 if os.environ.get("SYNAPSE_SOAK") else 2_000
SLOWEST_SECONDS = 2.0
HARMS = (b"\x00", b"\xff", b"\x7f", b"\x01", b"\x08", b"\x09", b"\xff" * 8, bytes(8), b"\xff" * 4 + bytes(4))


def mutant(header: bytes, chance: random.Random) -> bytes:
    """Some bytes replaced, a piece cut out or put in twice, or the end cut off."""
    content = bytearray(header)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(4, len(content))
        end = min(len(content), at + chance.choice((1, 4, 8, 100)))
        match chance.randrange(8):
            case 0:
                del content[at:end]
            case 1:
                content[at:at] = content[at:end]
            case 2 if chance.random() < 0.1:
                del content[at:]
            case _:
                harm = chance.choice(HARMS)
                content[at : at + len(harm)] = harm
        if len(content) < 8:
            break
    return bytes(content)


@pytest.mark.timeout(600)
def test_mutated_headers_are_read_or_refused(tmp_path: Path) -> None:
    chance = random.Random(20)
    keys: dict[str, Any] = {"llama.attention.sliding_window_pattern": [True, False], "words": ["a b"] * 99}
    content = write_llama(tmp_path / "x.gguf", name="x", vocabulary=270, **keys).read_bytes()
    header = content[: content.index(b"output.weight") + 100]
    memo = ArrayMemo()
    read_header(content, memo)
    tracemalloc.start()
    refused, slowest, grown = 0, 0.0, 0
    for number in range(MUTANTS):
        damaged = mutant(header, chance) + content[len(header) :] * (number % 2)
        began = time.perf_counter()
        try:
            read_header(damaged, memo)
        except GgufError as error:
            assert str(error)
            refused += 1
        slowest = max(slowest, time.perf_counter() - began)
        if number == MUTANTS // 2:
            grown = tracemalloc.get_traced_memory()[0]
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert MUTANTS // 10 < refused < MUTANTS
    assert slowest < SLOWEST_SECONDS
    assert now - grown < 2_000_000
    assert peak < 20_000_000
