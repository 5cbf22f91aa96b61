"""From the name in a request to whom it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from synapse_engine.catalog.model import Kind, Tier
from synapse_engine.catalog.registry import Entry, Registry
from synapse_engine.errors import AmbiguousModelName, ModelNotFound
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.state import State
from synapse_engine.gateway.body import Body
from synapse_engine.gateway.permission import why_not_started
from synapse_engine.gateway.question import question_of
from synapse_engine.gateway.variants import Variant, rewrite
from synapse_engine.modes.complexity import weigh_question

AUTO = "auto"
LOADED = "loaded"
TIERS = tuple(Tier)
HOW_TO_FIND = (
    "GET /v1/models lists what may be asked for; on the page, tick a model to enable it, or press START."
)
TIER_NAMES = {tier.value: tier for tier in Tier}
RESERVED = frozenset([AUTO, LOADED, *TIER_NAMES])

Change = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a name means: models of which any will do, the best first.

    changes: makes the body that they are asked with, out of the client's and the path; None where that may
    pass as it is.
    """

    model_ids: tuple[str, ...]
    variant: str | None = None
    changes: Change | None = None


class Names:
    """Every name that a request may use. What a plain name means is worked out once for each registry."""

    def __init__(self, registry: Registry, fleet: Fleet, *, on_demand: bool) -> None:
        self._registry = registry
        self._fleet = fleet
        self._on_demand = on_demand
        self._entries: Mapping[str, Entry] | None = None
        self._known: dict[str, Target] = {}
        self._variants: dict[str, list[tuple[str, Variant]]] = {}

    def find(self, name: str | None, body: Body) -> Target:
        """Raises ModelNotFound, AmbiguousModelName."""
        self._keep_up()
        known = self._known.get(name or LOADED)
        if known is not None:
            return known
        name = (name or "").strip() or LOADED
        if name == LOADED:
            return self._loaded()
        if name == AUTO:
            return self._for_question(question_of(body.whole()))
        if name in TIER_NAMES:
            return self._of_tier(TIER_NAMES[name])
        target = self._known[name] = self._named(name)
        return target

    def knows(self, name: str) -> bool:
        """Whether it is a name of a model or of a variant, be it of several."""
        self._keep_up()
        try:
            self._registry.resolve_all(name)
        except AmbiguousModelName:
            return True
        except ModelNotFound:
            return name.casefold() in self._variants
        return True

    def name_of(self, model_id: str, variant: str) -> str:
        """The shortest name that means this variant and nothing else."""
        self._keep_up()
        try:
            target = self._named(variant)
        except (ModelNotFound, AmbiguousModelName):
            target = None
        is_clear = target is not None and (target.model_ids, target.variant) == ((model_id,), variant)
        return variant if is_clear and variant not in RESERVED else f"{model_id}:{variant}"

    def _keep_up(self) -> None:
        if self._registry.entries is not self._entries:
            self._learn(self._registry.entries)

    def _learn(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._known = {}
        self._variants = {}
        for entry in entries.values():
            for settings in entry.choices.settings.get("variants") or ():
                variant = Variant.read(settings)
                for spelled in (variant.name, f"{entry.model_id}:{variant.name}"):
                    self._variants.setdefault(spelled.casefold(), []).append((entry.model_id, variant))

    def _named(self, name: str) -> Target:
        """A model's own name goes before a variant's, so that a variant cannot take a model away."""
        try:
            return Target(tuple(entry.model_id for entry in self._registry.resolve_all(name)))
        except ModelNotFound:
            matches = self._variants.get(name.casefold(), [])
            if not matches:
                raise ModelNotFound(name, self._suggest(name)) from None
        if len(matches) > 1:
            raise AmbiguousModelName(
                name, sorted(f"{model_id}:{variant.name}" for model_id, variant in matches)
            )
        [(model_id, variant)] = matches
        return Target((model_id,), variant.name, lambda body, path: rewrite(variant, body, path))

    def _loaded(self) -> Target:
        """The models that run, the one that was used last first; else those that are just coming."""
        servers = self._fleet.servers.values()
        for states in ({State.READY}, {State.QUEUED, State.STARTING}):
            found = [server for server in servers if server.state in states]
            if found:
                found.sort(
                    key=lambda server: (bool(server.leases.held), server.leases.idle_since), reverse=True
                )
                return Target((found[0].model_id,))
        raise ModelNotFound(LOADED, f"No model is loaded. {HOW_TO_FIND}")

    def _for_question(self, question: str) -> Target:
        """The tier that the question needs, else the nearest that there is."""
        wanted = weigh_question(question).tier
        order = sorted(Tier, key=lambda tier: abs(TIERS.index(tier) - TIERS.index(wanted)))
        candidates = self._chat_models()
        for tier in order:
            found = [entry for entry in candidates if entry.tier is tier]
            if found:
                return _best_first(found)
        raise ModelNotFound(AUTO, f"No chat model runs or may be started. {HOW_TO_FIND}")

    def _of_tier(self, tier: Tier) -> Target:
        found = [entry for entry in self._chat_models() if entry.tier is tier]
        if not found:
            raise ModelNotFound(
                tier.value, f"No chat model of this tier runs or may be started. {HOW_TO_FIND}"
            )
        return _best_first(found)

    def _chat_models(self) -> list[Entry]:
        """Those that run; where none does, those that a request may start."""
        chat = [entry for entry in self._registry.entries.values() if entry.model.kind is Kind.CHAT]
        ready = [entry for entry in chat if self._is_ready(entry)]
        may_start = [entry for entry in chat if why_not_started(entry, self._on_demand) is None]
        return ready + [entry for entry in may_start if entry not in ready]

    def _suggest(self, name: str) -> str:
        """What to ask for instead."""
        entries = self._registry.entries
        close = get_close_matches(name.casefold(), list(entries), n=3, cutoff=0.5)
        running = [model_id for model_id, entry in entries.items() if self._is_ready(entry)]
        parts = [
            f"Did you mean {' or '.join(close)}?" if close else "",
            f"Running: {', '.join(running[:5])}." if running else "No model is running.",
            HOW_TO_FIND,
        ]
        return " ".join(part for part in parts if part)

    def _is_ready(self, entry: Entry) -> bool:
        server = self._fleet.servers.get(entry.model_id)
        return server is not None and server.state is State.READY


def _best_first(entries: Sequence[Entry]) -> Target:
    in_order = sorted(entries, key=lambda entry: (-(entry.model.size_b or 0.0), entry.model_id))
    return Target(tuple(entry.model_id for entry in in_order))
