"""Who plays in a mode: out of the models there are, by what the mode needs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from synapse_engine.catalog.model import Tier
from synapse_engine.errors import NobodyToAsk
from synapse_engine.modes.options import COUNCIL_MIN, Options, Persona, Personas
from synapse_engine.modes.personas import PAIRS
from synapse_engine.modes.steps import Mode, Role

TIERS = tuple(Tier)
# What several members that are one model differ in, besides their seeds.
TEMPERATURES = (0.7, 1.0, 0.4, 1.2)
LABELS = "ABCDEFGH"


@dataclass(frozen=True)
class Candidate:
    """A model that may be asked, by that name. model_id: whose name that is.

    why_not: why a request may not start it, in words; None where it may. context_tokens: of one request; None
    where nothing says. thinks: whether it can. is_chat: embedding and reranking models are not.
    """

    name: str
    model_id: str
    tier: Tier | None = None
    size_b: float | None = None
    is_up: bool = False
    why_not: str | None = None
    has_failed: bool = False
    context_tokens: int | None = None
    thinks: bool = False
    is_chat: bool = True


@dataclass(frozen=True)
class Member:
    """label: what it is called in the answer. options: fields of its requests, before anybody else's."""

    label: str
    role: Role
    candidate: Candidate
    persona: Persona | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cast:
    """reserves: who may take the place of one that fails, the best first. notes: what nobody would expect."""

    members: tuple[Member, ...]
    reserves: tuple[Candidate, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, role: Role) -> Member:
        return next(member for member in self.members if member.role == role)


def plan_cast(
    mode: Mode,
    options: Options,
    pool: Sequence[Candidate],
    named: Sequence[Candidate] = (),
    tier: Tier | None = None,
) -> Cast:
    """Who plays. named: whom the person wants, and then nobody else; else out of the pool.

    mode: any but `auto`. tier: which one the question needs. Where one is missing the nearest takes its
    place, and a note says so. Raises NobodyToAsk.
    """
    usable, notes = _usable(named or pool, options.start, is_named=bool(named))
    if not usable:
        raise NobodyToAsk(notes)
    if not named:
        notes = []
    planned = _PLANS[mode](usable, options, tier, bool(named))
    playing = {member.candidate.name for member in planned.members}
    reserves = () if named else tuple(c for c in sorted(usable, key=readiness) if c.name not in playing)
    return replace(planned, reserves=reserves, notes=(*notes, *planned.notes))


def strength(candidate: Candidate) -> tuple[int, float]:
    """Greater is stronger: by tier, then by size."""
    return TIERS.index(candidate.tier) if candidate.tier else -1, candidate.size_b or 0.0


def readiness(candidate: Candidate) -> tuple[bool, bool, int, float, str]:
    """Smaller is to be asked first: what runs, then what has not failed, then the strongest."""
    tier, size_b = strength(candidate)
    return not candidate.is_up, candidate.has_failed, -tier, -size_b, candidate.name


def _usable(
    candidates: Sequence[Candidate], may_start: bool, *, is_named: bool
) -> tuple[list[Candidate], list[str]]:
    """Those that can be asked, each once, and why the others cannot."""
    usable: list[Candidate] = []
    notes: list[str] = []
    for candidate in candidates:
        why_not = None
        if not candidate.is_chat:
            why_not = "it is no chat model"
        elif not candidate.is_up and candidate.why_not is not None:
            why_not = candidate.why_not
        elif not candidate.is_up and not may_start:
            why_not = "it does not run, and is not to be started"
        if why_not is not None:
            notes.append(f"{candidate.name} is left out: {why_not}.")
        elif is_named or candidate not in usable:
            usable.append(candidate)
    return usable, notes


def _nearest(candidates: Sequence[Candidate], tier: Tier, *, prefers_larger: bool) -> Candidate:
    """Of that tier, else of the nearest one; there the one to be asked first."""

    def distance(candidate: Candidate) -> tuple[int, bool]:
        # What nobody knows the size of stands in the middle.
        at = TIERS.index(candidate.tier or Tier.BALANCED)
        wanted = TIERS.index(tier)
        return abs(at - wanted), (at < wanted) if prefers_larger else (at > wanted)

    return min(candidates, key=lambda candidate: (distance(candidate), readiness(candidate)))


def _plan_simple(usable: list[Candidate], options: Options, tier: Tier | None, is_named: bool) -> Cast:
    wanted = options.tier or tier
    notes: tuple[str, ...] = ()
    if is_named:
        chosen = usable[0]
        notes = tuple(f"{c.name} is left out: this mode asks one model." for c in usable[1:])
    elif wanted is None:
        chosen = min(usable, key=readiness)
    else:
        chosen = _nearest(usable, wanted, prefers_larger=True)
        notes = _tier_note(chosen, wanted, "answers")
    return Cast((Member("A", "answer", chosen),), notes=notes)


def _plan_two_stage(usable: list[Candidate], options: Options, tier: Tier | None, is_named: bool) -> Cast:
    notes: tuple[str, ...] = ()
    if is_named:
        drafts, refines = usable[0], usable[min(1, len(usable) - 1)]
        notes = tuple(f"{c.name} is left out: this mode asks two models." for c in usable[2:])
    else:
        wanted = tier or Tier.BALANCED
        drafts = _nearest(usable, Tier.FAST, prefers_larger=False)
        others = [candidate for candidate in usable if candidate.model_id != drafts.model_id]
        refines = _nearest(others, wanted, prefers_larger=True) if others else drafts
        if strength(refines) < strength(drafts):
            drafts, refines = refines, drafts
        notes = (*_tier_note(drafts, Tier.FAST, "drafts"), *_tier_note(refines, wanted, "refines"))
    if drafts.name == refines.name:
        notes = (f"{drafts.name} drafts, and refines its own draft: no other model was there.",)
    return Cast((Member("DRAFT", "draft", drafts), Member("REFINE", "refine", refines)), notes=notes)


def _plan_council(usable: list[Candidate], options: Options, tier: Tier | None, is_named: bool) -> Cast:
    notes: list[str] = []
    if is_named:
        chosen, size = usable[: len(LABELS)], max(COUNCIL_MIN, min(len(usable), len(LABELS)))
        notes += [
            f"{c.name} is left out: a council has at most {len(LABELS)} members." for c in usable[size:]
        ]
    else:
        size = options.members
        chosen = _distinct(sorted(usable, key=readiness), size)
    if len(chosen) < size:
        names = ", ".join(dict.fromkeys(candidate.name for candidate in chosen))
        notes.append(
            f"There are fewer models than the council has members ({size}): {names} speaks for several, each "
            "time with another seed and temperature."
        )
    seats = [chosen[at % len(chosen)] for at in range(size)]
    return Cast(tuple(_councillor(at, seats, options) for at in range(size)), notes=tuple(notes))


def _councillor(at: int, seats: Sequence[Candidate], options: Options) -> Member:
    """The one in that seat; those who are one model are told apart by how they are sampled."""
    candidate, seed = seats[at], options.sampling.get("seed")
    is_one_of_several = sum(other.name == candidate.name for other in seats) > 1
    own: dict[str, Any] = {}
    if is_one_of_several or seed is not None:
        own["seed"] = (seed or 0) + at + 1
    if is_one_of_several and "temperature" not in options.sampling:
        earlier = sum(other.name == candidate.name for other in seats[:at])
        own["temperature"] = TEMPERATURES[earlier % len(TEMPERATURES)]
    return Member(LABELS[at], "answer", candidate, options=own)


def _plan_debate(usable: list[Candidate], options: Options, tier: Tier | None, is_named: bool) -> Cast:
    chosen = usable if is_named else _distinct(sorted(usable, key=readiness), 3)
    notes: list[str] = []
    pro, con = chosen[0], chosen[min(1, len(chosen) - 1)]
    neutral = chosen[2] if len(chosen) > 2 else max(chosen, key=strength)
    if pro.name == con.name:
        notes.append(f"{pro.name} speaks for both sides, as no other model was there.")
    elif len(chosen) == 2:
        notes.append(
            f"{neutral.name} sums up too, as no third model was there; it is not told which side was its."
        )
    notes += [f"{c.name} is left out: a debate asks three models." for c in chosen[3:]]
    pair = options.personas if isinstance(options.personas, Personas) else PAIRS[options.personas]
    own = _debate_options(options)
    members = [
        Member("PRO", "pro", pro, pair.pro, own(0)),
        Member("CON", "con", con, pair.con, own(1)),
        Member("SYNTHESIS", "synthesis", neutral),
    ]
    if options.moderator:
        members.append(Member("MODERATOR", "moderator", neutral))
    return Cast(tuple(members), notes=tuple(notes))


def _debate_options(options: Options) -> Callable[[int], dict[str, Any]]:
    seed = options.sampling.get("seed")
    return lambda at: {} if seed is None else {"seed": seed + at}


def _plan_benchmark(usable: list[Candidate], options: Options, tier: Tier | None, is_named: bool) -> Cast:
    chosen = usable if is_named else sorted(usable, key=lambda c: (c.size_b or 0.0, c.name))
    chosen = list({candidate.name: candidate for candidate in chosen}.values())
    return Cast(tuple(Member(candidate.name, "answer", candidate) for candidate in chosen))


def _distinct(candidates: Sequence[Candidate], most: int) -> list[Candidate]:
    """The first ones, of each model one."""
    return list({candidate.model_id: candidate for candidate in reversed(candidates)}.values())[::-1][:most]


def _tier_note(chosen: Candidate, wanted: Tier, does: str) -> tuple[str, ...]:
    if chosen.tier is wanted:
        return ()
    own = chosen.tier.name if chosen.tier else "unknown"
    return (f"There is no {wanted.name} model: {chosen.name} ({own}) {does}.",)


_Plan = Callable[[list[Candidate], Options, Tier | None, bool], Cast]
_PLANS: Mapping[Mode, _Plan] = {
    "simple": _plan_simple,
    "two_stage": _plan_two_stage,
    "council": _plan_council,
    "debate": _plan_debate,
    "benchmark": _plan_benchmark,
}
