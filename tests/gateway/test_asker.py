"""A mode's way to models: through the names, the lines and the records, over the fake engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from tests.fakes.control_plane import ControlPlane
from tests.fakes.remote import RemoteServer, remote_server
from tests.fakes.remote import begin_stream as begin
from tests.fakes.remote import stream as stream_to
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour

from synapse_engine.errors import ModelNotFound, NotRunning, UpstreamFailed
from synapse_engine.gateway.asker import GatewayAsker
from synapse_engine.gateway.errors import CallCancelled, ServerRefused
from synapse_engine.modes.asking import Figures, Message, Order, Piece

NAME = "Qwen-7B-Q4_K_M.gguf"
HELLO: list[dict[str, Any]] = [
    {"choices": [{"delta": {"role": "assistant", "content": None}}]},
    {"choices": [{"delta": {"reasoning_content": "Hm."}}]},
    {"choices": [{"delta": {"content": "Hel"}}]},
    {"choices": [{"delta": {"content": "lo"}}]},
    {"choices": [{"delta": {}, "finish_reason": "length"}]},
    {
        "choices": [],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
        "timings": {"prompt_n": 3, "cache_n": 2, "prompt_per_second": 90.5, "predicted_n": 2}
        | {"predicted_per_second": 40.25},
    },
]
ORDER = Order((Message("system", "Be kind."), Message("user", "Hi")), {"temperature": 0, "seed": 7})


def asker(plane: ControlPlane) -> GatewayAsker:
    return GatewayAsker(plane.services.gateway, "127.0.0.1 tests", "/api/query/1")


async def whole(pieces: AsyncGenerator[Piece | Figures]) -> tuple[str, str, Figures]:
    *said, figures = [piece async for piece in pieces]
    texts = [piece for piece in said if isinstance(piece, Piece)]
    assert len(texts) == len(said) and isinstance(figures, Figures)
    return "".join(piece.text for piece in texts), "".join(piece.thinking for piece in texts), figures


async def enabled(plane: ControlPlane, **behaviour: Any) -> str:
    model_id = await plane.add(NAME, Behaviour(**{"events": HELLO, **behaviour}))
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    return model_id


async def test_an_answer_with_its_figures(plane: ControlPlane) -> None:
    """It comes up for it, is asked for a stream in its own words, and recorded as any request is."""
    model_id = await enabled(plane)
    text, thinking, figures = await whole(asker(plane).ask(model_id, ORDER))
    assert (text, thinking) == ("Hello", "Hm.")
    seen = await (await plane.enter(model_id)).saw("request")
    assert seen["path"] == "/v1/chat/completions"
    assert json.loads(seen["body"]) == {
        "model": model_id,
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
        "temperature": 0,
        "seed": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert (figures.model_id, figures.server_id, figures.finish_reason) == (model_id, model_id, "length")
    assert (figures.prompt_tokens, figures.cached_tokens, figures.output_tokens) == (5, 2, 2)
    assert (figures.prompt_per_second, figures.output_per_second) == (90.5, 40.25)
    assert figures.load_seconds > 0 and figures.queue_seconds < 1
    assert figures.first_token_seconds is not None
    assert 0 < figures.first_token_seconds <= figures.total_seconds
    call = await plane.last_call()
    assert (call["dialect"], call["path"], call["client"]) == ("synapse", "/api/query/1", "127.0.0.1 tests")
    assert (call["model_id"], call["asked"], call["outcome"]) == (model_id, model_id, "ok")
    assert (call["prompt_tokens"], call["output_tokens"]) == (5, 2)


async def test_a_variant_brings_its_own(plane: ControlPlane) -> None:
    model_id = await enabled(plane)
    variant = {"name": "pirate", "system_prompt": "Arr.", "sampling": {"temperature": 1, "top_k": 5}}
    await plane.patch(f"/api/models/{model_id}", {"settings": {"variants": [variant]}})
    actor = await plane.start(model_id)
    await whole(asker(plane).ask("pirate", ORDER))
    body = json.loads((await actor.saw("request"))["body"])
    assert body["messages"][0]["content"] == "Arr.\n\nBe kind."
    assert (body["temperature"], body["top_k"]) == (0, 5)
    assert (await plane.last_call())["variant"] == "pirate"


async def test_an_upstream_by_url(plane: ControlPlane) -> None:
    async def answer(server: RemoteServer, asked: Any, writer: asyncio.StreamWriter) -> None:
        assert asked.json["model"] == "m1"
        await begin(writer)
        for text in (
            '{"choices":[{"delta":{"reasoning":"Hm."}}]}',
            '{"choices":[{"delta":{"content":"Hi"}}]}',
        ):
            await stream_to(writer, f"data: {text}\n\n")
        await stream_to(writer, "data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")

    async with remote_server(answer=answer) as server:
        await plane.http.put("/api/upstreams/box", json={"url": server.url})
        text, thinking, figures = await whole(asker(plane).ask("box/m1", ORDER))
    assert (text, thinking) == ("Hi", "Hm.")
    assert (figures.model_id, figures.server_id, figures.output_tokens) == ("box/m1", "box", None)


@pytest.mark.parametrize("is_loading", [True, False])
async def test_closing_it_ends_the_request(plane: ControlPlane, is_loading: bool) -> None:
    model_id = await enabled(plane, loads_when_told=is_loading, answers_when_told=not is_loading)
    asking = asyncio.create_task(whole(asker(plane).ask(model_id, ORDER)))
    actor = await plane.enter(model_id)
    line = plane.services.gateway.lines.line(model_id)
    if is_loading:
        await until(lambda: len(line.waiting) == 1)
    else:
        await actor.saw("request")
    asking.cancel()
    async with asyncio.timeout(1):
        await until(lambda: not line.waiting and not line.in_flight)
        if not is_loading:
            await actor.saw("client left")
    actor.tell("ready")
    assert (await plane.last_call())["outcome"] == "client_left"


async def test_closed_within_the_answer(plane: ControlPlane) -> None:
    model_id = await enabled(plane, streams_when_told=True)
    actor = await plane.start(model_id)
    actor.tell("go on")
    async with aclosing(asker(plane).ask(model_id, ORDER)) as pieces:
        assert await anext(pieces) == Piece(thinking="Hm.")
        assert plane.services.fleet.servers[model_id].active_requests == 1
    assert plane.services.fleet.servers[model_id].active_requests == 0
    async with asyncio.timeout(1):
        await actor.saw("client left")
    assert (await plane.last_call())["outcome"] == "client_left"


@pytest.mark.parametrize("is_loading", [True, False])
async def test_cancelled_by_somebody_who_looks(plane: ControlPlane, is_loading: bool) -> None:
    """The mode is told, and its task goes on."""
    model_id = await enabled(plane, loads_when_told=is_loading, streams_when_told=not is_loading)
    activity = plane.services.gateway.activity

    async def ask() -> str:
        with pytest.raises(CallCancelled):
            await whole(asker(plane).ask(model_id, ORDER))
        await asyncio.sleep(0)
        return "goes on"

    asking = asyncio.create_task(ask())
    actor = await plane.enter(model_id)
    line = plane.services.gateway.lines.line(model_id)
    if is_loading:
        await until(lambda: len(line.waiting) == 1)
    else:
        await actor.saw("request")
        actor.tell("go on")
    assert activity.cancel(next(iter(activity.live)))
    assert await asking == "goes on"
    assert not line.waiting and not line.in_flight
    actor.tell("ready")
    assert (await plane.last_call())["outcome"] == "cancelled"


async def test_one_cancelled_while_nobody_waits_for_it(plane: ControlPlane) -> None:
    """It is told when it asks for more, and not in the midst of what else its task does."""
    model_id = await enabled(plane, streams_when_told=True)
    actor = await plane.start(model_id)
    actor.tell("go on")
    activity = plane.services.gateway.activity
    async with aclosing(asker(plane).ask(model_id, ORDER)) as pieces:
        await anext(pieces)
        activity.cancel(next(iter(activity.live)))
        await asyncio.sleep(0)
        with pytest.raises(CallCancelled):
            await anext(pieces)
    assert plane.services.fleet.servers[model_id].active_requests == 0


async def test_what_goes_wrong(plane: ControlPlane) -> None:
    with pytest.raises(ModelNotFound):
        await whole(asker(plane).ask("nobody", ORDER))
    assert (await plane.last_call())["outcome"] == "refused"
    model_id = await plane.add(NAME, Behaviour(reply={"error": {"message": "too long"}}, status=400))
    with pytest.raises(NotRunning, match="not enabled"):
        await whole(asker(plane).ask(model_id, ORDER))
    await plane.start(model_id)
    with pytest.raises(ServerRefused, match="too long"):
        await whole(asker(plane).ask(model_id, ORDER))
    call = await plane.last_call()
    assert (call["outcome"], call["status"]) == ("error", 400)
    assert plane.services.fleet.servers[model_id].active_requests == 0


async def test_a_server_that_breaks_off(plane: ControlPlane) -> None:
    model_id = await enabled(plane, streams_when_told=True)
    actor = await plane.start(model_id)
    actor.tell("go on")
    async with aclosing(asker(plane).ask(model_id, ORDER)) as pieces:
        await anext(pieces)
        actor.tell("cut")
        with pytest.raises(UpstreamFailed):
            while True:
                await anext(pieces)
    assert (await plane.last_call())["outcome"] == "server_lost"
