"""The control plane's own log, kept in a file."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from synapse_engine.errors import CouldNotSave

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


@contextlib.contextmanager
def log_kept(path: Path) -> Iterator[None]:
    """Everything that is logged goes into the file too, after earlier runs' lines. Raises CouldNotSave."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise CouldNotSave(str(path), error.strerror or str(error)) from error
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
