"""Folders -> models: every header read once, shards gathered, parts paired with the models they serve."""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from synapse_engine.catalog.cursor import GgufError
from synapse_engine.catalog.gguf import ArrayMemo
from synapse_engine.catalog.header import Header, read_header_from
from synapse_engine.catalog.model import Kind, Model
from synapse_engine.catalog.names import (
    FileName,
    Hints,
    name_model,
    parse_file_name,
    shard_file_name,
)
from synapse_engine.catalog.projectors import Projector, pick_projector
from synapse_engine.catalog.tensors import add_weights
from synapse_engine.catalog.walk import FoundFile, Skipped, explain_unreadable, find_files

__all__ = ["HeaderCache", "Scan", "Skipped", "scan"]

RANK_POOLING = 4
EMBEDDING_ARCHITECTURES = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "llama-embed",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "t5encoder",
    }
)
DECLARED_PARTS = frozenset({"adapter", "imatrix", "mmproj"})
DRAFT_ARCHITECTURES = frozenset({"eagle3"})


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What one scan found. `models` and `skipped` are sorted by path; `seconds` is how long it took."""

    models: tuple[Model, ...]
    skipped: tuple[Skipped, ...]
    roots: tuple[str, ...]
    seconds: float


class HeaderCache:
    """Headers by (path, size, mtime), so that a rescan reads only what changed. For one scan at a time."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, int, int], Header | GgufError] = {}
        self._arrays = ArrayMemo()

    def header(self, file: FoundFile) -> Header:
        """Raises GgufError, and OSError for a file that cannot be opened (which is not remembered)."""
        key = (file.path, file.size, file.mtime_ns)
        known = self._read.get(key)
        if known is None:
            known = self._read[key] = _read_file(file.path, self._arrays)
        if isinstance(known, GgufError):
            raise known
        return known

    def keep_only(self, files: Iterable[FoundFile]) -> None:
        """Forget the files that are gone."""
        current = {(file.path, file.size, file.mtime_ns) for file in files}
        self._read = {key: known for key, known in self._read.items() if key in current}


class _Piece(NamedTuple):
    """A file whose header has been read."""

    file: FoundFile
    name: FileName
    header: Header


def scan(roots: Sequence[Path], headers: HeaderCache | None = None) -> Scan:
    """Find every model below `roots`. Blocks: run it in a thread. No broken file or folder is fatal."""
    started = time.perf_counter()
    headers = headers or HeaderCache()
    files, skipped = find_files(roots)
    headers.keep_only(files)
    pieces: list[_Piece] = []
    for file in files:
        try:
            pieces.append(_Piece(file, parse_file_name(file.name), headers.header(file)))
        except GgufError as error:
            skipped.append(Skipped(file.path, str(error)))
        except OSError as error:
            skipped.append(Skipped(file.path, explain_unreadable(error)))
    broken = {skip.path: skip.reason for skip in skipped}
    return Scan(
        models=tuple(sorted(_models(pieces, broken), key=lambda model: model.path)),
        skipped=tuple(sorted(skipped, key=lambda skip: skip.path)),
        roots=tuple(str(root) for root in roots),
        seconds=time.perf_counter() - started,
    )


def _read_file(path: str, arrays: ArrayMemo) -> Header | GgufError:
    # What was a file a moment ago may be a pipe now, and opening one would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        size = os.fstat(descriptor).st_size
        return read_header_from(lambda at, count: os.pread(descriptor, count, at), size, arrays)
    except GgufError as error:
        return error.with_traceback(None)
    finally:
        os.close(descriptor)


def _models(pieces: Iterable[_Piece], broken: dict[str, str]) -> list[Model]:
    shards: dict[tuple[str, str], list[_Piece]] = defaultdict(list)
    projectors: dict[str, list[Projector]] = defaultdict(list)
    for piece in pieces:
        part = _part(piece)
        if part == "mmproj":
            projectors[piece.file.group].append(_projector(piece))
        elif part is None:
            shards[piece.file.folder, shard_file_name(piece.file.name, 1)].append(piece)
    groups = [sorted(group, key=lambda piece: piece.name.shard_number) for group in shards.values()]
    models = [(group[0].file.group, _model(group, broken)) for group in groups]
    bases: dict[str, set[str]] = defaultdict(set)
    for folder, model in models:
        bases[folder].add(model.base_id)
    return [
        _with_projector(model, pick_projector(projectors[folder], model, is_alone=len(bases[folder]) == 1))
        for folder, model in models
    ]


def _part(piece: _Piece) -> str | None:
    """What the file is a part of a model as, or None for a model: the header first, the name second."""
    if piece.header.type in DECLARED_PARTS:
        return piece.header.type
    if piece.header.architecture in DRAFT_ARCHITECTURES:
        return "draft"
    if piece.header.type == "model" and piece.name.part != "draft":
        return None
    return piece.name.part


def _projector(piece: _Piece) -> Projector:
    hints = _hints([piece])
    return Projector(
        path=piece.file.path,
        name=piece.name,
        quantization=piece.name.quantization or hints.file_type or hints.tensor_type,
        width=piece.header.projection_dimension,
        is_in_repo=piece.file.repo is not None,
    )


def _model(shards: list[_Piece], broken: dict[str, str]) -> Model:
    """A model from the shards that are there, in order. Facts are the first's; counts are everybody's."""
    first = shards[0]
    header = first.header
    size = sum(shard.file.size for shard in shards)
    hints = _hints(shards)
    name = name_model(first.name, first.file.repo, hints, size)
    kind = _kind(header, first.name)
    parameters = hints.parameter_count
    return Model(
        identity=_identity(first),
        files=tuple(shard.file.path for shard in shards),
        file_size_bytes=size,
        shard_count=first.name.shard_count,
        stem=first.name.stem,
        repo=first.file.repo,
        architecture=header.architecture,
        size_b=parameters / 1e9 if parameters else name.nominal_size_b,
        parameter_count=parameters,
        kind=kind,
        capabilities=_capabilities(header) if kind is Kind.CHAT else (),
        context_length=header.context_length,
        geometry=header.geometry,
        weights=header.weights if len(shards) == 1 else add_weights(s.header.weights for s in shards),
        header_digest=header.digest,
        problem=_problem(shards, broken),
        base_id=name.base_id,
        display_name=name.display_name,
        family=name.family,
        version=name.version,
        variant=name.variant,
        nominal_size_b=name.nominal_size_b,
        quantization=name.quantization,
        is_dynamic_quant=name.is_dynamic_quant,
        tier=name.tier,
    )


def _hints(shards: Sequence[_Piece]) -> Hints:
    header = shards[0].header
    by_type: dict[str, int] = defaultdict(int)
    for shard in shards:
        for tensor_type, elements in shard.header.parameters_by_type.items():
            by_type[tensor_type] += elements
    return Hints(
        name=header.name,
        size_label=header.size_label,
        parameter_count=sum(by_type.values()) or None,
        file_type=header.file_type,
        tensor_type=max(by_type, key=by_type.__getitem__, default=None),
    )


def _identity(piece: _Piece) -> str:
    """The identity of a model's first shard, whether or not that one is there."""
    if piece.name.shard_number == 1:
        return piece.file.identity
    return piece.file.identity.removesuffix(piece.file.name) + shard_file_name(piece.file.name, 1)


def _kind(header: Header, name: FileName) -> Kind:
    stem = name.stem.lower()
    if header.pooling_type == RANK_POOLING or "rerank" in stem:
        return Kind.RERANKING
    if header.pooling_type is not None or header.architecture in EMBEDDING_ARCHITECTURES:
        return Kind.EMBEDDING
    return Kind.CHAT


def _capabilities(header: Header) -> tuple[str, ...]:
    flags = {"tools": header.template_has_tools, "thinking": header.template_has_thinking}
    return tuple(capability for capability, is_there in flags.items() if is_there)


def _problem(shards: Sequence[_Piece], broken: dict[str, str]) -> str | None:
    """Why llama-server could not load these files, in words, or None."""
    first = shards[0]
    if missing := _missing_shards(shards):
        path = missing[0]
        if path in broken:
            return f"{Path(path).name} {broken[path]}"
        return f"{Path(path).name} is missing ({len(missing)} of {first.name.shard_count} shards are)"
    if first.name.shard_count == 1 and (first.header.split_count or 1) > 1:
        return (
            f"is a shard of {first.header.split_count}, but its name does not end in -00001-of-"
            f"{first.header.split_count:05}.gguf, so that its others cannot be found"
        )
    if first.header.byte_order != sys.byteorder:
        return f"is {first.header.byte_order}-endian, and this machine is not: download or convert it again"
    if first.header.architecture is None:
        return "names no architecture in its header"
    return None


def _missing_shards(shards: Sequence[_Piece]) -> list[str]:
    first = shards[0]
    present = {shard.name.shard_number for shard in shards}
    return [
        str(Path(first.file.folder, shard_file_name(first.file.name, number)))
        for number in range(1, first.name.shard_count + 1)
        if number not in present
    ]


def _with_projector(model: Model, projector: Projector | None) -> Model:
    if projector is None or model.kind is not Kind.CHAT:
        return model
    return msgspec.structs.replace(model, mmproj=projector.path, capabilities=(*model.capabilities, "vision"))
