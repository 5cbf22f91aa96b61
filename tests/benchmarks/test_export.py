"""A benchmark as a file."""

from __future__ import annotations

import csv
import io

from tests.benchmarks.records import benchmark, sample, wanted

from synapse_engine.benchmarks.export import COLUMNS, to_csv, to_markdown
from synapse_engine.benchmarks.judging import Comparison, Judgement, Preference
from synapse_engine.benchmarks.record import Loaded, Problem


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_a_line_for_each_request() -> None:
    made = benchmark(
        wanted("m"),
        [
            sample(
                "m", 0, 1, text='He said "yes",\nand left.', output_per_second=12.5, resident_bytes=5_000_000
            ),
            sample("m", 1, 2, problem=Problem("It broke", "badly", 0.0)),
        ],
        loaded={"m": Loaded(0.25)},
    )
    first, second = rows(to_csv(made))
    assert tuple(first) == COLUMNS
    assert (first["answer"], first["output_per_second"]) == ('He said "yes",\nand left.', "12.5")
    assert (first["resident_mb"], first["load_seconds"], first["energy_joules"]) == ("5.0", "0.25", "")
    assert (second["prompt"], second["repetition"], second["error"]) == ("two", "2", "It broke: badly")


def test_what_a_model_writes_is_no_formula() -> None:
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\tx"):
        (row,) = rows(to_csv(benchmark(wanted("m"), [sample("m", text=text)])))
        assert row["answer"] == f"'{text}"


def test_markdown() -> None:
    comparison = Comparison(0, "m", "n", Preference.FIRST, Preference.SECOND)
    made = benchmark(
        wanted("m n", "one", title="Before | after"),
        [
            sample("m", text="Two\nlines", output_per_second=100.0, total_seconds=0.5),
            sample("n", text="| cell", output_per_second=2000.0),
            sample("n", 0, 2, problem=Problem("x", "y", 0.0)),
        ],
        notes=["Seed 42."],
        loaded={"m": Loaded(1.5, resident_bytes=7_000_000)},
        judgement=Judgement("j", (comparison,)),
    )
    text = to_markdown(made)
    assert text.startswith("# Before | after\n\n2023-11-14 22:13 UTC, done. Together, 3 repetitions.")
    assert "* Seed 42." in text
    assert "| m | - | - | 100 (100 to 100) | 0.5 (0.5 to 0.5) | 1.5 | 7 | 0 |" in text
    assert "| n | - | - | 2,000 (2,000 to 2,000) | - | - | - | 1 |" in text
    assert "It preferred what stood first in 50% of its choices" in text
    assert "| m | 1 | 0 | 0 | 0 | 1 |" in text
    assert "### one: m\n\n> Two\n> lines" in text
    assert "### one: n\n\n> | cell" in text


def test_markdown_of_one_without_a_single_answer() -> None:
    text = to_markdown(benchmark(wanted("m", "one")))
    assert "# Benchmark 1" in text and "| m | - | - | - | - | - | - | 0 |" in text
