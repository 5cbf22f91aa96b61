"""What is found, what is missing, and what to do about it. Reads only; needs no control plane."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import psutil

from synapse_engine.api.page import FOLDER
from synapse_engine.catalog.discovery import HeaderCache, scan
from synapse_engine.catalog.scanner import scan_roots
from synapse_engine.client import Answered, Client
from synapse_engine.datafolder import DataFolder
from synapse_engine.errors import EngineNotFound, Unreachable
from synapse_engine.launch.engine import Engines
from synapse_engine.launch.local import port_holder
from synapse_engine.preferences import Preferences
from synapse_engine.settings import Settings

Verdict = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `missing` is what keeps models from running; `advice` says what to do."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at engine, models, control plane, folders, memory and page, in that order."""
    yield _engine(settings)
    yield from _models(settings)
    yield _control_plane(settings)
    yield _data_folder(settings)
    memory = psutil.virtual_memory()
    yield Finding(
        "memory", "ok", f"{memory.available / 1e9:.1f} GB free of {memory.total / 1e9:.1f} GB of RAM"
    )
    yield _page()


def _engine(settings: Settings) -> Finding:
    try:
        engine = asyncio.run(Engines(settings.llama_server_path).current())
    except EngineNotFound as error:
        return Finding("engine", "missing", error.error, error.detail)
    if engine.problem:
        return Finding("engine", "missing", engine.problem, "Set LLAMA_SERVER_PATH to one that runs.")
    return Finding("engine", "ok", f"{engine.path}, version {engine.version or 'unknown'}")


def _models(settings: Settings) -> Iterator[Finding]:
    added = Preferences(settings, DataFolder(settings.data_dir).preferences).folders
    roots = scan_roots(settings, added, os.environ)
    found = scan(roots, HeaderCache())
    places = ", ".join(str(root) for root in roots) or "nowhere: MODEL_SCAN_PATH is empty"
    if found.models:
        yield Finding("models", "ok", f"{len(found.models)} in {places}")
    else:
        yield Finding(
            "models", "missing", f"none in {places}", "Put GGUF files there, or set MODEL_SCAN_PATH."
        )
    for model in found.models:
        if model.problem:
            yield Finding("model", "note", f"{model.path}: {model.problem}")
    for skipped in found.skipped:
        yield Finding("file", "note", f"{skipped.path}: {skipped.reason}")


def _control_plane(settings: Settings) -> Finding:
    try:
        version = Client(settings).call("GET", "/api/system")["version"]
    except Unreachable as unreachable:
        holder = port_holder(settings.port)
        if holder:
            advice = "Stop it, or choose another port with SYNAPSE_PORT."
            return Finding("control plane", "note", f"port {settings.port} is taken by {holder}", advice)
        return Finding("control plane", "note", unreachable.error, unreachable.detail)
    except Answered as answered:
        return Finding("control plane", "note", answered.error, answered.detail)
    return Finding("control plane", "ok", f"running, version {version}, on port {settings.port}")


def _data_folder(settings: Settings) -> Finding:
    nearest = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    if os.access(nearest, os.W_OK):
        return Finding("data folder", "ok", str(settings.data_dir))
    return Finding(
        "data folder", "missing", f"{nearest} cannot be written", "Choose another with SYNAPSE_DATA_DIR."
    )


def _page() -> Finding:
    if (FOLDER / "index.html").is_file():
        return Finding("page", "ok", "built")
    return Finding("page", "missing", "not built", "In a checkout, run: make setup")
