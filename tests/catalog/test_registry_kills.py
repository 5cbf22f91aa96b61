from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest
from tests.catalog.saved_models import model, registry_of

from synapse_engine.catalog.registry import Registry


class Victim:
    """The writer of tests/fakes/registry_writer.py, one life at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin and process.stdout
        self._input: IO[str] = process.stdin
        self._output: IO[str] = process.stdout

    def live_and_die(self, answers: int, then_seconds: float) -> float:
        """Let it answer so often, kill it a moment later; answers the last number that it promised."""
        self._input.write("\n")
        self._input.flush()
        pid = int(self._output.readline().removeprefix("pid "))
        promised = 0.0
        for _ in range(answers):
            promised = self._promise(self._output.readline())
        moment = time.perf_counter() + then_seconds
        while time.perf_counter() < moment:
            pass
        os.kill(pid, signal.SIGKILL)
        for line in iter(self._output.readline, "ended\n"):
            promised = self._promise(line)
        return promised

    @staticmethod
    def _promise(line: str) -> float:
        return float(line.removeprefix("answered "))


@pytest.mark.timeout(120)
def test_200_kills_during_writes_lose_no_answered_choice(tmp_path: Path) -> None:
    path = tmp_path / "model_registry.json"
    others = (model(f"/m/x{number}.gguf", base_id=f"x{number}_fast") for number in range(50))
    asyncio.run(registry_of(path, model(), *others))
    chance = random.Random(9)
    script = Path(__file__).parents[1] / "fakes" / "registry_writer.py"
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(path), "qwen_7b_fast"]
    with subprocess.Popen(
        command, env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        victim = Victim(process)
        for _ in range(200):
            promised = victim.live_and_die(chance.randint(0, 3), chance.uniform(0, 0.004))
            registry = Registry.open(path)
            assert registry.notices == []
            assert len(registry.entries) == 51
            assert (registry.get("qwen_7b_fast").choices.last_started_at or 0) >= promised
    assert len(os.listdir(path.parent)) <= 2
