"""What is found, what is missing, and what to do about it. Reads only; needs no control plane."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import psutil

from synapse_engine.api.findings import (
    Finding,
    data_folder_finding,
    engine_finding,
    model_findings,
    page_finding,
)
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


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at engine, models, control plane, folders, memory and page, in that order."""
    yield _engine(settings)
    yield from _models(settings)
    yield _control_plane(settings)
    yield data_folder_finding(settings.data_dir)
    memory = psutil.virtual_memory()
    yield Finding(
        "memory", "ok", f"{memory.available / 1e9:.1f} GB free of {memory.total / 1e9:.1f} GB of RAM"
    )
    yield page_finding(FOLDER)


def _engine(settings: Settings) -> Finding:
    try:
        return engine_finding(asyncio.run(Engines(settings.llama_server_path).current()))
    except EngineNotFound as error:
        return Finding("engine", "missing", error.error, error.detail)


def _models(settings: Settings) -> Iterator[Finding]:
    added = Preferences(settings, DataFolder(settings.data_dir).preferences).folders
    roots = scan_roots(settings, added, os.environ)
    found = scan(roots, HeaderCache())
    yield from model_findings(found.models, found.skipped, roots)


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
