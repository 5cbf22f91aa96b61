"""Benchmarks as they are shown on the wire."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from synapse_engine.api.views import megabytes
from synapse_engine.api.wire.base import LastError
from synapse_engine.api.wire.benchmarks import (
    AnswerOut,
    BenchmarkBrief,
    BenchmarkComparison,
    BenchmarkNow,
    BenchmarkOut,
    ComparedOut,
    ComparisonOut,
    FiguresOut,
    JudgementOut,
    MachineOut,
    ModelResult,
    PromptOut,
    PromptResult,
    RatioOut,
    RatiosOut,
    SampleOut,
    SpreadOut,
    StandingOut,
)
from synapse_engine.benchmarks.comparing import COMPARED, Ratio, compare
from synapse_engine.benchmarks.figures import Spread, by_model_and_prompt, highest, summarize
from synapse_engine.benchmarks.judging import Judgement, first_place_share, standings
from synapse_engine.benchmarks.prompts import Prompt
from synapse_engine.benchmarks.record import (
    Benchmark,
    BenchmarkStage,
    BenchmarkStatus,
    Contestant,
    Loaded,
    Problem,
    Sample,
)
from synapse_engine.events import Bus

# Their next one says as much.
TOLD_AGAIN = frozenset(
    {BenchmarkStage.LOADING, BenchmarkStage.WARMING_UP, BenchmarkStage.MEASURING, BenchmarkStage.JUDGING}
)


def tell_benchmark(bus: Bus, benchmark: Benchmark) -> None:
    """As a `benchmark` event; progress is not kept for those who come back."""
    is_progress = benchmark.now is not None and benchmark.now.stage in TOLD_AGAIN
    bus.publish("benchmark", brief_out(benchmark).model_dump_json().encode(), is_kept=not is_progress)


def brief_out(benchmark: Benchmark) -> BenchmarkBrief:
    wanted, now = benchmark.wanted, benchmark.now
    shown = None
    if now is not None:
        prompt = None if now.prompt is None else wanted.prompts[now.prompt].name
        shown = BenchmarkNow(stage=now.stage, model=now.model, prompt=prompt, repetition=now.repetition)
    return BenchmarkBrief(
        id=benchmark.id,
        title=wanted.title,
        status=benchmark.status,
        now=shown,
        models=[contestant.name for contestant in wanted.contestants],
        prompts=[prompt.name for prompt in wanted.prompts],
        manner="isolated" if wanted.is_isolated else "together",
        turns="at_once" if wanted.at_once else "in_turn",
        repetitions=wanted.repetitions,
        judge=wanted.judge.name if wanted.judge else None,
        total_requests=benchmark.total,
        done_requests=benchmark.done,
        failed_requests=benchmark.failed,
        progress=round(benchmark.done / benchmark.total, 4) if benchmark.total else 1.0,
        eta_seconds=_eta_seconds(benchmark),
        created_at=_instant(benchmark.created_at),
        began_at=None if benchmark.began_at is None else _instant(benchmark.began_at),
        ended_at=None if benchmark.ended_at is None else _instant(benchmark.ended_at),
        error=_error_out(benchmark.problem),
    )


def benchmark_out(benchmark: Benchmark) -> BenchmarkOut:
    wanted = benchmark.wanted
    # Of a running one more may come in between.
    samples = list(benchmark.samples)
    by_place = by_model_and_prompt(samples)
    return BenchmarkOut(
        **dict(brief_out(benchmark)),
        temperature=wanted.temperature,
        seed=wanted.seed,
        warm_ups=wanted.warm_ups,
        max_tokens=wanted.max_tokens,
        fixed_length=wanted.has_fixed_length,
        reuse_prompt_cache=wanted.reuses_prompt_cache,
        machine=MachineOut(
            engine=benchmark.machine.engine,
            cpus=benchmark.machine.cpus,
            memory_mb=megabytes(benchmark.machine.memory_bytes),
            energy=benchmark.machine.energy,
        ),
        notes=benchmark.notes,
        by_model=[
            _model_out(benchmark, contestant, [each for each in samples if each.model == contestant.name])
            for contestant in wanted.contestants
        ],
        results=[
            PromptResult(
                prompt=prompt_out(prompt),
                answers=[
                    _answer_out(contestant.name, by_place.get((contestant.name, place), []))
                    for contestant in wanted.contestants
                ],
            )
            for place, prompt in enumerate(wanted.prompts)
        ],
        judgement=_judgement_out(benchmark.judgement) if benchmark.judgement else None,
        samples=[_sample_out(sample) for sample in samples],
    )


def comparison_out(a: Benchmark, b: Benchmark) -> BenchmarkComparison:
    found = compare(a, b)
    return BenchmarkComparison(
        a=brief_out(a),
        b=brief_out(b),
        compared=[
            ComparedOut(
                model=each.model,
                prompt=each.prompt,
                ratios=RatiosOut(**{name: _ratio_out(each.ratios[name]) for name in COMPARED}),
            )
            for each in found.compared
        ],
        models_only_in_a=found.models_only_in_a,
        models_only_in_b=found.models_only_in_b,
        prompts_only_in_a=found.prompts_only_in_a,
        prompts_only_in_b=found.prompts_only_in_b,
        differences=found.differences,
    )


def prompt_out(prompt: Prompt) -> PromptOut:
    return PromptOut(
        name=prompt.name,
        text=prompt.text,
        system=prompt.system,
        max_tokens=prompt.max_tokens,
        fixed_length=prompt.has_fixed_length,
    )


def _eta_seconds(benchmark: Benchmark) -> float | None:
    if benchmark.status is not BenchmarkStatus.RUNNING or not benchmark.done or benchmark.began_at is None:
        return None
    pace = (time.time() - benchmark.began_at) / benchmark.done
    return round(max(0.0, pace * (benchmark.total - benchmark.done)), 1)


def _model_out(benchmark: Benchmark, contestant: Contestant, samples: Sequence[Sample]) -> ModelResult:
    loaded = benchmark.loaded.get(contestant.name, Loaded())
    size_bytes = contestant.file_size_bytes
    return ModelResult(
        model=contestant.name,
        model_id=contestant.model_id,
        display_name=contestant.display_name,
        quantization=contestant.quantization,
        size_b=contestant.size_b,
        file_size_mb=None if size_bytes is None else megabytes(size_bytes),
        load_seconds=loaded.seconds,
        was_running=loaded.was_running,
        memory_used_mb=_most_mb([loaded.resident_bytes, *(sample.resident_bytes for sample in samples)]),
        memory_private_mb=_most_mb([loaded.private_bytes, *(sample.private_bytes for sample in samples)]),
        requests=len(samples),
        failed=sum(sample.problem is not None for sample in samples),
        figures=_figures_out(samples),
        standing=_standing_out(benchmark.judgement, contestant.name),
        error=_error_out(loaded.problem),
    )


def _answer_out(model: str, samples: Sequence[Sample]) -> AnswerOut:
    first = next((sample for sample in samples if sample.problem is None), None)
    return AnswerOut(
        model=model,
        text=first.text if first else None,
        thinking=first.thinking if first else None,
        finish_reason=first.finish_reason if first else None,
        figures=_figures_out(samples),
        failed=sum(sample.problem is not None for sample in samples),
    )


def _sample_out(sample: Sample) -> SampleOut:
    return SampleOut(
        model=sample.model,
        prompt=sample.prompt,
        repetition=sample.repetition,
        began_at=_instant(sample.began_at),
        first_token_seconds=sample.first_token_seconds,
        prompt_per_second=sample.prompt_per_second,
        output_per_second=sample.output_per_second,
        total_seconds=sample.total_seconds,
        prompt_tokens=sample.prompt_tokens,
        cached_tokens=sample.cached_tokens,
        output_tokens=sample.output_tokens,
        finish_reason=sample.finish_reason,
        memory_used_mb=_most_mb([sample.resident_bytes]),
        memory_private_mb=_most_mb([sample.private_bytes]),
        energy_joules=sample.energy_joules,
        other_requests=sample.other_requests,
        text=sample.text,
        thinking=sample.thinking,
        error=_error_out(sample.problem),
    )


def _figures_out(samples: Iterable[Sample]) -> FiguresOut:
    return FiguresOut(**{name: _spread_out(found) for name, found in summarize(samples).items()})


def _spread_out(spread: Spread | None) -> SpreadOut | None:
    if spread is None:
        return None
    return SpreadOut(
        count=spread.count,
        median=spread.median,
        minimum=spread.minimum,
        maximum=spread.maximum,
        p10=spread.p10,
        p90=spread.p90,
        relative=spread.relative,
    )


def _ratio_out(ratio: Ratio | None) -> RatioOut | None:
    if ratio is None:
        return None
    a, b = _spread_out(ratio.a), _spread_out(ratio.b)
    assert a is not None and b is not None
    return RatioOut(a=a, b=b, ratio=ratio.ratio, low=ratio.low, high=ratio.high, is_clear=ratio.is_clear)


def _standing_out(judgement: Judgement | None, model: str) -> StandingOut | None:
    rows = standings(judgement.comparisons) if judgement else []
    row = next((row for row in rows if row.model == model), None)
    if row is None:
        return None
    return StandingOut(wins=row.wins, ties=row.ties, losses=row.losses, unclear=row.unclear, score=row.score)


def _judgement_out(judgement: Judgement) -> JudgementOut:
    return JudgementOut(
        judge=judgement.judge,
        comparisons=[
            ComparisonOut(
                prompt=each.prompt,
                one=each.one,
                other=each.other,
                forward=each.forward,
                backward=each.backward,
                outcome=each.outcome,
                reasons=list(each.reasons),
            )
            for each in judgement.comparisons
        ],
        first_place_share=first_place_share(judgement.comparisons),
    )


def _error_out(problem: Problem | None) -> LastError | None:
    if problem is None:
        return None
    return LastError(error=problem.error, detail=problem.detail, at=_instant(problem.at))


def _most_mb(sizes_bytes: Iterable[int | None]) -> float | None:
    most = highest(sizes_bytes)
    return None if most is None else megabytes(most)


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
