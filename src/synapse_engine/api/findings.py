"""What `synapse doctor` and `/api/doctor` look at, whoever has looked: one function for each thing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from synapse_engine.catalog.found import Skipped
from synapse_engine.catalog.model import Model
from synapse_engine.launch.engine import Engine

Verdict = Literal["ok", "note", "missing"]

# A log, a saved choice and a record fit in; a model does not.
LITTLE_DISK_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `missing` is what keeps models from running; `advice` says what to do."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def engine_finding(engine: Engine) -> Finding:
    if engine.problem:
        return Finding("engine", "missing", engine.problem, "Set LLAMA_SERVER_PATH to one that runs.")
    return Finding("engine", "ok", f"{engine.path}, version {engine.version or 'unknown'}")


def model_findings(
    models: Iterable[Model], skipped: Iterable[Skipped], roots: Sequence[Path]
) -> Iterator[Finding]:
    models = list(models)
    places = ", ".join(map(str, roots)) or "nowhere: MODEL_SCAN_PATH is empty"
    if models:
        yield Finding("models", "ok", f"{len(models)} in {places}")
    else:
        advice = "Fetch one with `synapse pull org/repo`, put GGUF files there, or set MODEL_SCAN_PATH."
        yield Finding("models", "missing", f"none in {places}", advice)
    for model in models:
        if model.problem:
            yield Finding("model", "note", f"{model.path}: {model.problem}")
    for file in skipped:
        yield Finding("file", "note", f"{file.path}: {file.reason}")


def data_folder_finding(folder: Path) -> Finding:
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(nearest, os.W_OK):
        advice = "Choose another with SYNAPSE_DATA_DIR."
        return Finding("data folder", "missing", f"{nearest} cannot be written", advice)
    free_bytes = shutil.disk_usage(nearest).free
    found = f"{folder}, {free_bytes / 1e9:.1f} GB free"
    if free_bytes < LITTLE_DISK_BYTES:
        return Finding("data folder", "note", found, "Make room: choices, logs and downloads are kept there.")
    return Finding("data folder", "ok", found)


def page_finding(folder: Path) -> Finding:
    if (folder / "index.html").is_file():
        return Finding("page", "ok", "built")
    return Finding("page", "missing", "not built", "In a checkout, run: make setup")
