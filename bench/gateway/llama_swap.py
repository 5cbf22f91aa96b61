"""llama-swap, where it can be had: on the PATH, built before, or built now where there is Go."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

MODULE = "github.com/mostlygeek/llama-swap"
# Its releases' tags are no versions to Go, so `latest` is an old one; it comes second.
VERSIONS = ("main", "latest")
CACHE = Path(".cache/llama-swap")
BUILD_SECONDS = 300


def find_llama_swap() -> str | None:
    """The program's path; says why where there is none."""
    search = os.pathsep.join((str(CACHE.absolute()), os.environ.get("PATH", os.defpath)))
    if found := shutil.which("llama-swap", path=search):
        return found
    go = shutil.which("go", path=search + os.pathsep + "/usr/local/go/bin")
    if go is None:
        print("# llama-swap is not here, nor Go to build it (apt-get install golang): not compared")
        return None
    for version in VERSIONS:
        problem = _build(go, version)
        if problem is None:
            return str(CACHE.absolute() / "llama-swap")
        print(f"# llama-swap cannot be built ({MODULE}@{version}): {problem}")
    print("# llama-swap is not compared")
    return None


def _build(go: str, version: str) -> str | None:
    """Why it failed, or None."""
    CACHE.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(CACHE.absolute())}
    try:
        done = subprocess.run(
            [go, "install", f"{MODULE}@{version}"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done within {BUILD_SECONDS} s"
    return " ".join(done.stderr.split())[-300:] if done.returncode else None
