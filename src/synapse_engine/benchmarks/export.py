"""A benchmark as a file: CSV (a line for each request), Markdown (tables for people). Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from synapse_engine.benchmarks.figures import Spread, by_model_and_prompt, highest, summarize
from synapse_engine.benchmarks.judging import first_place_share, standings
from synapse_engine.benchmarks.record import Benchmark, Sample

COLUMNS = (
    "benchmark",
    "model",
    "prompt",
    "repetition",
    "began_at",
    "first_token_seconds",
    "prompt_per_second",
    "output_per_second",
    "total_seconds",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "finish_reason",
    "load_seconds",
    "resident_mb",
    "private_mb",
    "energy_joules",
    "other_requests",
    "error",
    "answer",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(benchmark: Benchmark) -> str:
    """What a model wrote never becomes a formula in a spreadsheet: an apostrophe stands before it then."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for sample in benchmark.samples:
        writer.writerow(_row(benchmark, sample))
    return text.getvalue()


def _row(benchmark: Benchmark, sample: Sample) -> list[object]:
    loaded = benchmark.loaded.get(sample.model)
    return [
        benchmark.id,
        _plain(sample.model),
        _plain(benchmark.wanted.prompts[sample.prompt].name),
        sample.repetition,
        datetime.fromtimestamp(sample.began_at, UTC).isoformat(),
        sample.first_token_seconds,
        sample.prompt_per_second,
        sample.output_per_second,
        sample.total_seconds,
        sample.prompt_tokens,
        sample.cached_tokens,
        sample.output_tokens,
        sample.finish_reason,
        loaded.seconds if loaded else None,
        _mb(sample.resident_bytes),
        _mb(sample.private_bytes),
        sample.energy_joules,
        sample.other_requests,
        _plain(f"{sample.problem.error}: {sample.problem.detail}") if sample.problem else None,
        _plain(sample.text),
    ]


def to_markdown(benchmark: Benchmark) -> str:
    """Figures by model, then by prompt, the judge's word, the answers, and under which conditions."""
    wanted = benchmark.wanted
    parts = [
        f"# {wanted.title or f'Benchmark {benchmark.id}'}",
        f"{datetime.fromtimestamp(benchmark.created_at, UTC):%Y-%m-%d %H:%M} UTC, {benchmark.status}. "
        f"{'In isolation' if wanted.is_isolated else 'Together'}, {wanted.repetitions} repetitions. "
        f"Engine: {benchmark.machine.engine or 'unknown'}. Each figure is a median, p10 to p90 in brackets.",
        "\n".join(f"* {note}" for note in benchmark.notes),
        _models_table(benchmark),
        *_prompt_tables(benchmark),
        _judgement(benchmark),
        *_answers(benchmark),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _models_table(benchmark: Benchmark) -> str:
    rows = []
    for contestant in benchmark.wanted.contestants:
        own = [sample for sample in benchmark.samples if sample.model == contestant.name]
        loaded = benchmark.loaded.get(contestant.name)
        memory = highest([loaded.resident_bytes if loaded else None, *(one.resident_bytes for one in own)])
        rows.append(
            [
                contestant.name,
                *_figures(own),
                _number(loaded.seconds if loaded else None),
                _number(_mb(memory)),
                str(sum(sample.problem is not None for sample in own)),
            ]
        )
    return _table(
        "model;first token (s);prompt (tokens/s);generation (tokens/s);total (s);load (s);memory (MB);failed",
        rows,
    )


def _prompt_tables(benchmark: Benchmark) -> Iterable[str]:
    by_place = by_model_and_prompt(benchmark.samples)
    for place, prompt in enumerate(benchmark.wanted.prompts):
        rows = [
            [contestant.name, *_figures(by_place.get((contestant.name, place), []))]
            for contestant in benchmark.wanted.contestants
        ]
        table = _table("model;first token (s);prompt (tokens/s);generation (tokens/s);total (s)", rows)
        yield f"## Prompt: {prompt.name}\n\n{table}"


def _judgement(benchmark: Benchmark) -> str:
    if benchmark.judgement is None:
        return ""
    comparisons = benchmark.judgement.comparisons
    rows = [
        [row.model, str(row.wins), str(row.ties), str(row.losses), str(row.unclear), _number(row.score)]
        for row in standings(comparisons)
    ]
    share = first_place_share(comparisons)
    bias = (
        ""
        if share is None
        else f" It preferred what stood first in {share:.0%} of its choices (50% is fair)."
    )
    table = _table("model;wins;ties;losses;unclear;score", rows)
    return f"## Judged by {benchmark.judgement.judge}\n\nBlind, each pair in both orders.{bias}\n\n{table}"


def _answers(benchmark: Benchmark) -> Iterable[str]:
    by_place = by_model_and_prompt(benchmark.samples)
    for place, prompt in enumerate(benchmark.wanted.prompts):
        for contestant in benchmark.wanted.contestants:
            own = by_place.get((contestant.name, place), [])
            first = next((sample for sample in own if sample.problem is None), None)
            if first is not None:
                quoted = "\n".join(f"> {line}" for line in first.text.splitlines())
                yield f"### {prompt.name}: {contestant.name}\n\n{quoted}"


def _figures(samples: Sequence[Sample]) -> list[str]:
    spreads = summarize(samples)
    return [
        _spread(spreads[name])
        for name in ("first_token_seconds", "prompt_per_second", "output_per_second", "total_seconds")
    ]


def _table(header: str, rows: Iterable[Sequence[str]]) -> str:
    names = header.split(";")
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _spread(of: Spread | None) -> str:
    return "-" if of is None else f"{_number(of.median)} ({_number(of.p10)} to {_number(of.p90)})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _mb(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else round(size_bytes / 1e6, 1)


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
