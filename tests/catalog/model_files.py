"""Small model files in folders and caches, for the tests of discovery."""

from __future__ import annotations

import hashlib
import json
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


def put_in_ollama(store: Path, name: str, keys: dict[str, Any] | None = None, /, **layers: Path) -> Path:
    """A model as Ollama keeps it, under `HOST/OWNER/NAME/TAG`; answers its blob. `layers`: further ones."""
    blobs = {"model": _blob(store, put(store / "new", keys, **{"general.name": name.rpartition("/")[0]}))}
    return put_manifest(store, name, **blobs, **{kind: _blob(store, path) for kind, path in layers.items()})


def put_manifest(store: Path, name: str, **blobs: Path) -> Path:
    """A name for blobs that are there; answers the model's."""
    layers = [
        {
            "mediaType": f"application/vnd.ollama.image.{kind}",
            "digest": blob.name.replace("-", ":"),
            "size": blob.stat().st_size,
        }
        for kind, blob in blobs.items()
    ]
    manifest = store / "manifests" / name
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:0"}, "layers": layers}))
    return blobs["model"]


def _blob(store: Path, source: Path) -> Path:
    blob = store / "blobs" / f"sha256-{hashlib.sha256(source.read_bytes()).hexdigest()}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    return source.rename(blob)


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
