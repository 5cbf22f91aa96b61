"""What counts as flat memory, where the long forms look at it."""

from __future__ import annotations

import random

import pytest
from tests.fakes.leaks import Sample, assert_flat

MB = 1_000_000


def series(left_bytes: int) -> list[Sample]:
    """Ten minutes at 40 requests a second, with a spread of 2 MB and warm after two."""
    dice = random.Random(1)
    return [
        Sample(
            seconds,
            40 * seconds,
            80 * MB + min(seconds, 120) * MB // 10 + dice.randrange(2 * MB) + left_bytes * 40 * seconds,
        )
        for seconds in range(5, 605, 5)
    ]


def test_a_spread_is_no_leak() -> None:
    assert_flat(series(0), spread_bytes=4 * MB)


def test_a_kilobyte_of_each_request_is_one() -> None:
    with pytest.raises(AssertionError, match="grown by"):
        assert_flat(series(1000), spread_bytes=4 * MB)
