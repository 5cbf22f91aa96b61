"""A question's way to its answer: which mode, who plays, and then the mode's own steps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from synapse_engine.modes.auto import choose
from synapse_engine.modes.benchmark import benchmark
from synapse_engine.modes.cast import Candidate, Cast, Member, plan_cast
from synapse_engine.modes.council import council
from synapse_engine.modes.debate import debate
from synapse_engine.modes.floor import Floor
from synapse_engine.modes.options import Options, Question
from synapse_engine.modes.simple import simple
from synapse_engine.modes.steps import Casting, Choice, Mode, Note, Player, Step
from synapse_engine.modes.two_stage import two_stage


@dataclass(frozen=True)
class Plan:
    """mode: the one that is played; choice: how `auto` came to it."""

    mode: Mode
    cast: Cast
    choice: Choice | None = None


def plan(
    mode: Mode,
    question: Question,
    options: Options,
    pool: Sequence[Candidate],
    named: Sequence[Candidate] = (),
) -> Plan:
    """named: whom the person wants; else out of the pool. Pure. Raises NobodyToAsk."""
    if mode != "auto":
        return Plan(mode, plan_cast(mode, options, pool, named))
    choice = choose(question.text, named or pool)
    return Plan(choice.mode, plan_cast(choice.mode, options, pool, named, choice.tier), choice)


async def play(plan: Plan, floor: Floor) -> AsyncGenerator[Step]:
    """All steps but the first and the last, which are the record's. Raises NoAnswer."""
    if plan.choice is not None:
        yield plan.choice
    yield Casting([_player(member) for member in plan.cast.members])
    for text in plan.cast.notes:
        yield Note(text)
    async with aclosing(_PLAYS[plan.mode](floor)) as steps:
        async for step in steps:
            yield step


def _player(member: Member) -> Player:
    candidate, persona = member.candidate, member.persona
    return Player(
        member.label,
        member.role,
        candidate.name,
        candidate.model_id,
        candidate.tier,
        persona.name if persona else None,
        member.options,
    )


_PLAYS: Mapping[Mode, Callable[[Floor], AsyncGenerator[Step]]] = {
    "simple": simple,
    "two_stage": two_stage,
    "council": council,
    "debate": debate,
    "benchmark": benchmark,
}
