"""How stores lay out their files, wherever a walk meets one: one small function for each shape.

Sources: huggingface_hub, guide manage-cache (`models--ORG--NAME/snapshots/REV/FILE`); llama.cpp before it
took over that cache, common/download.cpp (`ORG_REPO_FILE.gguf` in one flat folder, a `.json` or `.etag`
beside each, `manifest=ORG=REPO=TAG.json`); LM Studio, docs (`ORG/REPO/FILE`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

HUB_PREFIX = "models--"
# Above `ORG/REPO/FILE`, where our own downloads come to.
HUB_FOLDER = "huggingface.co"
LM_STUDIO_HOMES = frozenset({".lmstudio", "lm-studio"})
FLAT_MANIFEST = re.compile(r"manifest=(?P<org>[^=]+)=(?P<repo>[^=]+)=[^=]*\.json")
FLAT_NAME = re.compile(r"(?P<org>[^_]+)_(?P<repo>.+?-GGUF)_(?P<file>.+)", re.IGNORECASE)
FLAT_COMPANIONS = (".json", ".etag")


class Repo(NamedTuple):
    """A repository's files on disk. name: `org/name`. is_cached: in the Hugging Face cache, where a file is
    known by its name in the repository, not by its path.
    """

    name: str
    folder: str
    is_cached: bool


class Origin(NamedTuple):
    """Where a file of a flat cache comes from: `org/name`, and what it is called there."""

    repo: str
    title: str


def huggingface_repo(folder: str) -> Repo | None:
    """The repository that a folder of the Hugging Face cache holds, at the one snapshot that counts."""
    name = os.path.basename(folder)
    if not name.startswith(HUB_PREFIX) or not os.path.isdir(os.path.join(folder, "snapshots")):
        return None
    snapshot = _snapshot(Path(folder))
    if snapshot is None:
        return None
    return Repo(name.removeprefix(HUB_PREFIX).replace("--", "/"), str(snapshot), is_cached=True)


def plain_repo(folder: str, depth: int) -> Repo | None:
    """`ORG/REPO`, as LM Studio and our own downloads have it. Elsewhere it is believed only of a
    folder that says it is of GGUFs.

    depth: how far the folder lies below the scanned one; a repository needs a folder for its owner above it.
    """
    owner = os.path.dirname(folder)
    above = os.path.dirname(owner)
    is_in_store = _is_lm_studio(above) or os.path.basename(above) == HUB_FOLDER
    if not is_in_store and (depth < 2 or not folder.lower().endswith("gguf")):
        return None
    name = f"{os.path.basename(owner)}/{os.path.basename(folder)}"
    return Repo(name, folder, is_cached=False)


def flat_cache(folder: str, names: Collection[str]) -> dict[str, Origin]:
    """File name -> origin, for those files of a folder that llama.cpp's flat cache put there."""
    known = set(names)
    manifests = [found for name in names if (found := FLAT_MANIFEST.fullmatch(name))]
    repos = {f"{found['org']}_{found['repo']}_": f"{found['org']}/{found['repo']}" for found in manifests}
    is_the_cache = bool(repos) or os.path.basename(folder) == "llama.cpp"
    origins = {}
    for name in names:
        if is_the_cache or any(name + companion in known for companion in FLAT_COMPANIONS):
            if origin := _origin(name, repos):
                origins[name] = origin
    return origins


def _origin(name: str, repos: dict[str, str]) -> Origin | None:
    prefix = max((prefix for prefix in repos if name.startswith(prefix)), key=len, default=None)
    if prefix:
        return Origin(repos[prefix], name.removeprefix(prefix))
    if found := FLAT_NAME.fullmatch(name):
        return Origin(f"{found['org']}/{found['repo']}", found["file"])
    return None


def _is_lm_studio(folder: str) -> bool:
    home, name = os.path.split(folder)
    return name == "models" and os.path.basename(home) in LM_STUDIO_HOMES


def _snapshot(repo_folder: Path) -> Path | None:
    """The snapshot that refs/main names; without one, the newest; None when there is no snapshot."""
    snapshots = repo_folder / "snapshots"
    main = repo_folder / "refs" / "main"
    if main.is_file():
        revision = main.read_text(encoding="utf-8", errors="replace").strip()
        if revision and (snapshots / revision).is_dir():
            return snapshots / revision
    return max(_subfolders(snapshots), key=lambda path: (path.stat().st_mtime_ns, path), default=None)


def _subfolders(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_dir())
