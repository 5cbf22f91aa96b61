"""The data folder: where things are in it, and the lock that lets one control plane use it."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synapse_engine.errors import CouldNotSave, DataFolderInUse

# No model id holds a dash.
OWN_LOG = "control-plane"
# A file's name may have 255 bytes almost everywhere, and an extension still has to follow.
LONGEST_STEM_BYTES = 240


def file_stem(model_id: str) -> str:
    """What a model's own files are named by: its id, or of a very long one the beginning and a digest."""
    encoded = model_id.encode()
    if len(encoded) <= LONGEST_STEM_BYTES:
        return model_id
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    # The dash, which no id holds, keeps it apart from every id that is short enough.
    return f"{encoded[: LONGEST_STEM_BYTES - len(digest) - 1].decode(errors='ignore')}-{digest}"


def replace_file(path: Path, content: bytes) -> None:
    """Put the content into the file in one step that lasts. Raises CouldNotSave; then it is as it was."""
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise CouldNotSave(str(path), error.strerror or str(error)) from error


class DataFolder:
    """Paths of what the control plane keeps. Made on first use, readable by its owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.registry = root / "model_registry.json"
        self.logs = root / "logs"
        self.journal = root / "journal"
        self.prompt_caches = root / "prompt_caches"
        self.loading = root / "loading.json"
        self.store = root / "synapse.db"
        self.spool = root / "spool"
        self.downloads = root / "downloads.json"
        self.preferences = root / "settings.json"
        self._lock = root / "lock"

    @contextmanager
    def hold(self, holder: str) -> Iterator[None]:
        """Keep every other control plane out for as long as it is entered, even by a crash.

        holder: what a second one is told, such as `synapse serve (pid 12) at http://127.0.0.1:8000`.
        Raises DataFolderInUse, CouldNotSave.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CouldNotSave(str(self.root), error.strerror or str(error)) from error
        with os.fdopen(descriptor, "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataFolderInUse(str(self.root), file.read().strip() or "another process") from None
            file.truncate()
            file.write(holder)
            file.flush()
            yield
            file.seek(0)
            file.truncate()
