"""Every run's figures; what they come to; and what was promised of them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

CONTENDERS = ("direct", "ours", "haproxy", "router", "llama-swap")
# A figure's name ends in its unit.
ADDED = "added p50 us"
SHOWN = {
    "requests/s": ",.0f",
    "p50 us": ",.0f",
    "p99 us": ",.0f",
    ADDED: ",.0f",
    "gap p50 ms": ".2f",
    "gap p99 ms": ".2f",
    "added gap p99 ms": ".2f",
    "stretch p99 ms": ".2f",
    "delay p50 ms": ".2f",
    "delay p99 ms": ".2f",
    "errors": ".0f",
    "lost": ".0f",
    "out of place": ".0f",
    "cut short": ".0f",
    "cpu s": ".2f",
    "cpu us/request": ".1f",
    "load %": ".0f",
    "others %": ".0f",
}
COMPARED = frozenset(
    ["requests/s", "p50 us", "p99 us", ADDED, "cpu us/request", "cpu s", "delay p50 ms", "delay p99 ms"]
)


@dataclass(frozen=True)
class Gate:
    """A promise about one load: ours by the peer's, or ours alone where there is no peer.

    is_floor: at least `limit`, else at most. aim: hoped for beyond it.
    """

    load: str
    figure: str
    peer: str | None
    limit: float
    is_floor: bool
    aim: float | None = None
    unit: str = "x"


CHAT_1, CHAT_32 = "chat, 1 client", "chat, 32 clients"
TOKENIZE_1, TOKENIZE_32 = "tokenize, 1 client", "tokenize, 32 clients"
STREAMS = "256 streams"

GATES = (
    Gate(CHAT_32, "requests/s", "haproxy", 1.0, True, 1.1),
    Gate(CHAT_32, "requests/s", "llama-swap", 2.0, True),
    Gate(CHAT_1, ADDED, "haproxy", 1.0, False, 0.6),
    Gate(STREAMS, "added gap p99 ms", None, 2.0, False, unit=" ms"),
    Gate(STREAMS, "lost", None, 0, False, unit=""),
    Gate(STREAMS, "out of place", None, 0, False, unit=""),
    Gate(STREAMS, "cut short", None, 0, False, unit=""),
    Gate(CHAT_32, "errors", None, 0, False, unit=""),
)
# The router serves only real llama-servers, on which a core carries few requests: ours in front of the quick
# server against the router in front of its own child is the one comparison in which neither waits for that.
ROUTER_GATE = Gate(CHAT_32, "requests/s", "router", 10.0, True)


class Figures:
    """By load, contender and name, one value a round."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, load: str, contender: str, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._values[load, contender][name].append(value)

    def loads(self) -> list[str]:
        return list(dict.fromkeys(load for load, _ in self._values))

    def contenders(self, load: str) -> list[str]:
        seen = {contender for where, contender in self._values if where == load}
        return [contender for contender in CONTENDERS if contender in seen]

    def of(self, load: str, contender: str) -> dict[str, list[float]]:
        """With what is added over direct in the same round, where both were measured."""
        own = dict(self._values.get((load, contender), {}))
        base = self._values.get((load, "direct"), {})
        for name, added in (("p50 us", ADDED), ("gap p99 ms", "added gap p99 ms")):
            if contender != "direct" and name in own and name in base:
                own[added] = [mine - its for mine, its in zip(own[name], base[name], strict=True)]
        return own


def run_line(values: Mapping[str, float]) -> str:
    return "  ".join(
        f"{name} {format(values[name], form):>7}" for name, form in SHOWN.items() if name in values
    )


def print_figures(figures: Figures) -> None:
    """A table for each load: every contender's figures, and ours by each other's in the same round."""
    for load in figures.loads():
        seen = {contender: figures.of(load, contender) for contender in figures.contenders(load)}
        peers = [peer for peer in seen if peer != "ours"] if "ours" in seen else []
        rows = []
        for name, form in SHOWN.items():
            own = [spread(values[name], form) if name in values else "" for values in seen.values()]
            if any(own):
                rows.append([name, *own, *(ratio_cell(name, seen["ours"], seen[peer]) for peer in peers)])
        headers = ["median (min to max)", *seen, *(f"ours / {peer}" for peer in peers)]
        print(f"\n## {load}\n")
        print(tabulate(rows, headers, disable_numparse=True))


def ratio_cell(name: str, mine: Mapping[str, list[float]], its: Mapping[str, list[float]]) -> str:
    if name not in COMPARED or name not in mine or name not in its or min(its[name]) <= 0:
        return ""
    return spread(ratios(mine[name], its[name]), ".2f")


def print_gates(figures: Figures) -> None:
    print("\n## promised")
    for gate in GATES:
        print(gate_line(gate, figures.of(gate.load, "ours"), figures.of(gate.load, gate.peer or "ours")))
    print(gate_line(ROUTER_GATE, figures.of(CHAT_32, "ours"), figures.of(TOKENIZE_32, "router")))
    ceiling = ratios_or_none(figures, TOKENIZE_32, "direct", "router")
    same = ratios_or_none(figures, TOKENIZE_32, "ours", "router")
    if ceiling and same:
        print(
            f"  both in front of llama-server (/tokenize): {spread(same, '.2f')}x; "
            f"without any relay it would be {spread(ceiling, '.2f')}x"
        )


def ratios_or_none(figures: Figures, load: str, contender: str, peer: str) -> list[float] | None:
    mine, its = figures.of(load, contender), figures.of(load, peer)
    if "requests/s" in mine and "requests/s" in its:
        return ratios(mine["requests/s"], its["requests/s"])
    return None


def gate_line(gate: Gate, mine: Mapping[str, Sequence[float]], its: Mapping[str, Sequence[float]]) -> str:
    """`met`, `NOT MET` or `not measured`, with the figure. A sum of mishaps counts every one."""
    side = "at least" if gate.is_floor else "at most"
    what = f"{gate.load}, {gate.figure}" + (f" by {gate.peer}'s" if gate.peer else "")
    promise = f"{what}: {side} {gate.limit:g}{gate.unit}"
    if gate.figure not in mine or gate.figure not in its:
        return f"not measured  {promise}"
    values = ratios(mine[gate.figure], its[gate.figure]) if gate.peer else list(mine[gate.figure])
    value = sum(values) if gate.limit == 0 else statistics.median(values)
    is_met = value >= gate.limit if gate.is_floor else value <= gate.limit
    seen = f"{value:g} in all" if gate.limit == 0 else f"{spread(values, '.2f')}{gate.unit}"
    aim = f" (aim {gate.aim:g}{gate.unit})" if gate.aim is not None else ""
    return f"{'met    ' if is_met else 'NOT MET'}  {promise}{aim}; seen {seen}"


def ratios(mine: Sequence[float], its: Sequence[float]) -> list[float]:
    """Round by round. Below what can be told apart from nothing, a peer's figure counts as that much."""
    return [a / max(b, 1e-9) for a, b in zip(mine, its, strict=True)]


def spread(values: Sequence[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
