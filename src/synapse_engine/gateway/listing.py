"""Which names a client may pick, and what stands behind each: the same for every dialect's list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from synapse_engine.catalog.model import Kind
from synapse_engine.catalog.registry import Entry, Registry
from synapse_engine.errors import ModelNotFound
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.gateway.body import in_memory
from synapse_engine.gateway.contexts import Contexts
from synapse_engine.gateway.names import MODES, Names
from synapse_engine.gateway.remotes import Known
from synapse_engine.modes.steps import Mode

NO_BODY = in_memory(b"")


@dataclass(frozen=True)
class Listed:
    """A name, and the model that it means. context_tokens: of one request, None where nothing says.

    variant: the variant's own name, where it is one. server: of several the one that speaks for all;
    None where it was never started.
    """

    name: str
    entry: Entry
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


@dataclass(frozen=True)
class ListedMode:
    """A mode that may be asked for as if it were a model."""

    name: str
    mode: Mode

    @property
    def display_name(self) -> str:
        return f"Synapse {self.mode.replace('_', ' ')}"


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

    @property
    def created(self) -> int:
        """When these were found, in unix seconds: the last scan."""
        return int(self._registry.last_scan.timestamp()) if self._registry.last_scan else 0

    async def all(self, is_wanted: Callable[[State], bool] = lambda state: True) -> list[Listed]:
        """is_wanted: by the state of the model's server."""
        entries = [entry for entry in self._registry.entries.values() if self._is_listed(entry, is_wanted)]
        await self._contexts.learn(entry.model_id for entry in entries)
        found = []
        for entry in entries:
            context = self._contexts.per_request(entry)
            server = self._fleet.server_of(entry.model_id)
            found.append(Listed(entry.model_id, entry, server, context))
            for variant in entry.choices.settings.get("variants") or ():
                name = self._names.name_of(entry.model_id, variant["name"])
                found.append(Listed(name, entry, server, context, variant["name"]))
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
        target = self._names.find(name, NO_BODY)
        if target.mode is not None:
            raise ModelNotFound(name, "It is a mode, and no model that could be loaded or shown.")
        entry = self._registry.get(target.model_ids[0])
        named = entry.model_id
        if target.variant is not None:
            named = self._names.name_of(named, target.variant)
        await self._contexts.learn([entry.model_id])
        context = self._contexts.per_request(entry)
        return Listed(named, entry, self._fleet.server_of(entry.model_id), context, target.variant)

    def remotes(self) -> list[ListedRemote]:
        """Every model that an upstream by URL has said it has, or that is meant by its name."""
        return [
            _listed_remote(known, model)
            for known in self._names.remotes.known.values()
            for model in dict.fromkeys((*filter(None, [known.remote.model]), *known.models))
        ]

    def remote(self, name: str) -> ListedRemote | None:
        """One such, where the name means one. Raises ModelNotFound, AmbiguousModelName."""
        target = self._names.find(name, NO_BODY)
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

    def _is_listed(self, entry: Entry, is_wanted: Callable[[State], bool]) -> bool:
        state = self._fleet.state_of(entry.model_id)
        return is_wanted(state) and (state is State.READY or (entry.choices.enabled and not entry.missing))


def _listed_remote(known: Known, model: str) -> ListedRemote:
    name = known.remote.name
    return ListedRemote(f"{name}/{model}", name, known.check is not None and known.check.is_reachable)
