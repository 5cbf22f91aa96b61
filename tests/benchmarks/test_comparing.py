"""Two benchmarks side by side."""

from __future__ import annotations

import msgspec
import pytest
from tests.benchmarks.records import benchmark, sample, wanted

from synapse_engine.benchmarks.comparing import compare, ratio
from synapse_engine.benchmarks.figures import Spread, spread
from synapse_engine.benchmarks.record import Machine, Problem


def test_ratios_by_model_and_prompt() -> None:
    a = benchmark(
        wanted("m"), [sample("m", p, r, output_per_second=10.0 * (p + 1)) for p in (0, 1) for r in (1, 2)]
    )
    b = benchmark(
        wanted("m"), [sample("m", p, r, output_per_second=20.0 * (p + 1)) for p in (0, 1) for r in (1, 2)]
    )
    found = compare(a, b)
    assert [(each.model, each.prompt) for each in found.compared] == [("m", None), ("m", "one"), ("m", "two")]
    for each in found.compared[1:]:
        speeds = each.ratios["output_per_second"]
        assert speeds is not None and (speeds.ratio, speeds.is_clear) == (2.0, True)
        assert each.ratios["first_token_seconds"] is None
    assert found.differences == []


def test_what_only_one_has_and_what_differs() -> None:
    a = benchmark(wanted("m n", "one two", seed=1), machine=Machine(engine="1"))
    b = benchmark(wanted("n o", "two three", is_isolated=True, seed=2))
    found = compare(a, b)
    assert (found.models_only_in_a, found.models_only_in_b) == (["m"], ["o"])
    assert (found.prompts_only_in_a, found.prompts_only_in_b) == (["one"], ["three"])
    assert found.differences == ["in isolation: no and yes", "seed: 1 and 2", "engine: 1 and unknown"]
    assert {each.model for each in found.compared} == {"n"}


def test_the_same_name_with_another_text_or_length_is_another_prompt() -> None:
    of = wanted("m", "one")
    (prompt,) = of.prompts
    other = msgspec.structs.replace(of, prompts=(msgspec.structs.replace(prompt, text="Else."),))
    assert compare(benchmark(of), benchmark(other)).prompts_only_in_a == ["one"]
    longer = msgspec.structs.replace(of, max_tokens=9)
    assert compare(benchmark(of), benchmark(longer)).prompts_only_in_b == ["one"]
    same = msgspec.structs.replace(of, max_tokens=prompt.max_tokens)
    assert compare(benchmark(of), benchmark(same)).prompts_only_in_a == []


def test_failed_requests_have_no_part() -> None:
    good, bad = sample("m", total_seconds=2.0), sample("m", total_seconds=9.0, problem=Problem("x", "y", 0.0))
    found = compare(benchmark(wanted("m", "one"), [good, bad]), benchmark(wanted("m", "one"), [good]))
    totals = found.compared[0].ratios["total_seconds"]
    assert totals is not None and totals.ratio == 1.0 and not totals.is_clear


@pytest.mark.parametrize(
    ("a", "b", "is_clear"),
    [
        ([10.0, 10.5, 11.0], [20.0, 21.0, 22.0], True),
        ([10.0, 15.0, 20.0], [14.0, 16.0, 22.0], False),
        ([20.0, 21.0], [10.0, 10.1], True),
    ],
)
def test_what_is_clear(a: list[float], b: list[float], is_clear: bool) -> None:
    found = ratio(spread(a), spread(b))
    assert found is not None and found.low <= found.ratio <= found.high
    assert found.is_clear is is_clear


def test_nothing_is_divided_by_nothing() -> None:
    zero, one = Spread(1, 0, 0, 0, 0, 0), Spread(1, 1, 1, 1, 1, 1)
    assert ratio(zero, one) is None and ratio(None, one) is None and ratio(one, None) is None
