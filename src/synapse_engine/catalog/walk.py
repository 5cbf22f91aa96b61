"""Folders -> GGUF files: who they are, and what could not be looked at. No file is opened here.

One small function per store shape: `default_roots` says where a store lives, `_huggingface_snapshot` how one
reads a repository of the Hugging Face cache, wherever a walk meets it.

Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

EXTENSION = ".gguf"
PARTIAL_ENDINGS = (".incomplete", ".downloadInProgress")
REPO_PREFIX = "models--"


class Skipped(msgspec.Struct, frozen=True):
    """A file or folder that gave no model, and why, in words."""

    path: str
    reason: str


class FoundFile(NamedTuple):
    """One GGUF file.

    path: absolute, as met. identity: what choices stick to. repo: `org/name` where the store tells it.
    group: the folder (in a repository, the snapshot) whose files belong together.
    """

    path: str
    size: int
    mtime_ns: int
    identity: str
    repo: str | None
    group: str

    @property
    def folder(self) -> str:
        return os.path.dirname(self.path)

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


class _Repo(NamedTuple):
    name: str
    snapshot: str


class _Folder(NamedTuple):
    path: str
    repo: _Repo | None = None


def default_roots(environ: Mapping[str, str]) -> list[Path]:
    """The known caches and stores that exist now."""
    return [root for root in (_huggingface_cache(environ),) if root.is_dir()]


def find_files(roots: Iterable[Path]) -> tuple[list[FoundFile], list[Skipped]]:
    """Every GGUF file below `roots` (or a root itself), each once, sorted by path; and what was skipped.

    A file that several paths lead to is taken by the path in a Hugging Face repository, else the first.
    """
    walk = _Walk()
    for root in roots:
        walk.visit_root(os.path.abspath(root.expanduser()))
    return walk.result()


class _Walk:
    """What a walk has seen, so that loops end and no file counts twice."""

    def __init__(self) -> None:
        self._folders_seen: set[tuple[int, int, _Repo | None]] = set()
        self._candidates: list[tuple[FoundFile, tuple[object, ...]]] = []
        self._skipped: list[Skipped] = []

    def visit_root(self, root: str) -> None:
        try:
            is_folder = stat.S_ISDIR(os.stat(root).st_mode)
        except FileNotFoundError:
            self._skip(root, "is not there. Check the spelling in MODEL_SCAN_PATH, or create it")
        except OSError as error:
            self._skip(root, explain_unreadable(error, "rx"))
        else:
            if is_folder:
                self._visit_folders(_Folder(root))
            else:
                self._visit_file(_Folder(os.path.dirname(root)), os.path.basename(root))

    def result(self) -> tuple[list[FoundFile], list[Skipped]]:
        files: list[FoundFile] = []
        seen: set[object] = set()
        identities: dict[str, str] = {}
        for file, marks in sorted(self._candidates, key=lambda candidate: candidate[0].repo is None):
            if seen.isdisjoint(marks):
                if file.identity in identities:
                    self._skip(file.path, f"is another copy of {identities[file.identity]}, which is used")
                    continue
                files.append(file)
                identities[file.identity] = file.path
            seen.update(marks)
        return sorted(files), sorted(set(self._skipped), key=lambda skipped: skipped.path)

    def _visit_folders(self, start: _Folder) -> None:
        pending = [start]
        while pending:
            folder = pending.pop()
            try:
                if self._is_new(folder):
                    pending += self._visit(_enter_repository(folder))
            except OSError as error:
                self._skip(folder.path, explain_unreadable(error, "rx"))

    def _visit(self, folder: _Folder) -> list[_Folder]:
        """Take a folder's files; answers the folders in it."""
        with os.scandir(folder.path) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
        folders = []
        for entry in listing:
            if _is_folder(entry):
                folders.append(_Folder(entry.path, folder.repo))
            elif entry.name.lower().endswith(EXTENSION):
                self._visit_file(folder, entry.name)
        return folders[::-1]

    def _visit_file(self, folder: _Folder, name: str) -> None:
        path = os.path.join(folder.path, name)
        try:
            path.encode()
            real = os.path.realpath(path)
            status = os.stat(path)
        except UnicodeEncodeError:
            self._skip(path, "has a name that is not UTF-8. Rename it")
        except FileNotFoundError:
            self._skip(path, "is a link to a file that is not there. Download it again, or remove the link")
        except OSError as error:
            self._skip(path, explain_unreadable(error))
        else:
            self._add(folder, path, real, status)

    def _add(self, folder: _Folder, path: str, real: str, status: os.stat_result) -> None:
        if real.endswith(PARTIAL_ENDINGS):
            return
        if not stat.S_ISREG(status.st_mode):
            self._skip(path, "is not a regular file")
            return
        marks: list[object] = [(status.st_dev, status.st_ino)]
        repo = folder.repo
        if repo and os.path.basename(os.path.dirname(real)) == "blobs":
            marks.append(os.path.basename(real))
        identity = path
        if repo:
            identity = f"hf:{repo.name}/{Path(path).relative_to(repo.snapshot).as_posix()}"
        file = FoundFile(
            path=path,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            identity=identity,
            repo=repo.name if repo else None,
            group=repo.snapshot if repo else folder.path,
        )
        self._candidates.append((file, tuple(marks)))

    def _is_new(self, folder: _Folder) -> bool:
        """A folder counts anew inside a repository: a link to it from elsewhere must not hide that."""
        status = os.stat(folder.path)
        mark = (status.st_dev, status.st_ino, folder.repo)
        is_new = mark not in self._folders_seen
        self._folders_seen.add(mark)
        return is_new

    def _skip(self, path: str, reason: str) -> None:
        readable = os.fsencode(path).decode("utf-8", "replace")
        self._skipped.append(Skipped(readable, reason))


def _huggingface_cache(environ: Mapping[str, str]) -> Path:
    """Where the Hugging Face cache is, by the first variable that is set."""
    if cache := environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    if home := environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    cache_home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".cache"
    return Path(cache_home).expanduser() / "huggingface" / "hub"


def _enter_repository(folder: _Folder) -> _Folder:
    """The folder itself, or the one snapshot that counts if it is a repository of the Hugging Face cache."""
    name = os.path.basename(folder.path)
    if not name.startswith(REPO_PREFIX) or not os.path.isdir(os.path.join(folder.path, "snapshots")):
        return folder
    snapshot = _huggingface_snapshot(Path(folder.path))
    if snapshot is None:
        return _Folder(os.path.join(folder.path, "snapshots"))
    repo = _Repo(name.removeprefix(REPO_PREFIX).replace("--", "/"), str(snapshot))
    return _Folder(str(snapshot), repo)


def _huggingface_snapshot(repo_folder: Path) -> Path | None:
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


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that cannot be followed: what it is called decides whether it is looked at.
        return False


def explain_unreadable(error: OSError, needed: str = "r") -> str:
    """In words, with what to do; `needed` are the permissions as chmod spells them."""
    if isinstance(error, PermissionError):
        return f"cannot be read: permission denied. Allow it with chmod a+{needed} (and a+rx above it)"
    return f"cannot be read: {error.strerror or error}"
