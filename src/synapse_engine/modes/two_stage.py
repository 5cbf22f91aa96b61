"""A fast model drafts; a stronger one refines the draft, seeing the question too."""

from __future__ import annotations

from synapse_engine.modes.fitting import Passage, Prompt
from synapse_engine.modes.floor import Floor, Speech, Steps
from synapse_engine.modes.simple import broken_off
from synapse_engine.modes.steps import Answer, Note

ASKED = (
    "A faster model has drafted an answer to the question above. Write the final answer to that question: "
    "keep what is right in the draft, correct what is wrong, add what is missing, leave out what was not "
    "asked for. Answer the question itself, without a word about the draft."
)


async def two_stage(floor: Floor) -> Steps:
    """Raises NoAnswer."""
    question, cast = floor.question, floor.cast
    draft = Speech(floor, cast.of("draft"), "draft", Prompt(question.before, question.text))
    async for step in draft.steps():
        yield step
    said = draft.text or draft.partial.strip()
    if not said:
        yield Note("There is no draft: the question alone is answered.", draft.turn, "REFINE")
    refine = Speech(
        floor,
        cast.of("refine"),
        "refine",
        _refining(floor, said) if said else Prompt(question.before, question.text),
        round=2,
        hears=[draft.turn] if said else [],
        is_answer=True,
    )
    async for step in refine.steps():
        yield step
    if refine.text is not None:
        yield Answer(refine.text, refine.turn, refine.model)
    elif draft.text is not None:
        yield Note("The answer is the draft, as nobody has refined it.", draft.turn, "DRAFT")
        yield Answer(draft.text, draft.turn, draft.model)
    else:
        longest = max(draft, refine, key=lambda speech: len(speech.partial.strip()))
        yield Note(*broken_off(floor, longest))
        yield Answer(longest.partial.strip(), longest.turn, longest.model)


def _refining(floor: Floor, draft: str) -> Prompt:
    question = floor.question
    return Prompt(question.before, question.text, (Passage("The draft", draft),), ASKED)
