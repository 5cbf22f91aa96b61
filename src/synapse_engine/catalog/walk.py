"""Folders -> GGUF files: who they are, and what could not be looked at. No model file is opened here.

`stores` says where stores live, `layouts` and `ollama` how one is read, wherever a walk meets it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from synapse_engine.catalog.found import FoundFile, Skipped, explain_unreadable
from synapse_engine.catalog.layouts import Origin, Repo, flat_cache, huggingface_repo, plain_repo
from synapse_engine.catalog.ollama import BLOBS_FOLDER, STORE_FOLDERS, Blob, is_store, read_store

EXTENSION = ".gguf"
# SHA-256, which Ollama says in front; the Hugging Face cache has SHA-1 for what is not large.
CONTENT_HASH = re.compile(r"(?:sha256-)?([0-9a-f]{40}|[0-9a-f]{64})")
PARTIAL_ENDINGS = (".incomplete", ".downloadInProgress", ".part")


class _Folder(NamedTuple):
    path: str
    depth: int = 0
    repo: Repo | None = None


class _Candidate(NamedTuple):
    """A file by one of the paths that lead to it. marks: what the same content is known by."""

    file: FoundFile
    marks: tuple[tuple[object, ...], ...]
    is_linked: bool

    def rank(self) -> tuple[bool, bool, bool]:
        """Low is good."""
        return self.file.identity == self.file.path, self.file.repo is None, self.is_linked


def find_files(roots: Iterable[Path]) -> tuple[list[FoundFile], list[Skipped]]:
    """Every GGUF file below `roots` (or a root itself), each once, sorted by path; and what was skipped.

    A file that several paths lead to is taken by its name in a store, else in a repository, else by the path
    that follows no link, else by the first.
    """
    walk = _Walk()
    for root in roots:
        walk.visit_root(os.path.abspath(root.expanduser()))
    return walk.result()


class _Walk:
    """What a walk has seen, so that loops end and no file counts twice."""

    def __init__(self) -> None:
        self._folders_seen: set[tuple[int, int, Repo | None]] = set()
        self._candidates: list[_Candidate] = []
        self._skipped: list[Skipped] = []
        # Visited last, so that a folder is met by a path without links if there is one.
        self._linked_folders: list[_Folder] = []

    def visit_root(self, root: str) -> None:
        try:
            is_folder = stat.S_ISDIR(os.stat(root).st_mode)
        except FileNotFoundError:
            self._skip(root, "is not there. Check the spelling in MODEL_SCAN_PATH, or create it")
        except OSError as error:
            self._skip(root, explain_unreadable(error, "rx"))
        else:
            if is_folder:
                self._visit_folders([_Folder(root)])
            else:
                self._visit_file(_Folder(os.path.dirname(root)), os.path.basename(root), None)

    def result(self) -> tuple[list[FoundFile], list[Skipped]]:
        while self._linked_folders:
            linked, self._linked_folders = self._linked_folders, []
            self._visit_folders(linked)
        files: list[FoundFile] = []
        seen: set[object] = set()
        identities: dict[str, str] = {}
        for file, marks, _ in sorted(self._candidates, key=_Candidate.rank):
            if seen.isdisjoint(marks):
                if file.identity in identities:
                    self._skip(file.path, f"is another copy of {identities[file.identity]}, which is used")
                    continue
                files.append(file)
                identities[file.identity] = file.path
            seen.update(marks)
        in_order = sorted(files, key=lambda file: (file.path, file.identity))
        return in_order, sorted(set(self._skipped), key=lambda skipped: skipped.path)

    def _visit_folders(self, pending: list[_Folder]) -> None:
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
        folders: list[os.DirEntry[str]] = []
        files: list[str] = []
        for entry in listing:
            if _is_folder(entry):
                folders.append(entry)
            else:
                files.append(entry.name)
        origins = flat_cache(folder.path, files)
        for name in files:
            if name.lower().endswith(EXTENSION):
                self._visit_file(folder, name, origins.get(name))
        if is_store([entry.name for entry in folders]):
            self._visit_ollama(folder.path)
            folders = [entry for entry in folders if entry.name not in STORE_FOLDERS]
        return self._folders_below(folder, folders)

    def _folders_below(self, folder: _Folder, entries: list[os.DirEntry[str]]) -> list[_Folder]:
        """The folders to visit next, the first one last; linked ones are put by."""
        below: list[_Folder] = []
        for entry in reversed(entries):
            place = self._linked_folders if entry.is_symlink() else below
            place.append(_Folder(entry.path, folder.depth + 1, folder.repo))
        return below

    def _visit_file(self, folder: _Folder, name: str, origin: Origin | None) -> None:
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
            if not real.endswith(PARTIAL_ENDINGS) and self._is_regular(path, status):
                file = _found(folder, path, origin, status)
                self._candidates.append(_Candidate(file, _marks(real, status), is_linked=real != path))

    def _visit_ollama(self, store: str) -> None:
        blobs, skipped = read_store(store)
        self._skipped += skipped
        for blob in blobs:
            self._visit_blob(blob)
        for mmproj in {blob.mmproj for blob in blobs if blob.mmproj}:
            self._visit_file(_Folder(os.path.dirname(mmproj)), os.path.basename(mmproj), None)

    def _visit_blob(self, blob: Blob) -> None:
        try:
            status = os.stat(blob.path)
        except FileNotFoundError:
            self._skip(blob.path, f"is not there, and Ollama's {blob.names[0]} needs it. Pull that again")
            return
        except OSError as error:
            self._skip(blob.path, explain_unreadable(error))
            return
        if self._is_regular(blob.path, status):
            file = FoundFile(
                path=blob.path,
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                identity=f"ollama:{blob.names[0]}",
                repo=blob.repo,
                group=blob.path,
                title=blob.title,
                names=blob.names,
                mmproj=blob.mmproj,
                adapters=blob.adapters,
            )
            marks = _marks(os.path.realpath(blob.path), status)
            # Another adapter on the same weights is another model.
            marks = tuple((*mark, *blob.adapters) for mark in marks)
            self._candidates.append(_Candidate(file, marks, is_linked=False))

    def _is_regular(self, path: str, status: os.stat_result) -> bool:
        is_regular = stat.S_ISREG(status.st_mode)
        if not is_regular:
            self._skip(path, "is not a regular file")
        return is_regular

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


def _enter_repository(folder: _Folder) -> _Folder:
    """The folder as part of a repository if it is one; of a cache, the snapshot that counts."""
    if folder.repo:
        return folder
    repo = huggingface_repo(folder.path) or plain_repo(folder.path, folder.depth)
    return _Folder(repo.folder, folder.depth, repo) if repo else folder


def _found(folder: _Folder, path: str, origin: Origin | None, status: os.stat_result) -> FoundFile:
    repo = folder.repo
    identity, group = path, folder.path
    if repo:
        group = repo.folder
        if repo.is_cached:
            identity = f"hf:{repo.name}/{Path(path).relative_to(repo.folder).as_posix()}"
    elif origin:
        group = os.path.join(folder.path, origin.repo)
    return FoundFile(
        path=path,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        identity=identity,
        repo=repo.name if repo else origin.repo if origin else None,
        group=group,
        title=origin.title if origin else os.path.basename(path),
    )


def _marks(real: str, status: os.stat_result) -> tuple[tuple[object, ...], ...]:
    """What the same content is known by: the file, and in a store the hash that it is called by."""
    marks: list[tuple[object, ...]] = [(status.st_dev, status.st_ino)]
    folder, name = os.path.split(real)
    if os.path.basename(folder) == BLOBS_FOLDER and (named := CONTENT_HASH.fullmatch(name)):
        marks.append((named[1],))
    return tuple(marks)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that cannot be followed: what it is called decides whether it is looked at.
        return False
