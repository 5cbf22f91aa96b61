"""Who is asked what, and when."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tests.benchmarks.records import contestant, wanted

from synapse_engine.benchmarks.plan import (
    Phase,
    Request,
    count_requests,
    options_of,
    plan_notes,
    plan_pairs,
    plan_phases,
)
from synapse_engine.benchmarks.prompts import Prompt


def spelled(phase: Phase) -> list[str]:
    """Each round as `model prompt repetition`, a comma between those at the same time."""
    return [", ".join(f"{r.model}{r.prompt}{r.repetition}" for r in each) for each in phase.rounds]


def test_together_in_turn_each_round_begins_with_the_next_model() -> None:
    (phase,) = plan_phases(wanted("a b c", "x y", repetitions=2))
    assert phase.models == (0, 1, 2)
    assert spelled(phase) == [
        *("001", "101", "201"),
        *("111", "211", "011"),
        *("202", "002", "102"),
        *("012", "112", "212"),
    ]


def test_together_at_once_a_round_holds_all_models() -> None:
    (phase,) = plan_phases(wanted("a b", "x y", repetitions=1, at_once=True))
    assert spelled(phase) == ["001, 101", "111, 011"]


def test_in_isolation_every_model_has_a_phase_of_its_own() -> None:
    first, second = plan_phases(wanted("a b", "x y", repetitions=2, is_isolated=True))
    assert (first.models, second.models) == ((0,), (1,))
    # Not all repetitions of one prompt first: a machine that gets slower would make that one look fast.
    assert spelled(first) == ["001", "011", "002", "012"]


@pytest.mark.parametrize("how", [{}, {"at_once": True}, {"is_isolated": True}])
@pytest.mark.parametrize("models", ["a", "a b", "a b c d"])
def test_everybody_is_asked_everything_as_often(how: dict[str, bool], models: str) -> None:
    of = wanted(models, "x y z", repetitions=4, **how)
    asked = Counter(request for phase in plan_phases(of) for each in phase.rounds for request in each)
    every = {Request(m, p, r) for m in range(len(models.split())) for p in range(3) for r in range(1, 5)}
    assert asked == Counter(every)
    assert count_requests(of) == len(every)


def test_each_place_in_a_round_is_everybodys_as_often() -> None:
    (phase,) = plan_phases(wanted("a b c", "x y z", repetitions=2))
    starts = Counter(each[0].model for each in phase.rounds[::3])
    assert starts == {0: 2, 1: 2, 2: 2}


def test_the_judge_compares_every_pair_once_for_each_prompt() -> None:
    of = wanted("a b c", "x y", repetitions=5, judge=contestant("j"))
    assert plan_pairs(of) == ((0, 0, 1), (0, 0, 2), (0, 1, 2), (1, 0, 1), (1, 0, 2), (1, 1, 2))
    assert count_requests(of) == 3 * 2 * 5 + 2 * 6


@pytest.mark.parametrize(
    ("how", "prompt", "options"),
    [
        ({}, {}, {"max_tokens": 256, "cache_prompt": False}),
        ({"max_tokens": 9}, {"max_tokens": 300}, {"max_tokens": 9, "cache_prompt": False}),
        ({}, {"max_tokens": 300}, {"max_tokens": 300, "cache_prompt": False}),
        ({"reuses_prompt_cache": True}, {}, {"max_tokens": 256, "cache_prompt": True}),
        ({}, {"has_fixed_length": True}, {"max_tokens": 256, "cache_prompt": False, "ignore_eos": True}),
        ({"has_fixed_length": True}, {}, {"max_tokens": 256, "cache_prompt": False, "ignore_eos": True}),
    ],
)
def test_what_a_server_is_told(how: dict[str, Any], prompt: dict[str, Any], options: dict[str, Any]) -> None:
    told = options_of(wanted(**how), Prompt("x", "X", **prompt))
    assert told == {"temperature": 0.0, "seed": 42, **options}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "Every prompt is read anew"),
        ({"reuses_prompt_cache": True}, "read from the cache"),
        ({"has_fixed_length": True}, "ignore_eos"),
        ({"warm_ups": 0}, "includes warming up"),
        ({"at_once": True}, "share the machine"),
        ({"judge": contestant("a")}, "a is judged by itself"),
        ({"seed": 7, "temperature": 0.5}, "Seed 7, temperature 0.5."),
    ],
)
def test_what_is_done_is_said(how: dict[str, Any], said: str) -> None:
    assert said in " ".join(plan_notes(wanted(**how)))
