"""One question to every model: answers and figures side by side."""

from __future__ import annotations

from synapse_engine.errors import NoAnswer
from synapse_engine.modes.asking import Figures
from synapse_engine.modes.fitting import Prompt
from synapse_engine.modes.floor import Floor, Speech, Steps, together
from synapse_engine.modes.steps import Answer, Said

HEADERS = ("model", "first token (s)", "total (s)", "prompt tokens", "prompt/s", "output tokens", "output/s")


async def benchmark(floor: Floor) -> Steps:
    """Raises NoAnswer."""
    question = floor.question
    prompt = Prompt(question.before, question.text)
    speeches = [Speech(floor, member, "answer", prompt) for member in floor.cast.members]
    figures: dict[int, Figures | None] = {}
    groups = [speeches] if floor.options.in_parallel else [[speech] for speech in speeches]
    for group in groups:
        async for step in together([speech.steps() for speech in group]):
            if isinstance(step, Said):
                figures[step.turn] = step.figures
            yield step
    answered = [speech for speech in speeches if speech.text is not None]
    if not answered:
        raise NoAnswer(floor.reasons)
    rows = [_row(speech.model, figures[speech.turn]) for speech in answered]
    texts = [f"## {speech.model}\n\n{speech.text}" for speech in answered]
    yield Answer("\n\n".join([_table(rows), *texts]))


def _row(model: str, figures: Figures | None) -> list[str]:
    if figures is None:
        return [model, *["-"] * (len(HEADERS) - 1)]
    return [
        model,
        _shown(figures.first_token_seconds, 3),
        _shown(figures.total_seconds, 3),
        _shown(figures.prompt_tokens, 0),
        _shown(figures.prompt_per_second, 1),
        _shown(figures.output_tokens, 0),
        _shown(figures.output_per_second, 1),
    ]


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _table(rows: list[list[str]]) -> str:
    """In Markdown."""
    lines = [HEADERS, ["---", *["---:"] * (len(HEADERS) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
