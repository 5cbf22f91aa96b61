"""Which names a client may pick, and what stands behind each: the same for every dialect's list."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from synapse_engine.catalog.model import Kind
from synapse_engine.catalog.registry import Entry, Registry
from synapse_engine.errors import ModelNotFound
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.gateway.contexts import Contexts
from synapse_engine.gateway.names import MODES, Names
from synapse_engine.gateway.remotes import Known
from synapse_engine.modes.steps import Mode

# Of what has no file here; Anthropic's API says the same then.
UNKNOWN = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Listed:
    """A name, and the model that it means. context_tokens: of one request, None where nothing says.

    modified_at: when its file was last changed; UNKNOWN for one that is gone. server: of several
    the one that speaks for all; None where it was never started. variant: the variant's own name, where it is
    one.
    """

    name: str
    entry: Entry
    modified_at: datetime
    server: Server | None
    context_tokens: int | None
    variant: str | None = None

    @property
    def state(self) -> State:
        return self.server.state if self.server else State.STOPPED

    @property
    def status(self) -> str:
        """As everywhere on the wire."""
        return "running" if self.state is State.READY else str(self.state)


@dataclass(frozen=True)
class ListedRemote:
    """A model at an upstream by URL. is_reachable: when it was last asked."""

    name: str
    upstream: str
    is_reachable: bool

    @property
    def display_name(self) -> str:
        return self.name

    @property
    def status(self) -> str:
        return "running" if self.is_reachable else "failed"

    @property
    def modified_at(self) -> datetime:
        return UNKNOWN


@dataclass(frozen=True)
class ListedMode:
    """A mode that may be asked for as if it were a model."""

    name: str
    mode: Mode

    @property
    def display_name(self) -> str:
        return f"Synapse {self.mode.replace('_', ' ')}"

    @property
    def modified_at(self) -> datetime:
        return UNKNOWN


AnyListed = Listed | ListedRemote | ListedMode


class Listing:
    """Models that are enabled or run, each followed by its variants.

    Tiers and `auto` are no models and stand in no list, though they may be asked for.
    """

    def __init__(self, registry: Registry, fleet: Fleet, names: Names, contexts: Contexts) -> None:
        self._registry = registry
        self._fleet = fleet
        self._names = names
        self._contexts = contexts

    async def all(self, is_wanted: Callable[[State], bool] = lambda state: True) -> list[Listed]:
        """is_wanted: by the state of the model's server."""
        entries = [entry for entry in self._registry.entries.values() if self._is_listed(entry, is_wanted)]
        found = []
        for listed in await self._listed(entries):
            found.append(listed)
            for variant in listed.entry.choices.settings.get("variants") or ():
                name = self._names.name_of(listed.name, variant["name"])
                found.append(replace(listed, name=name, variant=variant["name"]))
        return found

    async def everything(self) -> list[AnyListed]:
        """The models, those at upstreams by URL, and the modes."""
        models = await self.all()
        return [*models, *self.remotes(), *self.modes(models)]

    async def any_one(self, name: str) -> AnyListed:
        """Of everything, listed or not. Raises ModelNotFound, AmbiguousModelName."""
        return self.mode(name) or self.remote(name) or await self.one(name)

    async def one(self, name: str) -> Listed:
        """Whatever a request may call it. Raises ModelNotFound, AmbiguousModelName."""
        target = self._names.find(name)
        if target.mode is not None:
            raise ModelNotFound(name, "It is a mode, and no model that could be loaded or shown.")
        [listed] = await self._listed([self._registry.get(target.model_ids[0])])
        if target.variant is None:
            return listed
        return replace(listed, name=self._names.name_of(listed.name, target.variant), variant=target.variant)

    def remotes(self) -> list[ListedRemote]:
        """Every model that an upstream by URL has said it has, or that is meant by its name."""
        return [
            _listed_remote(known, model)
            for known in self._names.remotes.known.values()
            for model in dict.fromkeys((*filter(None, [known.remote.model]), *known.models))
        ]

    def remote(self, name: str) -> ListedRemote | None:
        """One such, where the name means one. Raises ModelNotFound, AmbiguousModelName."""
        target = self._names.find(name)
        return None if target.remote is None else _listed_remote(target.remote, target.model_there)

    def modes(self, listed: Iterable[Listed]) -> list[ListedMode]:
        """All of them, where any of these could play in one."""
        if not any(each.entry.model.kind is Kind.CHAT for each in listed):
            return []
        return [ListedMode(name, mode) for name, mode in MODES.items()]

    def mode(self, name: str) -> ListedMode | None:
        """One such, where the name means one."""
        mode = MODES.get(name.casefold())
        return None if mode is None else ListedMode(name.casefold(), mode)

    async def _listed(self, entries: Sequence[Entry]) -> list[Listed]:
        """Under their own names."""
        await self._contexts.learn(entry.model_id for entry in entries)
        times = await asyncio.to_thread(lambda: [_modified_at(entry) for entry in entries])
        return [
            Listed(
                entry.model_id,
                entry,
                modified_at,
                self._fleet.server_of(entry.model_id),
                self._contexts.per_request(entry),
            )
            for entry, modified_at in zip(entries, times, strict=True)
        ]

    def _is_listed(self, entry: Entry, is_wanted: Callable[[State], bool]) -> bool:
        state = self._fleet.state_of(entry.model_id)
        return is_wanted(state) and (state is State.READY or (entry.choices.enabled and not entry.missing))


def _modified_at(entry: Entry) -> datetime:
    """Blocks."""
    try:
        return datetime.fromtimestamp(os.stat(entry.model.path).st_mtime, UTC)
    except OSError:
        return UNKNOWN


def _listed_remote(known: Known, model: str) -> ListedRemote:
    name = known.remote.name
    return ListedRemote(f"{name}/{model}", name, known.check is not None and known.check.is_reachable)
