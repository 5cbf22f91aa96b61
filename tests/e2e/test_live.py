"""A real `synapse serve` that is listened to: logs in the shell, and the end while somebody listens."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.e2e.serving import COMMAND, serving, serving_environment
from tests.fakes.stage import write_engine
from tests.gguf_files import write_llama

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def test_a_log_is_followed_in_the_shell_until_the_control_plane_ends(tmp_path: Path) -> None:
    models = tmp_path / "models"
    write_llama(models / "Tiny-Llama-1B-Instruct-F32.gguf")
    engine = write_engine(tmp_path / "llama-server", shutil.which("python3") or sys.executable)
    environment = serving_environment(tmp_path / "data", models) | {"LLAMA_SERVER_PATH": str(engine)}
    with serving(environment) as plane:
        following = subprocess.Popen(
            [*COMMAND, "logs", "-f", "tiny_llama_1b_fast"], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert following.stdout is not None
        assert plane.synapse("start", "tiny_llama_1b_fast").returncode == 0
        assert "loading model" in following.stdout.readline()
        own = plane.http.get("/api/logs").json()["lines"]
        assert any("tiny_llama_1b_fast: starting -> ready" in line for line in own)
        began = time.monotonic()
        assert plane.end(signal.SIGINT) == 0
        assert time.monotonic() - began < 2.5
        following.communicate(timeout=10)
