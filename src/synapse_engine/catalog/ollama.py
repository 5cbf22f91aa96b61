"""Ollama's store -> the GGUF blobs that its manifests name.

`manifests/HOST/OWNER/NAME/TAG` is JSON with layers; a layer's digest names a file in `blobs`.
Source: https://github.com/ollama/ollama (types/model/name.go, server/manifest.go).
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

import msgspec

from synapse_engine.catalog.found import Skipped, explain_unreadable

MANIFESTS_FOLDER, BLOBS_FOLDER = "manifests", "blobs"
STORE_FOLDERS = frozenset({MANIFESTS_FOLDER, BLOBS_FOLDER})
LAYER = "application/vnd.ollama.image."
DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
OWN_HOST, OWN_OWNER = "registry.ollama.ai", "library"
HUGGINGFACE_HOSTS = frozenset({"hf.co", "huggingface.co"})
LATEST = "latest"


class Blob(NamedTuple):
    """A model in the store. title: its name and tag as a file's name would say them. names: best first."""

    path: str
    names: tuple[str, ...]
    title: str
    repo: str | None
    mmproj: str | None
    adapters: tuple[str, ...]


class _Name(NamedTuple):
    host: str
    owner: str
    name: str
    tag: str

    def __str__(self) -> str:
        """As Ollama's own list shows it."""
        if self.host != OWN_HOST:
            return f"{self.host}/{self.owner}/{self.name}:{self.tag}"
        owner = "" if self.owner == OWN_OWNER else f"{self.owner}/"
        return f"{owner}{self.name}:{self.tag}"


class _Layer(msgspec.Struct, rename="camel"):
    media_type: str = ""
    digest: str = ""


class _Manifest(msgspec.Struct):
    layers: list[_Layer] | None = None


class _Weights(NamedTuple):
    """What makes two tags the same model."""

    model: str
    mmproj: str | None
    adapters: tuple[str, ...]


def is_store(subfolders: Collection[str]) -> bool:
    return STORE_FOLDERS.issubset(subfolders)


def read_store(store: str) -> tuple[list[Blob], list[Skipped]]:
    """Every model once, however many tags name it; and the manifests that name none that could be served."""
    skipped: list[Skipped] = []
    tags: dict[_Weights, list[_Name]] = defaultdict(list)
    for name, path in _manifests(os.path.join(store, MANIFESTS_FOLDER)):
        try:
            tags[_weights(store, path)].append(name)
        except OSError as error:
            skipped.append(Skipped(path, explain_unreadable(error)))
        except ValueError as error:
            skipped.append(Skipped(path, str(error)))
    return [_blob(weights, names) for weights, names in tags.items()], skipped


def _manifests(folder: str) -> Iterator[tuple[_Name, str]]:
    for parent, _, files in os.walk(folder):
        above = os.path.relpath(parent, folder).split(os.sep)
        if len(above) == 3:
            host, owner, name = above
            for tag in files:
                yield _Name(host, owner, name, tag), os.path.join(parent, tag)


def _weights(store: str, path: str) -> _Weights:
    """Raises OSError, and ValueError in words."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        layers = msgspec.json.decode(content, type=_Manifest).layers or []
    except msgspec.DecodeError as error:
        raise ValueError(f"is not a manifest that can be read: {error}") from None
    models = _blobs(store, layers, "model")
    if not models:
        raise ValueError("names no file of weights: Ollama runs it elsewhere, or from a format of its own")
    return _Weights(
        models[0], next(iter(_blobs(store, layers, "projector")), None), _blobs(store, layers, "adapter")
    )


def _blobs(store: str, layers: list[_Layer], kind: str) -> tuple[str, ...]:
    """The paths of the layers of a kind. A digest is a file's name, so it has to look like one."""
    digests = [DIGEST.fullmatch(layer.digest) for layer in layers if layer.media_type == LAYER + kind]
    return tuple(os.path.join(store, BLOBS_FOLDER, f"sha256-{found[1]}") for found in digests if found)


def _blob(weights: _Weights, tags: list[_Name]) -> Blob:
    # `latest` says less than any other tag.
    tags.sort(key=lambda name: (name.tag == LATEST, name))
    best = tags[0]
    short = [str(name).removesuffix(f":{LATEST}") for name in tags if name.tag == LATEST]
    return Blob(
        path=weights.model,
        names=(*map(str, tags), *short),
        title=best.name if best.tag == LATEST else f"{best.name}-{best.tag}",
        repo=f"{best.owner}/{best.name}" if best.host in HUGGINGFACE_HOSTS else None,
        mmproj=weights.mmproj,
        adapters=weights.adapters,
    )
