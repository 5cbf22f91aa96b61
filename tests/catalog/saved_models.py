"""Models that are nowhere on disk, and registries that hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synapse_engine.catalog.discovery import Scan
from synapse_engine.catalog.found import Skipped
from synapse_engine.catalog.model import Model, Tier
from synapse_engine.catalog.registry import Registry


def model(path: str = "/m/qwen-7b.gguf", **facts: Any) -> Model:
    stem = Path(path).stem
    given: dict[str, Any] = {
        "identity": path,
        "files": (path,),
        "file_size_bytes": 1000,
        "stem": stem,
        "base_id": "qwen_7b_fast",
        "display_name": stem,
        "family": "qwen",
        "quantization": "Q4_K_M",
        "tier": Tier.FAST,
        "header_digest": path,
    }
    return Model(**given | facts)


def scan_of(*models: Model, skipped: tuple[Skipped, ...] = ()) -> Scan:
    return Scan(models=models, skipped=skipped, roots=("/m",), seconds=0.5)


async def registry_of(path: Path, *models: Model) -> Registry:
    registry = Registry.open(path)
    await registry.record_scan(scan_of(*models))
    return registry
