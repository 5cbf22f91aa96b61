"""Which model is asked what, and when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from synapse_engine.benchmarks.prompts import Prompt
from synapse_engine.benchmarks.record import Wanted

REQUESTS_MAX = 20_000
# Not so few that a model is not warm, not so many that this is felt.
WARM_UP = Prompt("warm-up", "Count from one to ten.", max_tokens=16)


@dataclass(frozen=True)
class Request:
    """model and prompt: their places in what is wanted; repetition: from 1."""

    model: int
    prompt: int
    repetition: int


@dataclass(frozen=True)
class Phase:
    """models: the places of those that are up. rounds: one after another; the requests of one at once."""

    models: tuple[int, ...]
    rounds: tuple[tuple[Request, ...], ...]


def plan_phases(wanted: Wanted) -> tuple[Phase, ...]:
    """In isolation a phase for each model, else one for all.

    A machine gets warmer and slower: so nobody is asked everything first. All prompts come before the next
    repetition of any, and in turn, each round begins with the next model.
    """
    places = tuple(range(len(wanted.contestants)))
    if wanted.is_isolated:
        return tuple(Phase((place,), _rounds(wanted, (place,))) for place in places)
    return (Phase(places, _rounds(wanted, places)),)


def _rounds(wanted: Wanted, models: tuple[int, ...]) -> tuple[tuple[Request, ...], ...]:
    rounds: list[tuple[Request, ...]] = []
    turn = 0
    for repetition in range(1, wanted.repetitions + 1):
        for prompt in range(len(wanted.prompts)):
            rotated = models[turn % len(models) :] + models[: turn % len(models)]
            requests = tuple(Request(model, prompt, repetition) for model in rotated)
            rounds += [requests] if wanted.at_once else [(request,) for request in requests]
            turn += 1
    return tuple(rounds)


def plan_pairs(wanted: Wanted) -> tuple[tuple[int, int, int], ...]:
    """For the judge: prompt, one model and another, by their places."""
    places = range(len(wanted.contestants))
    return tuple(
        (prompt, one, other)
        for prompt in range(len(wanted.prompts))
        for one, other in combinations(places, 2)
    )


def count_requests(wanted: Wanted) -> int:
    """Those that are measured, and for the judge two of each pair."""
    measured = len(wanted.contestants) * len(wanted.prompts) * wanted.repetitions
    return measured + (2 * len(plan_pairs(wanted)) if wanted.judge else 0)


def options_of(wanted: Wanted, prompt: Prompt) -> dict[str, object]:
    """What goes with the messages to llama-server, under its own names."""
    options: dict[str, object] = {
        "temperature": wanted.temperature,
        "seed": wanted.seed,
        "max_tokens": wanted.max_tokens or prompt.max_tokens,
        "cache_prompt": wanted.reuses_prompt_cache,
    }
    if wanted.has_fixed_length or prompt.has_fixed_length:
        options["ignore_eos"] = True
    return options


def plan_notes(wanted: Wanted) -> tuple[str, ...]:
    """What is done so that the figures mean something, said to whoever reads them."""
    notes = [f"Seed {wanted.seed}, temperature {wanted.temperature:g}."]
    if wanted.reuses_prompt_cache:
        notes.append(
            "Prompts are read from the cache where a model has them: prompt speeds are of the rest only."
        )
    else:
        notes.append("Every prompt is read anew (cache_prompt: false).")
    if wanted.has_fixed_length or any(prompt.has_fixed_length for prompt in wanted.prompts):
        notes.append(
            "Answers of a fixed length go on after their end (ignore_eos): do not judge what they say."
        )
    if wanted.warm_ups == 0:
        notes.append("Nothing was asked before the first measured request, so that one includes warming up.")
    if wanted.at_once:
        notes.append(
            "All models are asked at the same time: the figures are of models that share the machine."
        )
    if wanted.judge is not None and wanted.judge.name in {each.name for each in wanted.contestants}:
        notes.append(f"{wanted.judge.name} is judged by itself.")
    return tuple(notes)
