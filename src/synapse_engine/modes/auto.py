"""Which mode and which tier a question is answered by. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_engine.catalog.model import Tier
from synapse_engine.modes.cast import Candidate
from synapse_engine.modes.complexity import BALANCED_FROM, POWERFUL_FROM, weigh_question
from synapse_engine.modes.steps import Choice


def choose(question: str, candidates: Sequence[Candidate]) -> Choice:
    """An easy question is answered at once by a FAST model. Another one is drafted there, and refined by a
    BALANCED or POWERFUL one; where there is one model only, that answers alone.
    """
    weight = weigh_question(question)
    models = {candidate.model_id for candidate in candidates if candidate.is_chat}
    if weight.tier is Tier.FAST:
        why = f"below {BALANCED_FROM:g} a FAST model answers at once"
    elif len(models) < 2:
        why = "a stronger model would refine a draft, but there is only one model"
    else:
        bound = f"from {POWERFUL_FROM:g} on" if weight.tier is Tier.POWERFUL else f"from {BALANCED_FROM:g} on"
        why = f"{bound} a {weight.tier.name} model refines a FAST one's draft"
    is_simple = weight.tier is Tier.FAST or len(models) < 2
    return Choice(
        "simple" if is_simple else "two_stage",
        weight.tier,
        weight.score,
        list(weight.parts),
        f"The question weighs {weight.score:g}: {why}.",
    )
