"""From samples to medians and spreads."""

from __future__ import annotations

import statistics

import pytest
from tests.benchmarks.records import sample

from synapse_engine.benchmarks.figures import MEASURES, Spread, highest, quantile, spread, summarize
from synapse_engine.benchmarks.record import Problem


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], None),
        ([None], None),
        ([3.0], Spread(1, 3.0, 3.0, 3.0, 3.0, 3.0)),
        ([2.0, None, 1.0], Spread(2, 1.5, 1.0, 2.0, 1.1, 1.9)),
        ([5.0, 1.0, 3.0], Spread(3, 3.0, 1.0, 5.0, 1.4, 4.6)),
        ([0.0], Spread(1, 0.0, 0.0, 0.0, 0.0, 0.0)),
    ],
)
def test_spread(values: list[float | None], found: Spread | None) -> None:
    got = spread(values)
    assert (got is None) == (found is None)
    if got is not None and found is not None:
        assert got.count == found.count
        for name in ("median", "minimum", "maximum", "p10", "p90"):
            assert getattr(got, name) == pytest.approx(getattr(found, name))


def test_one_outlier_moves_the_maximum_and_not_the_median() -> None:
    calm = [10.0, 10.1, 9.9, 10.0, 10.2]
    found = spread([*calm, 99.0])
    assert found is not None
    assert found.median == pytest.approx(10.05)
    assert (found.maximum, found.minimum) == (99.0, 9.9)


def test_quantiles_are_those_of_the_library() -> None:
    values = sorted((n * 37 % 101) / 7 for n in range(40))
    library = statistics.quantiles(values, n=10, method="inclusive")
    assert [quantile(values, n / 10) for n in range(1, 10)] == pytest.approx(library)


def test_how_wide_it_is() -> None:
    assert Spread(5, 10.0, 8.0, 13.0, 9.0, 12.0).relative == pytest.approx(0.3)
    assert Spread(5, 0.0, 0.0, 0.0, 0.0, 0.0).relative is None


def test_those_that_failed_have_no_part() -> None:
    problem = Problem("It broke", "", 0.0)
    samples = [
        sample("a", output_per_second=10.0, total_seconds=1.0),
        sample("a", output_per_second=30.0),
        sample("a", output_per_second=1000.0, problem=problem),
    ]
    found = summarize(samples)
    assert tuple(found) == MEASURES
    speeds = found["output_per_second"]
    assert speeds is not None and (speeds.count, speeds.median) == (2, 20.0)
    assert found["energy_joules"] is None
    totals = found["total_seconds"]
    assert totals is not None and totals.count == 1


def test_highest() -> None:
    assert (highest([]), highest([None]), highest([None, 3, 7])) == (None, None, 7)
