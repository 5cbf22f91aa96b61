"""Round by round, every load on every contender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.gateway import figures as told
from bench.gateway.contenders import Contender
from bench.gateway.cores import Cores, Usage, metered
from bench.gateway.figures import Figures, run_line
from bench.gateway.streams import run_streams, stream_figures
from bench.gateway.token_server import PERIOD_NS, STREAMS
from bench.gateway.upstreams import MODEL_IDS
from bench.gateway.wrk import run_wrk

# What each load asks for, and how many ask.
LOADS = {
    told.CHAT_1: ("chat", 1),
    told.CHAT_32: ("chat", 32),
    told.TOKENIZE_1: ("tokenize", 1),
    told.TOKENIZE_32: ("tokenize", 32),
    told.STREAMS: ("streams", STREAMS),
}
WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class Run:
    """How to measure. scripts: of wrk, by the kind of load; seconds: of each load, contender and round."""

    cores: Cores
    scripts: Mapping[str, Path]
    rounds: int
    seconds: int


def measure_all(run: Run, loads: Sequence[str], contenders: Sequence[Contender]) -> Figures:
    """After a short round that does not count. Whoever was first goes last in the next round."""
    figures = Figures()
    for number in range(run.rounds + 1):
        for load in loads:
            kind, _ = LOADS[load]
            able = [contender for contender in contenders if kind in contender.ports]
            turn = number % len(able) if able else 0
            for contender in able[turn:] + able[:turn]:
                values = measure(run, load, contender, run.seconds if number else WARM_UP_SECONDS)
                if number:
                    figures.add(load, contender.name, values)
                    print(f"{number:>3} {load:<20} {contender.name:<10} {run_line(values)}", flush=True)
    return figures


def measure(run: Run, load: str, contender: Contender, seconds: int) -> dict[str, float]:
    kind, clients = LOADS[load]
    if kind == "streams":
        return measure_streams(run, contender, seconds)
    with metered(contender.pid, run.cores) as usage:
        answers = run_wrk(run.scripts[kind], contender.url(kind), clients, seconds)
    values = {
        "requests/s": answers.per_second,
        "p50 us": answers.p50_us,
        "p99 us": answers.p99_us,
        "errors": float(answers.errors),
    }
    if contender.pid is not None:
        values["cpu us/request"] = usage.cpu_seconds / answers.requests * 1e6
    return values | usage_figures(usage)


def measure_streams(run: Run, contender: Contender, seconds: int) -> dict[str, float]:
    tokens = seconds * 1_000_000_000 // PERIOD_NS
    with metered(contender.pid, run.cores) as usage:
        streams = run_streams(
            contender.ports["streams"], contender.paths["streams"], MODEL_IDS["streams"], tokens
        )
    return stream_figures(streams, tokens) | usage_figures(usage)


def usage_figures(usage: Usage) -> dict[str, float]:
    return {
        "cpu s": usage.cpu_seconds,
        "load %": usage.load_share * 100,
        "others %": usage.others_share * 100,
    }
