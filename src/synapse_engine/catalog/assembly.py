"""Files with their headers -> models: shards gathered, parts given to the models that they serve. Pure."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from synapse_engine.catalog.found import FoundFile
from synapse_engine.catalog.header import Header
from synapse_engine.catalog.model import Kind, Model
from synapse_engine.catalog.names import FileName, Hints, name_model, shard_file_name
from synapse_engine.catalog.parts import SAYS_DRAFT, Part, pick_draft, pick_projector
from synapse_engine.catalog.tensors import add_weights

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
# Ollama's own names for what its own engine runs (https://github.com/ollama/ollama, model/models): mllama is
# Llama 3.2 Vision, qwen25vl Qwen 2.5 VL, gptoss gpt-oss. llama.cpp knows none of them.
OLLAMA_ARCHITECTURES = frozenset({"gptoss", "mllama", "qwen25vl"})


class Piece(NamedTuple):
    """A file whose header has been read."""

    file: FoundFile
    name: FileName
    header: Header


class _Group(NamedTuple):
    """A model, and the pieces it is made of, the first shard first."""

    pieces: list[Piece]
    model: Model


def assemble(pieces: Iterable[Piece], broken: dict[str, str]) -> list[Model]:
    """Every model. `broken`: path -> reason, of files that could not be read."""
    shards: dict[str, list[Piece]] = defaultdict(list)
    parts: dict[str, list[Piece]] = {"mmproj": [], "draft": []}
    for piece in pieces:
        part = _part(piece)
        if part is None:
            shards[_identity(piece)].append(piece)
        elif part in parts:
            parts[part].append(piece)
    gathered = [sorted(group, key=lambda piece: piece.name.shard_number) for group in shards.values()]
    groups = [_Group(group, _model(group, broken)) for group in gathered]
    return [group.model for group in _with_projectors(_with_drafts(groups, parts["draft"]), parts["mmproj"])]


def _part(piece: Piece) -> str | None:
    """What the file is a part of a model as, or None for a model: the header first, the name second."""
    if piece.header.type in DECLARED_PARTS:
        return piece.header.type
    if piece.header.architecture in DRAFT_ARCHITECTURES:
        return "draft"
    if piece.header.type == "model" and piece.name.part != "draft":
        return None
    return piece.name.part


def _identity(piece: Piece) -> str:
    """The identity of a model's first shard, whether or not that one is there."""
    if piece.name.shard_number == 1:
        return piece.file.identity
    return piece.file.identity.removesuffix(piece.file.name) + shard_file_name(piece.file.name, 1)


def _model(shards: list[Piece], broken: dict[str, str]) -> Model:
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
        names=first.file.names,
        architecture=header.architecture,
        size_b=parameters / 1e9 if parameters else name.nominal_size_b,
        parameter_count=parameters,
        kind=kind,
        capabilities=_capabilities(header) if kind is Kind.CHAT else (),
        context_length=header.context_length,
        geometry=header.geometry,
        weights=header.weights if len(shards) == 1 else add_weights(s.header.weights for s in shards),
        adapters=first.file.adapters,
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


def _hints(shards: Sequence[Piece]) -> Hints:
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


def _kind(header: Header, name: FileName) -> Kind:
    stem = name.stem.lower()
    if header.pooling_type == RANK_POOLING or "rerank" in stem:
        return Kind.RERANKING
    if header.pooling_type is not None or header.architecture in EMBEDDING_ARCHITECTURES:
        return Kind.EMBEDDING
    return Kind.CHAT


def _capabilities(header: Header) -> tuple[str, ...]:
    flags = {
        "tools": header.template_has_tools,
        "thinking": header.template_has_thinking,
        "multi_token": bool(header.geometry.nextn_predict_layers),
    }
    return tuple(capability for capability, is_there in flags.items() if is_there)


# -- what cannot be launched -----------------------------------------------------------------------


def _problem(shards: Sequence[Piece], broken: dict[str, str]) -> str | None:
    """Why llama-server could not load these files, in words, or None."""
    first = shards[0]
    header = first.header
    if missing := _missing_shards(shards):
        name = os.path.basename(missing[0])
        if missing[0] in broken:
            return f"{name} {broken[missing[0]]}"
        return f"{name} is missing ({len(missing)} of {first.name.shard_count} shards are)"
    if first.name.shard_count == 1 and (header.split_count or 1) > 1:
        return (
            f"is a shard of {header.split_count}, but its name does not end in -00001-of-"
            f"{header.split_count:05}.gguf, so that its others cannot be found"
        )
    if header.byte_order != sys.byteorder:
        return f"is {header.byte_order}-endian, and this machine is not: download or convert it again"
    if header.architecture is None:
        return "names no architecture in its header"
    if header.architecture in OLLAMA_ARCHITECTURES or any(shard.header.has_encoder for shard in shards):
        return (
            f"is {header.architecture} in a form that only Ollama's own engine loads. Get the model's GGUF "
            "from Hugging Face instead"
        )
    return None


def _missing_shards(shards: Sequence[Piece]) -> list[str]:
    first = shards[0]
    present = {shard.name.shard_number for shard in shards}
    return [
        os.path.join(first.file.folder, shard_file_name(first.file.name, number))
        for number in range(1, first.name.shard_count + 1)
        if number not in present
    ]


# -- parts -----------------------------------------------------------------------------------------


def _with_drafts(groups: list[_Group], heads: Iterable[Piece]) -> list[_Group]:
    """The models with their drafts; a small model that drafts for another is none itself."""
    candidates: dict[str, list[Part]] = defaultdict(list)
    for head in heads:
        candidates[head.file.group].append(_part_of(head, is_head=True))
    for group in groups:
        if group.model.kind is Kind.CHAT and len(group.pieces) == 1 and SAYS_DRAFT.search(group.model.stem):
            candidates[group.pieces[0].file.group].append(_part_of(group.pieces[0], is_head=False))
    models = {group.model.path: group.model for group in groups}
    drafted = [_draft(group, candidates, models, is_alone=is_alone) for group, is_alone in _alone(groups)]
    used = {group.model.draft for group in drafted}
    return [group for group in drafted if group.model.path not in used]


def _draft(
    group: _Group, candidates: dict[str, list[Part]], models: dict[str, Model], *, is_alone: bool
) -> _Group:
    draft = pick_draft(candidates.get(group.pieces[0].file.group, ()), group.model, is_alone=is_alone)
    if draft is None or group.model.kind is not Kind.CHAT:
        return group
    drafted = msgspec.structs.replace(group.model, draft=draft.path, draft_model=models.get(draft.path))
    return group._replace(model=drafted)


def _with_projectors(groups: list[_Group], projectors: Iterable[Piece]) -> list[_Group]:
    by_path = {piece.file.path: piece for piece in projectors}
    candidates: dict[str, list[Part]] = defaultdict(list)
    for piece in by_path.values():
        candidates[piece.file.group].append(_part_of(piece, is_head=False))
    projected = []
    for group, is_alone in _alone(groups):
        file = group.pieces[0].file
        path = file.mmproj
        if path is None:
            picked = pick_projector(candidates.get(file.group, ()), group.model, is_alone=is_alone)
            path = picked.path if picked else None
        projected.append(_projected(group, path, by_path))
    return projected


def _projected(group: _Group, path: str | None, projectors: dict[str, Piece]) -> _Group:
    if path is None or group.model.kind is not Kind.CHAT:
        return group
    piece = projectors.get(path)
    senses = {"vision": piece is None or piece.header.sees, "audio": piece is not None and piece.header.hears}
    capabilities = (*group.model.capabilities, *(sense for sense, is_there in senses.items() if is_there))
    return group._replace(model=msgspec.structs.replace(group.model, mmproj=path, capabilities=capabilities))


def _alone(groups: Sequence[_Group]) -> list[tuple[_Group, bool]]:
    """Each with whether no other model, by name, shares its folder or repository."""
    base_ids: dict[str, set[str]] = defaultdict(set)
    for group in groups:
        base_ids[group.pieces[0].file.group].add(group.model.base_id)
    return [(group, len(base_ids[group.pieces[0].file.group]) == 1) for group in groups]


def _part_of(piece: Piece, *, is_head: bool) -> Part:
    hints = _hints([piece])
    return Part(
        path=piece.file.path,
        name=piece.name,
        quantization=piece.name.quantization or hints.file_type or hints.tensor_type,
        is_in_repo=piece.file.repo is not None,
        width=piece.header.projection_dimension,
        vocabulary_size=piece.header.geometry.vocabulary_size,
        parameter_count=hints.parameter_count,
        is_head=is_head,
    )
