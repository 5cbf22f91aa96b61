"""One model answers."""

from __future__ import annotations

from synapse_engine.errors import NoAnswer
from synapse_engine.modes.fitting import Prompt
from synapse_engine.modes.floor import Floor, Speech, Steps
from synapse_engine.modes.steps import Answer, Note


async def simple(floor: Floor) -> Steps:
    """Raises NoAnswer."""
    question = floor.question
    prompt = Prompt(question.before, question.text)
    speech = Speech(floor, floor.cast.of("answer"), "answer", prompt, is_answer=True)
    async for step in speech.steps():
        yield step
    if speech.text is None:
        yield Note(*broken_off(floor, speech))
    yield Answer(speech.text or speech.partial.strip(), speech.turn, speech.model)


def broken_off(floor: Floor, speech: Speech) -> tuple[str, int, str]:
    """What is noted of an answer that is not whole. Raises NoAnswer where nothing is there of it."""
    if not speech.partial.strip():
        raise NoAnswer(floor.reasons)
    return f"The answer is what {speech.model} said before it broke off.", speech.turn, speech.member.label
