"""The real llama-server: what it had worked out of a prompt is there again after it was away."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.rig import LIMITS, Rig, open_rig
from tests.fakes.stage import Stage

from synapse_engine.launch.engine import find_engine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PATIENT = replace(LIMITS, startup_seconds=60.0)

RULES = " ".join(f"Rule {number} is that {number} comes after {number - 1}." for number in range(1, 25))


async def usage(rig: Rig, question: str) -> dict[str, Any]:
    messages = [{"role": "system", "content": RULES}, {"role": "user", "content": question}]
    with rig.fleet.lease("alpha") as lease:
        async with rig.session.post(
            f"{lease.url}/v1/chat/completions",
            json={"messages": messages, "max_tokens": 4, "temperature": 0},
            headers={"Authorization": f"Bearer {lease.api_key}"},
        ) as response:
            assert response.status == 200
            counted: dict[str, Any] = (await response.json())["usage"]
            return counted


@pytest.mark.parametrize("settings", [{"parallel": 1}, {"parallel": 3}, {}])
async def test_the_next_answer_finds_its_prompt_cached(
    tmp_path: Path,
    smollm2_path: Path,
    stage: Stage,
    ports: range,
    settings: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with open_rig(tmp_path, Path(find_engine(None, None)), stage, ports, limits=PATIENT) as rig:
        rig.path("alpha").symlink_to(smollm2_path)
        await rig.add("alpha", size_bytes=smollm2_path.stat().st_size, context_length=16_384)
        for is_kept in (False, True):
            await rig.choose("alpha", settings=settings | {"keep_prompt_cache": is_kept})
            await rig.fleet.start("alpha", by_request=True)
            first = await usage(rig, "What comes after 3?")
            assert first["prompt_tokens"] > 300
            await rig.fleet.unload("alpha")
            await rig.fleet.start("alpha", by_request=True)
            again = await usage(rig, "And what comes after 7?")
            cached = again["prompt_tokens_details"]["cached_tokens"]
            assert cached > first["prompt_tokens"] - 20 if is_kept else cached == 0
            await rig.fleet.stop("alpha")
    assert "tokens is back" in caplog.text
