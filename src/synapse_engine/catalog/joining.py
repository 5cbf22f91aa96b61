"""A scan joined to the entries of before: who is new, who is gone, who came back or moved. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from synapse_engine.catalog.model import Model
from synapse_engine.catalog.names import assign_ids
from synapse_engine.catalog.registry_file import Entry


class ScanChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of models: in the scan, new, no longer there, and there with other facts than before."""

    found: int
    added: int
    removed: int
    changed: int


def plan_join(entries: Mapping[str, Entry], models: Iterable[Model]) -> tuple[list[Entry], ScanChanges]:
    """The entries after a scan that found `models`. No entry goes, so that no id is ever given again."""
    found = {model.identity: model for model in models}
    ids = {entry.model.identity: model_id for model_id, entry in entries.items()}
    gone = [entry for entry in entries.values() if entry.model.identity not in found]
    newcomers = [model for identity, model in found.items() if identity not in ids]
    moved = _moved(gone, newcomers)
    for model_id, model in moved.items():
        ids[model.identity] = model_id
    newcomers = [model for model in newcomers if model.identity not in ids]
    present = {ids[identity]: model for identity, model in found.items() if identity in ids}
    after = [_after(entry, present.get(model_id)) for model_id, entry in entries.items()]
    pairs = list(zip(entries.values(), after, strict=True))
    changes = ScanChanges(
        found=len(found),
        added=len(newcomers),
        removed=sum(new.missing and not old.missing for old, new in pairs),
        changed=sum(new != old and not new.missing for old, new in pairs),
    )
    return after + _first_entries(newcomers, entries), changes


def _after(entry: Entry, model: Model | None) -> Entry:
    if model is None:
        return msgspec.structs.replace(entry, missing=True)
    return msgspec.structs.replace(entry, model=model, missing=False)


def _first_entries(newcomers: list[Model], entries: Mapping[str, Entry]) -> list[Entry]:
    in_order = sorted(newcomers, key=lambda model: model.path)
    wishes = [(model.base_id, model.quantization, model.tier) for model in in_order]
    ids = assign_ids(wishes, entries.keys())
    return [Entry(model_id=model_id, model=model) for model_id, model in zip(ids, in_order, strict=True)]


def _moved(gone: Iterable[Entry], newcomers: Iterable[Model]) -> dict[str, Model]:
    """Id -> model, where exactly one file that is gone and one that is new are alike."""
    gone, newcomers = list(gone), list(newcomers)
    marks = Counter(_mark(entry.model) for entry in gone)
    new_marks = Counter(_mark(model) for model in newcomers)
    by_mark = {_mark(model): model for model in newcomers}
    return {
        entry.model_id: by_mark[mark]
        for entry in gone
        if (mark := _mark(entry.model)) and marks[mark] == new_marks[mark] == 1
    }


def _mark(model: Model) -> tuple[int, str] | None:
    """What a moved file is known by."""
    return (model.file_size_bytes, model.header_digest) if model.header_digest else None
