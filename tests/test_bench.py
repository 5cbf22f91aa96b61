"""What `synapse bench` reads and says, without a control plane."""

from __future__ import annotations

from typing import Any

import click
import pytest

from synapse_engine.bench import benchmark_text, brief_line, comparison_text, read_prompts


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("One prompt,\nof two lines.\n", [{"text": "One prompt,\nof two lines."}]),
        ("One\n---\nTwo\n --- \n\n---\n", [{"text": "One"}, {"text": "Two"}]),
        ("A rule ---- within\n-- no rule", [{"text": "A rule ---- within\n-- no rule"}]),
        ("", []),
        ('["One", {"text": "Two", "name": "2"}]', [{"text": "One"}, {"text": "Two", "name": "2"}]),
        (' \n["One"]', [{"text": "One"}]),
    ],
)
def test_prompts_in_a_file(text: str, prompts: list[dict[str, Any]]) -> None:
    assert read_prompts(text, "my.txt") == prompts


def test_a_file_that_is_not_what_it_begins_as() -> None:
    with pytest.raises(click.UsageError, match=r"my\.json is not the JSON that it begins as"):
        read_prompts("[1, 2", "my.json")


def brief(**facts: Any) -> dict[str, Any]:
    known = {"id": 3, "status": "running", "now": None, "done_requests": 7, "total_requests": 18}
    return {**known, "failed_requests": 0, "eta_seconds": None, **facts}


def now(stage: str, model: str | None = None, prompt: str | None = None) -> dict[str, Any]:
    return {"stage": stage, "model": model, "prompt": prompt, "repetition": 2 if prompt else None}


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"status": "queued"}, "benchmark 3: queued, 7 of 18"),
        ({"now": now("warming_up", "a")}, "benchmark 3: warming up a, 7 of 18"),
        (
            {"now": now("measuring", "a", "tea"), "eta_seconds": 41.7, "failed_requests": 1},
            "benchmark 3: measuring a, tea (2), 7 of 18, 1 failed, 42 s left",
        ),
        ({"now": now("restoring")}, "benchmark 3: restoring, 7 of 18"),
    ],
)
def test_how_far_it_is(facts: dict[str, Any], line: str) -> None:
    assert brief_line(brief(**facts)) == line


def spread(median: float) -> dict[str, float]:
    return {"median": median, "p10": median / 2, "p90": median * 2}


def test_a_table_with_a_judge_and_one_that_did_not_come_up() -> None:
    known = ("first_token_seconds", "prompt_per_second", "output_per_second", "total_seconds")
    by_model = [
        {
            "model": "a",
            "figures": {name: spread(1234.0 if "per" in name else 0.5) for name in known},
            "load_seconds": 1.25,
            "memory_used_mb": 330.4,
            "failed": 0,
            "standing": {"score": 0.75},
            "error": None,
        },
        {
            "model": "b",
            "figures": dict.fromkeys(known),
            "load_seconds": None,
            "memory_used_mb": None,
            "failed": 0,
            "standing": None,
            "error": {"error": "Failed to start server", "detail": "no"},
        },
    ]
    whole = brief(
        status="done", by_model=by_model, judgement={}, notes=["Seed 42."], machine={"energy": None}
    )
    lines = benchmark_text(whole).splitlines()
    assert lines[0] == "benchmark 3: done, 7 of 18"
    assert lines[2].split()[-1] == "score"
    assert "0.5 (0.25 to 1)" in lines[4] and "1,234 (617 to 2,468)" in lines[4]
    assert lines[4].split()[-4:] == ["1.25", "330", "0", "0.75"]
    assert lines[5].split() == ["b", *["-"] * 6, "0", "-"]
    assert "b: Failed to start server. no" in lines
    assert "Seed 42." in lines and "This machine does not tell what energy it uses." in lines


def test_two_side_by_side() -> None:
    ratio = {"ratio": 2.0, "low": 1.5, "high": 2.5, "is_clear": True}
    ratios = {
        "first_token_seconds": None,
        "prompt_per_second": ratio,
        "output_per_second": ratio | {"is_clear": False},
    }
    answer = {
        "a": {"id": 1},
        "b": {"id": 2},
        "compared": [{"model": "m", "prompt": None, "ratios": ratios | {"total_seconds": None}}],
        "models_only_in_a": ["x", "y"],
        "models_only_in_b": [],
        "prompts_only_in_a": [],
        "prompts_only_in_b": ["p"],
        "differences": ["seed: 1 and 2"],
    }
    lines = comparison_text(answer).splitlines()
    assert lines[4].split("  ")[0] == "m"
    assert "2.00x (1.50 to 2.50)*" in lines[4] and lines[4].count("*") == 1
    assert lines[5:] == ["models only in 1: x, y", "prompts only in 2: p", "Different: seed: 1 and 2"]
    assert "no model and prompt in common" in comparison_text(answer | {"compared": []})
