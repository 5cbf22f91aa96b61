"""Small model files in folders and caches, for the tests of discovery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.gguf_files import Tensor, build_file

from synapse_engine.catalog.discovery import Scan
from synapse_engine.catalog.model import Model

LLAMA = {"general.architecture": "llama", "llama.embedding_length": 64}


def put(path: Path, keys: dict[str, Any] | None = None, /, **extra: Any) -> Path:
    """A small file with a header: llama's, unless `keys` say otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(build_file((LLAMA if keys is None else keys) | extra, [Tensor("a")], data_bytes=128))
    return path


def put_mmproj(path: Path, width: int = 64) -> Path:
    return put(path, {"general.architecture": "clip", "clip.vision.projection_dim": width})


def put_in_cache(cache: Path, repo: str, revision: str, file: str, blob: str | None = None) -> Path:
    """A file as the Hugging Face cache keeps it: a blob, and a link to it in a snapshot."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    source = put(
        folder / "blobs" / (blob or f"{revision}{file}".replace("/", "")), **{"general.name": revision}
    )
    link = folder / "snapshots" / revision / file
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(source)
    return link


def set_main(cache: Path, repo: str, revision: str) -> None:
    main = cache / f"models--{repo.replace('/', '--')}" / "refs" / "main"
    main.parent.mkdir(parents=True, exist_ok=True)
    main.write_text(revision)


def only_model(found: Scan) -> Model:
    assert found.skipped == ()
    assert len(found.models) == 1
    return found.models[0]


def reasons(found: Scan) -> dict[str, str]:
    return {Path(skip.path).name: skip.reason for skip in found.skipped}
