"""Two benchmarks side by side: how much faster one was, by model and prompt, and whether it may be chance.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from synapse_engine.benchmarks.figures import Spread, by_model_and_prompt, spread
from synapse_engine.benchmarks.prompts import Prompt
from synapse_engine.benchmarks.record import Benchmark, Sample

COMPARED = ("first_token_seconds", "prompt_per_second", "output_per_second", "total_seconds")


class Ratio(msgspec.Struct, frozen=True):
    """b divided by a: of the medians, and at the least and the most, from p10 and p90 of both.

    is_clear: even these lie on one side of 1.
    """

    a: Spread
    b: Spread
    ratio: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        return self.low > 1 or self.high < 1


class Compared(msgspec.Struct, frozen=True):
    """ratios: by measure, None where one of the two does not know it. prompt: None for all shared ones."""

    model: str
    prompt: str | None
    ratios: dict[str, Ratio | None]


class Comparison(msgspec.Struct, frozen=True):
    """compared: a model's prompts together, then each. The rest: what only one of the two has."""

    compared: list[Compared]
    models_only_in_a: list[str]
    models_only_in_b: list[str]
    prompts_only_in_a: list[str]
    prompts_only_in_b: list[str]
    differences: list[str]


def compare(a: Benchmark, b: Benchmark) -> Comparison:
    """Models are the same by their names, prompts by what is asked."""
    models_a, models_b = ([each.name for each in one.wanted.contestants] for one in (a, b))
    keys_a, keys_b = _keys(a), _keys(b)
    shared = [(place, keys_b.index(key)) for place, key in enumerate(keys_a) if key in keys_b]
    of_a, of_b = (by_model_and_prompt(s for s in one.samples if s.problem is None) for one in (a, b))
    compared = []
    for model in [name for name in models_a if name in models_b] if shared else ():
        pairs = [(of_a.get((model, at), []), of_b.get((model, other), [])) for at, other in shared]
        own_a, own_b = [[sample for own in side for sample in own] for side in zip(*pairs, strict=True)]
        compared.append(_compared(model, None, own_a, own_b))
        for (place, _), pair in zip(shared, pairs, strict=True):
            compared.append(_compared(model, a.wanted.prompts[place].name, *pair))
    return Comparison(
        compared,
        [name for name in models_a if name not in models_b],
        [name for name in models_b if name not in models_a],
        [key.name for key in keys_a if key not in keys_b],
        [key.name for key in keys_b if key not in keys_a],
        list(_differences(a, b)),
    )


def ratio(a: Spread | None, b: Spread | None) -> Ratio | None:
    """None where one is not known, or nothing can be divided by it."""
    if a is None or b is None or min(a.median, a.p10, a.p90) <= 0:
        return None
    return Ratio(a, b, b.median / a.median, b.p10 / a.p90, b.p90 / a.p10)


def _compared(model: str, prompt: str | None, a: Sequence[Sample], b: Sequence[Sample]) -> Compared:
    ratios = {
        name: ratio(
            spread(getattr(sample, name) for sample in a), spread(getattr(sample, name) for sample in b)
        )
        for name in COMPARED
    }
    return Compared(model, prompt, ratios)


def _keys(benchmark: Benchmark) -> list[Prompt]:
    """What makes a prompt the same: all of it, with the length that its answers could have."""
    wanted = benchmark.wanted
    return [
        msgspec.structs.replace(
            prompt,
            max_tokens=wanted.max_tokens or prompt.max_tokens,
            has_fixed_length=wanted.has_fixed_length or prompt.has_fixed_length,
        )
        for prompt in wanted.prompts
    ]


def _differences(a: Benchmark, b: Benchmark) -> Iterable[str]:
    """Of the conditions, in words."""
    pairs = {
        "in isolation": (a.wanted.is_isolated, b.wanted.is_isolated),
        "asked at once": (a.wanted.at_once, b.wanted.at_once),
        "prompt cache": (a.wanted.reuses_prompt_cache, b.wanted.reuses_prompt_cache),
        "temperature": (a.wanted.temperature, b.wanted.temperature),
        "seed": (a.wanted.seed, b.wanted.seed),
        "engine": (a.machine.engine, b.machine.engine),
    }
    for name, (one, other) in pairs.items():
        if one != other:
            yield f"{name}: {_said(one)} and {_said(other)}"


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)
