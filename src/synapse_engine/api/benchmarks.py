"""`/api/benchmarks`: models measured side by side, as jobs."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from synapse_engine.api.benchmark_views import benchmark_out, brief_out, comparison_out, prompt_out
from synapse_engine.api.errors import documented
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.wire.base import ID_MAX, Before
from synapse_engine.api.wire.benchmarks import (
    BenchmarkAsk,
    BenchmarkBrief,
    BenchmarkComparison,
    BenchmarkDeleted,
    BenchmarkList,
    BenchmarkOut,
    PromptAsk,
    PromptSetOut,
    PromptSets,
)
from synapse_engine.benchmarks.errors import NothingToMeasure
from synapse_engine.benchmarks.export import to_csv, to_markdown
from synapse_engine.benchmarks.plan import REQUESTS_MAX, count_requests
from synapse_engine.benchmarks.prompts import DEFAULT_SET, SETS, Prompt
from synapse_engine.benchmarks.record import Benchmark, Contestant, Wanted
from synapse_engine.catalog.model import Kind
from synapse_engine.errors import AmbiguousModelName, InvalidChoice, ModelFileMissing
from synapse_engine.gateway.names import RESERVED

NAME_CHARACTERS = 40
FORMATS = {
    "csv": ("text/csv; charset=utf-8", "csv"),
    "json": ("application/json", "json"),
    "markdown": ("text/markdown; charset=utf-8", "md"),
}
FILE = {"schema": {"type": "string"}}

Id = Annotated[int, Path(ge=1, le=ID_MAX)]
Which = Annotated[int, Query(ge=1, le=ID_MAX, description="a benchmark's id")]

router = APIRouter(prefix="/api/benchmarks", tags=["benchmarks"])


@router.get("/prompts", responses=documented())
async def list_prompts() -> PromptSets:
    """The built-in sets of prompts."""
    return PromptSets(
        sets=[
            PromptSetOut(
                name=each.name,
                title=each.title,
                description=each.description,
                prompts=[prompt_out(prompt) for prompt in each.prompts],
            )
            for each in SETS.values()
        ],
        default=DEFAULT_SET,
    )


@router.get("/compare", responses=documented(404, 500))
async def compare_two(services: Wired, a: Which, b: Which) -> BenchmarkComparison:
    """Two benchmarks, by model and prompt: how much b differs from a, and whether it may be chance."""
    found = await services.benchmarks.find(a), await services.benchmarks.find(b)
    return await asyncio.to_thread(comparison_out, *found)


@router.get("", responses=documented(500))
async def list_benchmarks(
    services: Wired,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Before = None,
) -> BenchmarkList:
    """Newest first: those that ran, run and wait."""
    found = await services.benchmarks.newest(before, limit + 1)
    shown = [brief_out(benchmark) for benchmark in found[:limit]]
    return BenchmarkList(benchmarks=shown, next=shown[-1].id if len(found) > limit else None)


@router.post("", status_code=202, responses=documented(404, 409, 429, 503, 507))
async def begin(services: Wired, ask: BenchmarkAsk) -> BenchmarkBrief:
    """Begin one, or put it in line: one runs at a time. Names are looked up before anything starts."""
    return brief_out(await services.benchmarks.create(_wanted(services, ask)))


@router.get("/{benchmark_id}", response_model=BenchmarkOut, responses=documented(404, 500))
async def one_benchmark(services: Wired, benchmark_id: Id) -> Response:
    """All of it, of one that runs what has been measured so far."""
    benchmark = await services.benchmarks.find(benchmark_id)
    # Thousands of answers take a while to write, and others have streams open meanwhile.
    return Response(await asyncio.to_thread(_json, benchmark), media_type=FORMATS["json"][0])


@router.post("/{benchmark_id}/cancel", responses=documented(404, 500))
async def cancel(services: Wired, benchmark_id: Id) -> BenchmarkBrief:
    """End it and keep what it has measured; one that runs first puts the fleet back, which may take a while.

    One that has ended stays as it is.
    """
    return brief_out(await services.benchmarks.cancel(benchmark_id))


@router.delete("/{benchmark_id}", responses=documented(404, 409, 500, 507))
async def delete(services: Wired, benchmark_id: Id) -> BenchmarkDeleted:
    """Throw one away that has ended."""
    await services.benchmarks.delete(benchmark_id)
    return BenchmarkDeleted(message="Benchmark deleted", id=benchmark_id)


@router.get(
    "/{benchmark_id}/export",
    response_model=BenchmarkOut,
    responses=documented(404, 500) | {200: {"content": {"text/csv": FILE, "text/markdown": FILE}}},
)
async def export(
    services: Wired, benchmark_id: Id, format: Literal["csv", "json", "markdown"] = "json"
) -> Response:
    """As a file: csv has a line for each request, json all of it, markdown tables for people."""
    benchmark = await services.benchmarks.find(benchmark_id)
    write = {"csv": to_csv, "json": _json, "markdown": to_markdown}[format]
    text = await asyncio.to_thread(write, benchmark)
    media_type, ending = FORMATS[format]
    name = f"benchmark-{benchmark_id}.{ending}"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=media_type, headers=disposition)


def _json(benchmark: Benchmark) -> str:
    return benchmark_out(benchmark).model_dump_json()


def _wanted(services: Services, ask: BenchmarkAsk) -> Wanted:
    """Raises ModelNotFound, AmbiguousModelName, ModelFileMissing, InvalidChoice, NothingToMeasure."""
    if ask.manner == "isolated" and ask.turns == "at_once":
        raise InvalidChoice(
            "turns: at_once", "In isolation one model is up at a time, so only in_turn makes sense."
        )
    wanted = Wanted(
        contestants=_contestants(services, ask.models),
        prompts=_prompts(ask),
        is_isolated=ask.manner == "isolated",
        at_once=ask.turns == "at_once",
        repetitions=ask.repetitions,
        warm_ups=ask.warm_ups,
        temperature=ask.temperature,
        seed=ask.seed,
        max_tokens=ask.max_tokens,
        has_fixed_length=ask.fixed_length,
        reuses_prompt_cache=ask.reuse_prompt_cache,
        judge=None if ask.judge is None else _contestant(services, "judge", ask.judge),
        title=ask.title,
    )
    if wanted.judge is not None and len(wanted.contestants) < 2:
        raise InvalidChoice(f"judge: {ask.judge}", "There is only one model, so there is nothing to compare.")
    if (requests := count_requests(wanted)) > REQUESTS_MAX:
        raise InvalidChoice(
            f"repetitions: {ask.repetitions}",
            f"That makes {requests} requests, and {REQUESTS_MAX} are the most. Take fewer of something.",
        )
    return wanted


def _contestants(services: Services, names: list[str] | None) -> tuple[Contestant, ...]:
    if names is None:
        entries = services.registry.entries.values()
        names = [
            entry.model_id
            for entry in entries
            if entry.choices.enabled and not entry.missing and entry.model.kind is Kind.CHAT
        ]
    found = {each.name: each for each in (_contestant(services, "models", name) for name in names)}
    if not found:
        raise NothingToMeasure
    return tuple(found.values())


def _contestant(services: Services, field: str, name: str) -> Contestant:
    if name.strip().casefold() in RESERVED:
        raise InvalidChoice(f"{field}: {name}", "That is no single model's name.")
    target = services.gateway.names.find(name)
    if len(target.model_ids) > 1:
        raise AmbiguousModelName(name, list(target.model_ids))
    model_id = target.model_ids[0]
    if target.remote is not None:
        return Contestant(model_id, None, model_id)
    entry = services.registry.get(model_id)
    model = entry.model
    if entry.missing:
        raise ModelFileMissing(model_id, model.path)
    if model.kind is not Kind.CHAT:
        raise InvalidChoice(f"{field}: {name}", f"It is of the kind {model.kind.value}, and does not chat.")
    own_name = services.gateway.names.name_of(model_id, target.variant) if target.variant else model_id
    return Contestant(
        own_name,
        model_id,
        f"{model.display_name}: {target.variant}" if target.variant else model.display_name,
        model.quantization,
        model.size_b,
        model.file_size_bytes,
    )


def _prompts(ask: BenchmarkAsk) -> tuple[Prompt, ...]:
    """Those of the set, then one's own; each with a name that no other has."""
    name = ask.prompt_set or (None if ask.prompts else DEFAULT_SET)
    if name is not None and name not in SETS:
        raise InvalidChoice(f"prompt_set: {name}", f"There are {', '.join(SETS)}.")
    prompts = [*(SETS[name].prompts if name else ()), *map(_own_prompt, ask.prompts)]
    named: dict[str, Prompt] = {}
    for prompt in prompts:
        unique, number = prompt.name, 1
        while unique in named:
            number += 1
            unique = f"{prompt.name} ({number})"
        named[unique] = msgspec.structs.replace(prompt, name=unique)
    return tuple(named.values())


def _own_prompt(prompt: PromptAsk) -> Prompt:
    words = " ".join(prompt.text.split())
    short = words if len(words) <= NAME_CHARACTERS else f"{words[: NAME_CHARACTERS - 3]}..."
    return Prompt(prompt.name or short, prompt.text, prompt.system, prompt.max_tokens, prompt.fixed_length)
