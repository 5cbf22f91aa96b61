"""From the name in a request to whom it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from synapse_engine.catalog.model import Kind, Tier
from synapse_engine.catalog.registry import Choices, Entry, Registry
from synapse_engine.errors import AmbiguousModelName, InvalidChoice, ModelNotFound
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.gateway.body import Body, in_memory
from synapse_engine.gateway.errors import NameTaken
from synapse_engine.gateway.fields import with_text
from synapse_engine.gateway.permission import why_not_started
from synapse_engine.gateway.question import question_of
from synapse_engine.gateway.remotes import Known, Remotes
from synapse_engine.gateway.variants import Variant, check_variants, rewrite
from synapse_engine.modes.complexity import weigh_question
from synapse_engine.modes.steps import Mode

AUTO = "auto"
LOADED = "loaded"
# Modes that may be asked for as if they were models.
MODES: Mapping[str, Mode] = {
    f"synapse/{mode}": mode for mode in ("auto", "simple", "two_stage", "council", "debate")
}
OURS = "synapse"
TIERS = tuple(Tier)
HOW_TO_FIND = (
    "GET /v1/models lists what may be asked for; on the page, tick a model to enable it, or press START."
)
COMPARED = 200
TIER_NAMES = {tier.value: tier for tier in Tier}
RESERVED = frozenset([AUTO, LOADED, OURS, *TIER_NAMES, *MODES])
# Names differ in case too, so that without a bound a client could go on for ever.
KNOWN_MAX = 4096
CANDIDATES_MAX = 20
UP = (State.READY, State.STARTING, State.QUEUED)
NO_BODY = in_memory(b"")

Change = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a name means: models of which any will do, the best first.

    changes: makes the body that they are asked with, out of the client's and the path; None where that may
    pass as it is. remote: the upstream by URL that it is at, and model_there, what it is called there; its
    model id is no model's of ours, but what it is recorded under. mode: the way of answering that it is, and
    then no model's name.
    """

    model_ids: tuple[str, ...]
    variant: str | None = None
    changes: Change | None = None
    remote: Known | None = None
    model_there: str = ""
    mode: Mode | None = None


class Names:
    """Every name that a request may use. What a plain name means is worked out once for each registry.

    Attributes: remotes, to read, the upstreams by URL; on_demand, to set at any time.
    """

    def __init__(self, registry: Registry, fleet: Fleet, remotes: Remotes, *, on_demand: bool) -> None:
        self._registry = registry
        self._fleet = fleet
        self.remotes = remotes
        self._known_remotes: Mapping[str, Known] = {}
        self.on_demand = on_demand
        self._entries: Mapping[str, Entry] | None = None
        self._known: dict[str, Target] = {}
        self._variants: dict[str, list[tuple[str, Variant]]] = {}

    def find(self, name: str | None, body: Body = NO_BODY, kind: Kind = Kind.CHAT) -> Target:
        """body: the request's, which says what `auto` means. kind: what it is to do, where the name leaves
        open who does it.

        Raises ModelNotFound, AmbiguousModelName.
        """
        known = self.known(name)
        if known is not None:
            return known
        name = (name or "").strip() or LOADED
        reserved = name.casefold()
        if reserved == LOADED:
            return self._loaded(kind)
        if reserved == AUTO:
            return self._for_question(question_of(body.whole()))
        if reserved in TIER_NAMES:
            return self._of_tier(TIER_NAMES[reserved])
        if reserved in MODES:
            return Target((), mode=MODES[reserved])
        target = self._named(name)
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[name] = target
        return target

    def known(self, name: str | None) -> Target | None:
        """What it means, where that has been asked before and nothing has changed since."""
        if self._registry.entries is not self._entries or self.remotes.known is not self._known_remotes:
            self._keep_up()
        return self._known.get(name or LOADED)

    def find_in_path(self, name: str) -> Target | None:
        """An upstream by URL, where it is its name: a path there need not be of any model's."""
        self._keep_up()
        known = self._known_remotes.get(name.strip().casefold())
        if known is None or self._is_local(name):
            return None
        return Target((known.remote.name,), remote=known)

    def knows(self, name: str) -> bool:
        """Whether it is a name of a model, of a variant, of an upstream's or of a mode, be it of several."""
        self._keep_up()
        return name.casefold() in MODES or self._is_local(name) or self._remote_of(name) is not None

    def name_of(self, model_id: str, variant: str) -> str:
        """The shortest name that means this variant and nothing else."""
        self._keep_up()
        try:
            target = self._match(variant)
        except (ModelNotFound, AmbiguousModelName):
            target = None
        is_clear = target is not None and (target.model_ids, target.variant) == ((model_id,), variant)
        return variant if is_clear and variant.casefold() not in RESERVED else f"{model_id}:{variant}"

    def check(self, entry: Entry, choices: Choices) -> None:
        """Whether the entry may have the aliases and variants of `choices`; names that it has had may stay.

        Aliases may be shared by models, and a variant's name by variants of several.
        Raises InvalidChoice, NameTaken.
        """
        self._keep_up()
        variants = variants_of(choices)
        check_variants(variants)
        aliases = {alias.casefold() for alias in choices.aliases}
        had = {variant.name.casefold() for variant in variants_of(entry.choices)}
        for name in (variant.name for variant in variants):
            if name.casefold() in aliases:
                raise NameTaken(name, f"{entry.model_id} as an alias")
            if name.casefold() not in had:
                self._check_free(name)
                self._check_not_a_models(name)
        for alias in sorted(set(choices.aliases) - set(entry.choices.aliases)):
            self._check_free(alias)
            others = {i for i, _ in self._variants.get(alias.casefold(), [])} - {entry.model_id}
            if others:
                raise NameTaken(alias, f"a variant of {min(others)}")

    def check_upstream(self, name: str) -> None:
        """Whether an upstream by URL may have the name. Raises InvalidChoice, NameTaken."""
        self._keep_up()
        _check_not_reserved(name)
        if of_variants := self._variants_named(name):
            raise NameTaken(name, f"a variant of {of_variants[0][0]}")
        self._check_not_a_models(name)

    def _check_free(self, name: str) -> None:
        _check_not_reserved(name)
        if name.casefold() in self.remotes.known:
            raise NameTaken(name, f"the upstream {name.casefold()}")

    def _check_not_a_models(self, name: str) -> None:
        try:
            entries = self._registry.resolve_all(name)
        except ModelNotFound:
            return
        except AmbiguousModelName as error:
            raise NameTaken(name, "several models") from error
        raise NameTaken(name, entries[0].model_id)

    def _keep_up(self) -> None:
        if self._registry.entries is not self._entries:
            self._learn(self._registry.entries)
        if self.remotes.known is not self._known_remotes:
            self._known_remotes = self.remotes.known
            self._known = {}

    def _learn(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._known = {}
        self._variants = {}
        for entry in entries.values():
            for variant in variants_of(entry.choices):
                self._variants.setdefault(variant.name.casefold(), []).append((entry.model_id, variant))

    def _named(self, name: str) -> Target:
        try:
            return self._match(name)
        except ModelNotFound:
            if (known := self._remote_of(name)) is not None:
                return self._at(known, name)
            raise ModelNotFound(name, self._suggest(name)) from None

    def _match(self, name: str) -> Target:
        """A model's own name goes before a variant's, so that a variant cannot take a model away."""
        try:
            return Target(tuple(entry.model_id for entry in self._registry.resolve_all(name)))
        except ModelNotFound:
            matches = self._variants_named(name)
            if not matches:
                raise
        if len(matches) > 1:
            raise AmbiguousModelName(
                name, sorted(f"{model_id}:{variant.name}" for model_id, variant in matches)
            )
        [(model_id, variant)] = matches
        return Target((model_id,), variant.name, lambda body, path: rewrite(variant, body, path))

    def _is_local(self, name: str) -> bool:
        """A name of a model or of a variant of ours."""
        try:
            self._match(name)
        except AmbiguousModelName:
            return True
        except ModelNotFound:
            return False
        return True

    def _remote_of(self, name: str) -> Known | None:
        return self._known_remotes.get(name.partition("/")[0].casefold())

    def _at(self, known: Known, name: str) -> Target:
        """What NAME or NAME/MODEL of an upstream by URL means. Raises ModelNotFound, AmbiguousModelName."""
        model = name.partition("/")[2] or _only_model(known)
        label = self.remotes.label(known.remote.name, model)
        if model == name:
            return Target((label,), remote=known, model_there=model)
        change: Change = lambda body, _: with_text(body, "model", model)  # noqa: E731
        return Target((label,), changes=change, remote=known, model_there=model)

    def _variants_named(self, name: str) -> list[tuple[str, Variant]]:
        """By its own name, or after any name of its model and a colon; each with that model's id."""
        matches = self._variants.get(name.casefold(), [])
        model, colon, own = name.rpartition(":")
        if matches or not colon:
            return matches
        among = self._variants.get(own.strip().casefold(), [])
        if not among:
            return []
        try:
            model_ids = {entry.model_id for entry in self._registry.resolve_all(model)}
        except ModelNotFound:
            return []
        return [match for match in among if match[0] in model_ids]

    def _loaded(self, kind: Kind) -> Target:
        """Of those that run the one that was used last, those of the kind first; else one that is coming."""
        servers = self._fleet.servers.values()
        for states in ({State.READY}, {State.QUEUED, State.STARTING}):
            found = [server for server in servers if server.state in states]
            if found:

                def fitness(server: Server) -> tuple[bool, bool, float]:
                    is_kind = self._registry.get(server.model_id).model.kind is kind
                    return is_kind, bool(server.leases.held), server.leases.idle_since

                return Target((max(found, key=fitness).model_id,))
        raise ModelNotFound(LOADED, f"No model is loaded. {HOW_TO_FIND}")

    def _for_question(self, question: str) -> Target:
        """The tier that the question needs, else the nearest that there is."""
        wanted = weigh_question(question).tier
        order = sorted(Tier, key=lambda tier: abs(TIERS.index(tier) - TIERS.index(wanted)))
        candidates = self._chat_models()
        for tier in order:
            found = [entry for entry in candidates if entry.tier is tier]
            if found:
                return self._best_first(found)
        raise ModelNotFound(AUTO, f"No chat model runs or may be started. {HOW_TO_FIND}")

    def _of_tier(self, tier: Tier) -> Target:
        found = [entry for entry in self._chat_models() if entry.tier is tier]
        if not found:
            raise ModelNotFound(
                tier.value, f"No chat model of this tier runs or may be started. {HOW_TO_FIND}"
            )
        return self._best_first(found)

    def _chat_models(self) -> list[Entry]:
        """Those that run or are coming, and those that a request may start."""
        return [
            entry
            for entry in self._registry.entries.values()
            if entry.model.kind is Kind.CHAT and (self._state(entry) in UP or self._may_start(entry))
        ]

    def _may_start(self, entry: Entry) -> bool:
        return entry.model.problem is None and why_not_started(entry, self.on_demand) is None

    def _suggest(self, name: str) -> str:
        """What to ask for instead."""
        entries = self._registry.entries
        aliases = [alias for entry in entries.values() for alias in entry.choices.aliases]
        variants = [variant.name for matches in self._variants.values() for _, variant in matches]
        every = (*aliases, *variants, *self._known_remotes, *entries)
        # Each as it is written, whatever case was asked for.
        spellings = {known.casefold(): known for known in every}
        wanted = name.casefold()
        # A comparison of each of thousands would hold up everybody else.
        alike = [known for known in spellings if len(spellings) <= COMPARED or known[:3] == wanted[:3]]
        close = get_close_matches(wanted, alike[:COMPARED], n=3, cutoff=0.5)
        running = [model_id for model_id, entry in entries.items() if self._state(entry) is State.READY]
        parts = [
            f"Did you mean {' or '.join(spellings[each] for each in close)}?" if close else "",
            f"Running: {', '.join(running[:5])}." if running else "No model is running.",
            HOW_TO_FIND,
        ]
        return " ".join(part for part in parts if part)

    def _best_first(self, entries: Sequence[Entry]) -> Target:
        """The largest first; one that failed only after all others."""

        def rank(entry: Entry) -> tuple[bool, float, str]:
            has_failed = self._state(entry) in (State.FAILED, State.BACKOFF)
            return has_failed, -(entry.model.size_b or 0.0), entry.model_id

        return Target(tuple(entry.model_id for entry in sorted(entries, key=rank)))

    def _state(self, entry: Entry) -> State:
        return self._fleet.state_of(entry.model_id)


def _check_not_reserved(name: str) -> None:
    if name.casefold() in RESERVED:
        raise InvalidChoice(
            f"Reserved name: {name}", f"{', '.join(sorted(RESERVED))} have a meaning of their own."
        )


def _only_model(known: Known) -> str:
    """What an upstream's own name means. Raises ModelNotFound, AmbiguousModelName."""
    # Where it is another Synapse Engine, its modes are no models of which one had to be meant.
    name, models = known.remote.name, [model for model in known.models if model not in MODES]
    if known.remote.model is not None:
        return known.remote.model
    if len(models) > 1:
        raise AmbiguousModelName(name, [f"{name}/{model}" for model in models[:CANDIDATES_MAX]])
    if not models:
        problem = known.check and known.check.problem
        raise ModelNotFound(
            name,
            f"This upstream has not said which models it has{f' ({problem})' if problem else ''}. Ask for "
            f"{name}/MODEL, or PUT it with a `model`.",
        )
    return models[0]


def variants_of(choices: Choices) -> list[Variant]:
    return [Variant.read(settings) for settings in choices.settings.get("variants") or ()]
