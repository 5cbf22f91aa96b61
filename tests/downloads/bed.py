"""Downloads from a fake hub over real HTTP."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from tests.fakes.hub import FakeHub
from tests.fakes.rig import until

from synapse_engine.downloads.address import Address
from synapse_engine.downloads.download import Download, Status
from synapse_engine.downloads.downloads import Downloads
from synapse_engine.downloads.hub import Hub

REPO = "org/tiny-1B-GGUF"
FILE = "tiny-1B-Q4_K_M.gguf"
PLENTY = 1 << 40


def some_bytes(size_bytes: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


CONTENT = some_bytes(300_000)


@dataclass
class Bench:
    """Attributes to use: downloads, hub, root, told (the status at each change), free_bytes (settable)."""

    downloads: Downloads
    hub: FakeHub
    models: Path
    told: list[tuple[str, Status]] = field(default_factory=list)
    free_bytes: int = PLENTY

    @property
    def root(self) -> Path:
        return self.models / "huggingface.co"

    async def add(self, name: str = REPO, **wanted: str) -> Download:
        return await self.downloads.add(Address(name, **wanted))

    async def end(self, download: Download) -> Download:
        await until(lambda: not download.is_under_way)
        return download

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())


@asynccontextmanager
async def open_bench(tmp_path: Path, hub: FakeHub, token: str | None = None) -> AsyncIterator[Bench]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        bench: Bench

        async def find_model(path: Path) -> str | None:
            return "found" if path.is_file() else None

        def on_change(download: Download) -> None:
            bench.told.append((download.record.id, download.record.status))

        downloads = Downloads(
            Hub(session, hub.endpoint, token),
            tmp_path / "models",
            tmp_path / "downloads.json",
            on_change,
            find_model,
            lambda folder: bench.free_bytes,
            pauses_seconds=(0.01, 0.01, 0.01),
        )
        bench = Bench(downloads, hub, tmp_path / "models")
        downloads.begin()
        try:
            yield bench
        finally:
            await downloads.close()
