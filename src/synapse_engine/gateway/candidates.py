"""The models that a mode may ask, as the fleet and the registry see them now."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_engine.catalog.model import Kind
from synapse_engine.catalog.registry import Entry, Registry
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.state import State
from synapse_engine.gateway.contexts import Contexts
from synapse_engine.gateway.errors import BadRequest
from synapse_engine.gateway.names import UP, Names, Target
from synapse_engine.gateway.permission import why_not_started
from synapse_engine.modes.cast import Candidate


class Candidates:
    def __init__(self, registry: Registry, fleet: Fleet, names: Names, contexts: Contexts) -> None:
        self._registry = registry
        self._fleet = fleet
        self._names = names
        self._contexts = contexts

    async def pool(self) -> list[Candidate]:
        """Every chat model that runs, is coming or is enabled; a variant or an upstream has to be named."""
        entries = [entry for entry in self._registry.entries.values() if self._is_in_pool(entry)]
        await self._contexts.learn(entry.model_id for entry in entries)
        return [self._candidate(entry, entry.model_id) for entry in entries]

    async def named(self, names: Sequence[str]) -> list[Candidate]:
        """Raises ModelNotFound, AmbiguousModelName, and BadRequest for a mode, which is no model."""
        targets = [self._names.find(name) for name in names]
        if any(target.mode for target in targets):
            raise BadRequest("A mode cannot ask a mode", "Name models, variants or upstreams.")
        await self._contexts.learn(self._best(target).model_id for target in targets if target.remote is None)
        return [
            self._candidate(self._best(target), name)
            if target.remote is None
            else Candidate(name, target.model_ids[0], is_up=True)
            for name, target in zip(names, targets, strict=True)
        ]

    def _best(self, target: Target) -> Entry:
        """Of those that will do, the first that is up."""
        entries = [self._registry.get(model_id) for model_id in target.model_ids]
        return next((entry for entry in entries if self._state(entry) in UP), entries[0])

    def _is_in_pool(self, entry: Entry) -> bool:
        is_there = entry.choices.enabled and not entry.missing and entry.model.problem is None
        return entry.model.kind is Kind.CHAT and (self._state(entry) in UP or is_there)

    def _candidate(self, entry: Entry, name: str) -> Candidate:
        state = self._state(entry)
        return Candidate(
            name,
            entry.model_id,
            entry.tier,
            entry.model.size_b,
            is_up=state in UP,
            why_not=entry.model.problem or why_not_started(entry, self._names.on_demand),
            has_failed=state in (State.FAILED, State.BACKOFF),
            context_tokens=self._contexts.per_request(entry),
            thinks="thinking" in entry.model.capabilities,
            is_chat=entry.model.kind is Kind.CHAT,
        )

    def _state(self, entry: Entry) -> State:
        return self._fleet.state_of(entry.model_id)
