"""Installs what `pyproject.toml` asks for, and not the project itself: a layer that its sources leave alone.

    install_dependencies.py BACKEND ENVIRONMENT

With the engine from PyPI, unless BACKEND is `cuda`, which brings its own.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path


def main(backend: str, environment: Path) -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    if backend != "cuda":
        wanted += project["optional-dependencies"]["engine"]
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "-c", "constraints.txt"]
    subprocess.run([*pip, *wanted], check=True)
    for folder in environment.glob("lib/python3*/site-packages/*/bin"):
        link_equal_files(folder)


def link_equal_files(folder: Path) -> None:
    """`libx.so` and `libx.so.0` become links to `libx.so.0.1`: a wheel can hold no links, only copies."""
    kept: dict[bytes, Path] = {}
    for path in sorted(folder.iterdir(), key=lambda path: len(path.name), reverse=True):
        if path.is_symlink() or not path.is_file():
            continue
        first = kept.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
        if first is not path:
            path.unlink()
            path.symlink_to(first.name)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
