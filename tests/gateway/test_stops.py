"""A stop during ten streams: each ends whole or with an error in its dialect's shape, and none just ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.fates import fate
from tests.fakes.rig import until
from tests.fakes.stage import Actor, Behaviour, Stage

STREAMS = 10
CHAT = "/v1/chat/completions"
PATHS = (CHAT, "/v1/messages", "/api/chat", "/api/generate")
EVENTS: list[dict[str, Any]] = [
    *({"choices": [{"delta": {"content": f"word {number} "}}]} for number in range(4)),
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
]
Stop = Callable[[ControlPlane, str], Awaitable[httpx.Response]]

by_path = pytest.mark.parametrize("path", PATHS)


async def stop(plane: ControlPlane, model_id: str) -> httpx.Response:
    return await plane.post(f"/api/models/servers/{model_id}/stop")


async def stop_now(plane: ControlPlane, model_id: str) -> httpx.Response:
    return await plane.post(f"/api/models/servers/{model_id}/stop?now=true")


async def stop_all(plane: ControlPlane, model_id: str) -> httpx.Response:
    return await plane.post("/api/models/servers/stop-all")


async def unload(plane: ControlPlane, model_id: str) -> httpx.Response:
    return await plane.post("/models/unload", {"model": model_id})


async def set_up(
    plane: ControlPlane, behaviour: Behaviour, context_length: int = 32_768
) -> tuple[str, Actor]:
    """With room for sixteen at once, where the context is not smaller."""
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", behaviour, llama__context_length=context_length)
    return model_id, await plane.start(model_id)


def active(plane: ControlPlane, model_id: str) -> int:
    return plane.services.fleet.servers[model_id].active_requests


def ask(plane: ControlPlane, path: str, model_id: str) -> asyncio.Task[str]:
    return asyncio.create_task(fate(plane.settings.port, path, model_id))


@pytest.mark.parametrize(
    ("path", "stop"), [*((path, stop) for path in PATHS), (CHAT, stop_all), (CHAT, unload)]
)
async def test_who_is_being_answered_is_answered(plane: ControlPlane, path: str, stop: Stop) -> None:
    model_id, _ = await set_up(plane, Behaviour(events=EVENTS, pace_seconds=0.03))
    streams = [ask(plane, path, model_id) for _ in range(STREAMS)]
    await until(lambda: active(plane, model_id) == STREAMS)
    (await stop(plane, model_id)).raise_for_status()
    assert Counter(await asyncio.gather(*streams)) == {"whole": STREAMS}


@by_path
@pytest.mark.parametrize("stop", [stop, stop_now])
async def test_who_takes_too_long_is_told(
    tmp_path: Path, engine: Path, stage: Stage, path: str, stop: Stop
) -> None:
    """Whether the time for it is over or there is none."""
    async with open_control_plane(
        tmp_path, engine, stage, drain_seconds=0.1, stop_timeout_seconds=0.1
    ) as plane:
        model_id, actor = await set_up(plane, Behaviour(events=EVENTS, streams_when_told=True))
        streams = [ask(plane, path, model_id) for _ in range(STREAMS)]
        await until(lambda: active(plane, model_id) == STREAMS)
        for _ in EVENTS[2:]:
            # For a whole one it would take one step more.
            actor.tell("go on")
        assert (await stop(plane, model_id)).json()["status"] == "stopped"
        assert Counter(await asyncio.gather(*streams)) == {"told": STREAMS}
        assert active(plane, model_id) == 0


@by_path
async def test_some_end_in_time_and_some_do_not(
    tmp_path: Path, engine: Path, stage: Stage, path: str
) -> None:
    async with open_control_plane(
        tmp_path, engine, stage, drain_seconds=0.5, stop_timeout_seconds=0.1
    ) as plane:
        model_id, actor = await set_up(plane, Behaviour(events=EVENTS, streams_when_told=True))
        streams = [ask(plane, path, model_id) for _ in range(STREAMS)]
        await until(lambda: active(plane, model_id) == STREAMS)
        stopping = asyncio.create_task(stop(plane, model_id))
        # Steps go to whichever stream waits for one: some are whole before all are.
        while active(plane, model_id) > STREAMS // 2:
            actor.tell("go on")
            await asyncio.sleep(0)
        assert (await stopping).json()["status"] == "stopped"
        fates = Counter(await asyncio.gather(*streams))
        assert fates.keys() <= {"whole", "told"}
        assert fates["whole"] >= STREAMS // 2


@by_path
async def test_who_waits_in_line_is_refused(plane: ControlPlane, path: str) -> None:
    model_id, actor = await set_up(plane, Behaviour(events=EVENTS, streams_when_told=True), 4096)
    line = plane.services.gateway.lines.line(model_id)
    streams = [ask(plane, path, model_id) for _ in range(STREAMS)]
    await until(lambda: line.in_flight + len(line.waiting) == STREAMS)
    seated = line.in_flight
    stopping = asyncio.create_task(stop(plane, model_id))
    # At once, while those who are being answered still are.
    await until(lambda: sum(stream.done() for stream in streams) == STREAMS - seated)
    assert line.in_flight == seated
    for _ in EVENTS[1:] * seated:
        actor.tell("go on")
    assert (await stopping).json()["status"] == "stopped"
    assert Counter(await asyncio.gather(*streams)) == {"whole": seated, "refused": STREAMS - seated}


async def test_a_server_that_ends_need_not_see_to_kept_connections(plane: ControlPlane) -> None:
    model_id, actor = await set_up(plane, Behaviour(events=EVENTS, streams_when_told=True))
    kept = plane.services.gateway.pool._connections
    streams = [ask(plane, CHAT, model_id) for _ in range(2)]
    await until(lambda: active(plane, model_id) == 2)
    for _ in EVENTS[1:]:
        actor.tell("go on")
        actor.tell("go on")
    await asyncio.gather(*streams)
    stream = ask(plane, CHAT, model_id)
    await until(lambda: active(plane, model_id) == 1)
    assert len(kept) == 2
    stopping = asyncio.create_task(stop(plane, model_id))
    await until(lambda: len(kept) == 1)
    assert not stopping.done()
    for _ in EVENTS[1:]:
        actor.tell("go on")
    assert await stream == "whole"
    assert (await stopping).json()["status"] == "stopped"
