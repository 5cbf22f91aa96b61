"""A short form of `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.chaos.driver import Chaos

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    chaos = Chaos(tmp_path, seed)
    chaos.run(20)
    assert sum(chaos.counts.values()) >= 20
