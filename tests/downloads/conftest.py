"""What every test of a download starts from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.downloads.bed import CONTENT, FILE, REPO, Bench, open_bench
from tests.fakes.hub import FakeHub, open_hub


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    async with open_hub() as hub:
        hub.add(REPO, {"README.md": b"# tiny", FILE: CONTENT})
        yield hub


@pytest.fixture
async def bench(tmp_path: Path, hub: FakeHub) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path, hub) as bench:
        yield bench
