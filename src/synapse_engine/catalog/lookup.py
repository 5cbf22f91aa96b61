"""A name that somebody typed -> the entries it can mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from synapse_engine.catalog.registry_file import Entry
from synapse_engine.errors import AmbiguousModelName, ModelNotFound


class Lookup:
    """Entries by id and by every other name. Built once, never changed.

    Names count in this order, and the first kind that knows one decides: id, alias, short id, file stem,
    `org/repo:QUANT` or a store's name, `org/repo`, display name. Only the id's case matters.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries: Mapping[str, Entry] = MappingProxyType({entry.model_id: entry for entry in entries})
        self._by_name: tuple[dict[str, list[Entry]], ...] = tuple(defaultdict(list) for _ in range(6))
        for entry in self.entries.values():
            for names, index in zip(_names(entry), self._by_name, strict=True):
                for name in {name.casefold() for name in names}:
                    index[name].append(entry)

    def get(self, model_id: str) -> Entry:
        """Raises ModelNotFound."""
        entry = self.entries.get(model_id)
        if entry is None:
            raise ModelNotFound(model_id)
        return entry

    def resolve(self, name: str) -> Entry:
        """The one entry that `name` means; one that is there before one that is missing.

        Raises ModelNotFound, and AmbiguousModelName with the ids it could mean.
        """
        candidates, _ = self._find(name)
        if len(candidates) > 1:
            raise _ambiguous(name, candidates)
        return candidates[0]

    def resolve_all(self, name: str) -> list[Entry]:
        """The same for who takes any of several: models may share an alias, and any other name means one."""
        candidates, is_alias = self._find(name)
        if len(candidates) > 1 and not is_alias:
            raise _ambiguous(name, candidates)
        return candidates

    def _find(self, name: str) -> tuple[list[Entry], bool]:
        """Whom it can mean, and whether it is an alias. Raises ModelNotFound."""
        if name in self.entries:
            return [self.entries[name]], False
        wanted = name.strip().casefold()
        for index in self._by_name:
            matches = index.get(wanted, [])
            candidates = [entry for entry in matches if not entry.missing] or matches
            if candidates:
                return candidates, index is self._by_name[0]
        raise ModelNotFound(name)


def _ambiguous(name: str, candidates: Iterable[Entry]) -> AmbiguousModelName:
    return AmbiguousModelName(name, sorted(entry.model_id for entry in candidates))


def _names(entry: Entry) -> tuple[list[str], ...]:
    model = entry.model
    tags = list(model.names)
    if model.repo and model.quantization:
        tags.append(f"{model.repo}:{model.quantization}")
        if model.is_dynamic_quant:
            tags.append(f"{model.repo}:UD-{model.quantization}")
    return (
        list(entry.choices.aliases),
        [model.base_id, entry.model_id],
        [model.stem, f"{model.stem}.gguf"],
        tags,
        [model.repo] if model.repo else [],
        [model.display_name],
    )
