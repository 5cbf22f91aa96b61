"""Who plays, out of which models: tables, without an event loop."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.playing import candidate

from synapse_engine.catalog.model import Tier
from synapse_engine.errors import NobodyToAsk
from synapse_engine.modes.cast import Candidate, Cast, plan_cast
from synapse_engine.modes.options import Options
from synapse_engine.modes.steps import Mode

DOWN: dict[str, Any] = {"is_up": False}
HELD: dict[str, Any] = {"is_up": False, "why_not": "it is held"}


def pool(*names: str) -> list[Candidate]:
    """`name` runs, `-name` is stopped, `!name` may not be started."""
    states = {"-": DOWN, "!": HELD}
    return [candidate(name.lstrip("-!"), **states.get(name[0], {})) for name in names]


def shown(cast: Cast) -> str:
    return " ".join(f"{member.label}={member.candidate.name}" for member in cast.members)


# pool, options, tier wanted, cast, what the notes are about.
PLANS: dict[str, tuple[Mode, list[str], dict[str, Any], Tier | None, str, list[str]]] = {
    "simple: the strongest that runs": (
        "simple",
        ["a_fast", "b_balanced", "-c_powerful"],
        {},
        None,
        "A=b_balanced",
        [],
    ),
    "simple: one that is started": ("simple", ["-a_fast"], {}, None, "A=a_fast", []),
    "simple: of a tier": (
        "simple",
        ["a_fast", "-b_powerful"],
        {"tier": Tier.POWERFUL},
        None,
        "A=b_powerful",
        [],
    ),
    "simple: a tier that is missing": (
        "simple",
        ["a_fast", "b_balanced"],
        {"tier": Tier.POWERFUL},
        None,
        "A=b_balanced",
        ["no POWERFUL"],
    ),
    "simple: between two tiers the larger": (
        "simple",
        ["a_fast", "b_powerful"],
        {"tier": Tier.BALANCED},
        None,
        "A=b_powerful",
        ["no BALANCED"],
    ),
    "simple: not what must not start": ("simple", ["!a_powerful", "b_fast"], {}, None, "A=b_fast", []),
    "two_stage: FAST and BALANCED": (
        "two_stage",
        ["a_fast", "b_balanced", "c_powerful"],
        {},
        Tier.BALANCED,
        "DRAFT=a_fast REFINE=b_balanced",
        [],
    ),
    "two_stage: FAST and POWERFUL": (
        "two_stage",
        ["a_fast", "b_balanced", "-c_powerful"],
        {},
        Tier.POWERFUL,
        "DRAFT=a_fast REFINE=c_powerful",
        [],
    ),
    "two_stage: no FAST one": (
        "two_stage",
        ["b_balanced", "c_powerful"],
        {},
        Tier.POWERFUL,
        "DRAFT=b_balanced REFINE=c_powerful",
        ["no FAST model: b_balanced (BALANCED) drafts"],
    ),
    "two_stage: no BALANCED one": (
        "two_stage",
        ["a_fast", "c_powerful"],
        {},
        Tier.BALANCED,
        "DRAFT=a_fast REFINE=c_powerful",
        ["no BALANCED model: c_powerful (POWERFUL) refines"],
    ),
    "two_stage: only FAST ones": (
        "two_stage",
        ["a_fast", "b_fast"],
        {},
        Tier.POWERFUL,
        "DRAFT=a_fast REFINE=b_fast",
        ["no POWERFUL"],
    ),
    "two_stage: one model": (
        "two_stage",
        ["a_fast"],
        {},
        Tier.POWERFUL,
        "DRAFT=a_fast REFINE=a_fast",
        ["refines its own draft"],
    ),
    "two_stage: running ones are enough": (
        "two_stage",
        ["a_fast", "b_balanced", "-c_powerful"],
        {"start": False},
        Tier.POWERFUL,
        "DRAFT=a_fast REFINE=b_balanced",
        ["no POWERFUL"],
    ),
    "council: the three that run first": (
        "council",
        ["-d_powerful", "a_fast", "b_fast", "c_balanced"],
        {},
        None,
        "A=c_balanced B=a_fast C=b_fast",
        [],
    ),
    "council: stopped ones join": (
        "council",
        ["a_fast", "-b_fast", "-c_balanced"],
        {},
        None,
        "A=a_fast B=c_balanced C=b_fast",
        [],
    ),
    "council: too few": (
        "council",
        ["a_fast", "b_balanced"],
        {},
        None,
        "A=b_balanced B=a_fast C=b_balanced",
        ["fewer models"],
    ),
    "council: one model": ("council", ["a_fast"], {}, None, "A=a_fast B=a_fast C=a_fast", ["fewer models"]),
    "council: of four": (
        "council",
        ["a_fast", "b_fast", "c_fast", "d_fast"],
        {"members": 4},
        None,
        "A=a_fast B=b_fast C=c_fast D=d_fast",
        [],
    ),
    "debate: three models": (
        "debate",
        ["a_fast", "b_balanced", "c_powerful"],
        {},
        None,
        "PRO=c_powerful CON=b_balanced SYNTHESIS=a_fast",
        [],
    ),
    "debate: two models": (
        "debate",
        ["a_fast", "b_balanced"],
        {},
        None,
        "PRO=b_balanced CON=a_fast SYNTHESIS=b_balanced",
        ["no third model"],
    ),
    "debate: one model": (
        "debate",
        ["a_fast"],
        {},
        None,
        "PRO=a_fast CON=a_fast SYNTHESIS=a_fast",
        ["both sides"],
    ),
    "debate: with a moderator": (
        "debate",
        ["a_fast", "b_fast", "c_fast"],
        {"moderator": True},
        None,
        "PRO=a_fast CON=b_fast SYNTHESIS=c_fast MODERATOR=c_fast",
        [],
    ),
    "benchmark: all, the smallest first": (
        "benchmark",
        ["c_powerful", "-a_fast", "b_balanced", "!d_fast"],
        {},
        None,
        "a_fast=a_fast b_balanced=b_balanced c_powerful=c_powerful",
        [],
    ),
}


@pytest.mark.parametrize("case", PLANS)
def test_out_of_what_there_is(case: str) -> None:
    mode, names, options, tier, cast, notes = PLANS[case]
    planned = plan_cast(mode, Options(**options), pool(*names), tier=tier)
    assert shown(planned) == cast
    assert len(planned.notes) == len(notes), planned.notes
    assert all(words in note for words, note in zip(notes, planned.notes, strict=True)), planned.notes


NAMED: dict[str, tuple[Mode, list[str], str, list[str]]] = {
    "one answers": ("simple", ["a_fast"], "A=a_fast", []),
    "the others are too many": ("simple", ["a_fast", "b_fast"], "A=a_fast", ["b_fast is left out"]),
    "the first drafts": ("two_stage", ["b_balanced", "a_fast"], "DRAFT=b_balanced REFINE=a_fast", []),
    "one does both": ("two_stage", ["a_fast"], "DRAFT=a_fast REFINE=a_fast", ["its own draft"]),
    "a council as named": ("council", ["a_fast", "b_fast", "c_fast"], "A=a_fast B=b_fast C=c_fast", []),
    "a larger council": (
        "council",
        ["a_fast", "b_fast", "c_fast", "d_fast"],
        "A=a_fast B=b_fast C=c_fast D=d_fast",
        [],
    ),
    "a council that is too large": (
        "council",
        [f"{letter}_fast" for letter in "abcdefghij"],
        " ".join(f"{letter.upper()}={letter}_fast" for letter in "abcdefgh"),
        ["i_fast is left out", "j_fast is left out"],
    ),
    "one model three times": ("council", ["a_fast"] * 3, "A=a_fast B=a_fast C=a_fast", []),
    "a held one": (
        "two_stage",
        ["!a_fast", "b_fast"],
        "DRAFT=b_fast REFINE=b_fast",
        ["it is held", "its own draft"],
    ),
    "sides and who sums up": (
        "debate",
        ["a_fast", "b_fast", "c_fast"],
        "PRO=a_fast CON=b_fast SYNTHESIS=c_fast",
        [],
    ),
    "a benchmark names each once": (
        "benchmark",
        ["b_fast", "a_fast", "b_fast"],
        "b_fast=b_fast a_fast=a_fast",
        [],
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_as_they_are_named(case: str) -> None:
    """In the order in which they were named, and nobody else."""
    mode, names, cast, notes = NAMED[case]
    planned = plan_cast(mode, Options(), pool("z_powerful"), pool(*names))
    assert shown(planned) == cast
    assert planned.reserves == ()
    assert len(planned.notes) == len(notes), planned.notes
    assert all(words in note for words, note in zip(notes, planned.notes, strict=True)), planned.notes


def test_who_may_take_a_place() -> None:
    """Everybody else that could be asked, what runs first; never what cannot."""
    planned = plan_cast("simple", Options(), pool("a_powerful", "b_fast", "-c_powerful", "!d_powerful"))
    assert [reserve.name for reserve in planned.reserves] == ["b_fast", "c_powerful"]


def test_embedding_models_are_never_asked() -> None:
    embedding = candidate("e_powerful", is_chat=False)
    assert shown(plan_cast("simple", Options(), [embedding, *pool("a_fast")])) == "A=a_fast"
    with pytest.raises(NobodyToAsk, match="e_powerful is left out: it is no chat model"):
        plan_cast("council", Options(), [], [embedding])


@pytest.mark.parametrize(
    ("names", "options", "why"),
    [
        ([], {}, "There is no chat model"),
        (["!a_fast"], {}, "a_fast is left out: it is held"),
        (["-a_fast"], {"start": False}, "a_fast is left out: it does not run, and is not to be started"),
    ],
)
def test_nobody(names: list[str], options: dict[str, Any], why: str) -> None:
    with pytest.raises(NobodyToAsk, match=why):
        plan_cast("simple", Options(**options), pool(*names))


def test_members_that_are_one_model_are_sampled_each_in_its_way() -> None:
    members = plan_cast("council", Options(), pool("a_fast", "b_fast")).members
    assert [dict(member.options) for member in members] == [
        {"seed": 1, "temperature": 0.7},
        {},
        {"seed": 3, "temperature": 1.0},
    ]
    given = Options(sampling={"seed": 40, "temperature": 0.2})
    members = plan_cast("council", given, pool("a_fast")).members
    assert [dict(member.options) for member in members] == [{"seed": 41}, {"seed": 42}, {"seed": 43}]


def test_variants_of_one_model_keep_their_manner() -> None:
    named = [
        candidate("a_fast"),
        candidate("pirate", model_id="a_fast"),
        candidate("poet", model_id="a_fast"),
    ]
    assert [dict(m.options) for m in plan_cast("council", Options(), [], named).members] == [{}, {}, {}]


def test_one_that_has_failed_comes_after_the_others() -> None:
    broken = candidate("a_powerful", has_failed=True, is_up=False)
    assert shown(plan_cast("simple", Options(), [broken, *pool("-b_fast")])) == "A=b_fast"


def test_one_by_url_is_of_no_tier() -> None:
    remote = candidate("box/m1")
    assert remote.tier is None
    assert (
        shown(plan_cast("two_stage", Options(), [], [candidate("a_fast"), remote]))
        == "DRAFT=a_fast REFINE=box/m1"
    )
