"""Two fields out of an object that comes in pieces, whatever else is in it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from synapse_engine.gateway.scanning import Scanner, value

SIZE = 100_000
PIECES = ['"', "\\", "\n", "{", "]", ":", ",", "a", "ü", "model", "stream"]


def scan(data: bytes, cuts: list[int]) -> dict[str, bytes]:
    scanner, begin = Scanner(), 0
    for end in [*cuts, len(data)]:
        scanner.feed(data[begin:end])
        begin = end
    return scanner.found


def some_value(rng: random.Random, depth: int) -> Any:
    if depth and rng.random() < 0.6:
        count = rng.randrange(4)
        if rng.random() < 0.5:
            return [some_value(rng, depth - 1) for _ in range(count)]
        return {some_text(rng): some_value(rng, depth - 1) for _ in range(count)}
    return rng.choice([None, True, -1.5e3, 7, some_text(rng)])


def some_text(rng: random.Random) -> str:
    return "".join(rng.choice(PIECES) for _ in range(3))


def some_key(rng: random.Random) -> str:
    return rng.choice(["model", "stream", some_text(rng)])


def spellings(rng: random.Random) -> Iterator[bytes]:
    """An object, written in several ways."""
    pairs = [(some_key(rng), some_value(rng, 4)) for _ in range(rng.randrange(6))]
    for between, after, is_ascii in product((",", " ,\n"), (":", " :\t"), (True, False)):
        written = [json.dumps(key) + after + json.dumps(said, ensure_ascii=is_ascii) for key, said in pairs]
        yield ("{" + between.join(written) + "}").encode()


@pytest.mark.parametrize("seed", range(200))
def test_whatever_else_is_in_it_and_wherever_it_is_cut(seed: int) -> None:
    rng = random.Random(seed)
    for data in spellings(rng):
        wanted = {key: said for key, said in json.loads(data).items() if key in ("model", "stream")}
        for _ in range(4):
            cuts = sorted(rng.randrange(len(data)) for _ in range(rng.randrange(8)))
            found = {key: value(raw) for key, raw in scan(data, cuts).items()}
            assert found == wanted, (data, cuts)


LARGE = {
    "brackets": b"[" * SIZE + b"]" * SIZE,
    "closing ones alone": b"]" * SIZE,
    "numbers": b"[" + b"1," * SIZE + b"1]",
    "objects": b"[" + b'{"a":"b"},' * (SIZE // 10) + b"1]",
    "quotes in a text": b'"' + rb"\"" * SIZE + b'"',
    "parts of parts": b"[" + b'{"a":[{"b":1}]},' * (SIZE // 16) + b"1]",
}


class CountingScanner(Scanner):
    """Counts the steps that are taken one by one."""

    steps = 0

    def _to_next_mark(self, data: bytes, position: int) -> int:
        self.steps += 1
        return super()._to_next_mark(data, position)

    def _below(self, data: bytes, position: int) -> int:
        self.steps += 1
        return super()._below(data, position)

    def _through_string(self, data: bytes, position: int) -> int:
        self.steps += 1
        return super()._through_string(data, position)


@pytest.mark.parametrize("kind", LARGE)
def test_what_needs_no_look_is_passed_over_whole(kind: str) -> None:
    """In a few steps, however much it is: else nobody would be served meanwhile."""
    scanner = CountingScanner()
    for piece in (b'{"a":', LARGE[kind], b',"b":', LARGE[kind]):
        scanner.feed(piece)
    assert scanner.steps < 100
