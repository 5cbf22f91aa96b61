"""What every test of a benchmark starts from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.benchmarks.bed import Bed, open_bed
from tests.fakes.rig import Rig


@pytest.fixture
async def bed(rig: Rig, engine: Path, tmp_path: Path) -> AsyncIterator[Bed]:
    async with open_bed(rig, engine, tmp_path) as bed:
        yield bed
