"""Models that come up by themselves when a request asks for them, and who waits meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.raw_client import RawClient
from tests.fakes.rig import until
from tests.fakes.stage import Actor, Behaviour, Stage

from synapse_engine.catalog import registry
from synapse_engine.catalog.registry_file import SavedRegistry, write_registry
from synapse_engine.gateway import news

CHAT = "/v1/chat/completions"
NAME = "Qwen-7B-Q4_K_M.gguf"
Asked = asyncio.Task[httpx.Response]


async def enabled(plane: ControlPlane, file_name: str = NAME, behaviour: Behaviour | None = None) -> str:
    model_id = await plane.add(file_name, behaviour)
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    return model_id


def chat(plane: ControlPlane, model: str, **asked: Any) -> Asked:
    return asyncio.create_task(plane.post(CHAT, {"model": model, **asked}))


def waiting(plane: ControlPlane, model_id: str) -> int:
    line = plane.services.gateway.lines.by_model.get(model_id)
    return len(line.waiting) if line else 0


async def test_an_enabled_one_comes_up(plane: ControlPlane) -> None:
    model_id = await enabled(plane)
    response = await plane.post(CHAT, {"model": model_id})
    assert response.status_code == 200
    assert response.json()["choices"][0]["message"]["content"] == f"{model_id} at your service"


async def test_requests_of_the_meantime_join_one_start(plane: ControlPlane) -> None:
    model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True))
    asking = [chat(plane, model_id, n=n) for n in range(20)]
    actor = await plane.enter(model_id)
    await until(lambda: waiting(plane, model_id) == 20)
    actor.tell("ready")
    answers = await asyncio.gather(*asking)
    assert [answer.json()["asked"]["n"] for answer in answers] == list(range(20))
    assert plane.stage.spawns(Path(plane.services.registry.get(model_id).model.path)) == 1


async def test_a_client_that_leaves_does_not_end_the_start(plane: ControlPlane) -> None:
    model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True))
    asking = chat(plane, model_id)
    actor = await plane.enter(model_id)
    asking.cancel()
    await until(lambda: waiting(plane, model_id) == 0)
    actor.tell("ready")
    await until(lambda: plane.services.fleet.servers[model_id].state == "ready")
    assert plane.services.fleet.servers[model_id].active_requests == 0


@pytest.mark.parametrize("how", ["disabled", "held", "off"])
async def test_who_must_not_start_it_is_told_why(
    tmp_path: Path, engine: Path, stage: Stage, how: str
) -> None:
    async with open_control_plane(tmp_path, engine, stage, on_demand=how != "off") as plane:
        model_id = await plane.add(NAME) if how == "disabled" else await enabled(plane)
        if how == "held":
            await plane.start(model_id)
            await plane.post(f"/api/models/servers/{model_id}/stop")
        response = await plane.post(CHAT, {"model": model_id})
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        why = {"disabled": "it is not enabled", "held": "it is held", "off": "SYNAPSE_ON_DEMAND is off"}[how]
        message = response.json()["error"]["message"]
        assert why in message and f"synapse start {model_id}" in message
        if how == "held":
            await plane.post(f"/api/models/{model_id}/release")
            assert (await plane.post(CHAT, {"model": model_id})).status_code == 200


async def test_a_start_under_way_is_waited_for_whoever_began_it(plane: ControlPlane) -> None:
    model_id = await plane.add(NAME, Behaviour(loads_when_told=True))
    start = asyncio.create_task(plane.post(f"/api/models/servers/{model_id}/start"))
    actor = await plane.enter(model_id)
    asking = chat(plane, model_id)
    await until(lambda: waiting(plane, model_id) == 1)
    actor.tell("ready")
    assert (await asking).status_code == 200
    assert (await start).status_code == 200


async def test_a_stop_turns_away_who_waits(plane: ControlPlane) -> None:
    model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True))
    asking = chat(plane, model_id)
    await plane.enter(model_id)
    await until(lambda: waiting(plane, model_id) == 1)
    await plane.post(f"/api/models/servers/{model_id}/stop")
    response = await asking
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "model_not_running"


async def all_seats_taken(plane: ControlPlane) -> tuple[str, Actor, list[Asked], Asked]:
    """The model, its server, those whom it works for until it is told, and one that waits behind them."""
    model_id = await enabled(plane, behaviour=Behaviour(answers_when_told=True))
    actor = await plane.start(model_id)
    seats = plane.services.gateway.lines.line(model_id).limit
    served = [chat(plane, model_id) for _ in range(seats)]
    await until(lambda: plane.services.fleet.servers[model_id].active_requests == seats)
    behind = chat(plane, model_id)
    await until(lambda: waiting(plane, model_id) == 1)
    return model_id, actor, served, behind


async def test_a_stop_turns_away_who_waits_before_the_others_are_answered(plane: ControlPlane) -> None:
    model_id, actor, served, behind = await all_seats_taken(plane)
    stopping = asyncio.create_task(plane.post(f"/api/models/servers/{model_id}/stop"))
    response = await behind
    assert not stopping.done()
    assert response.status_code == 503
    assert "it is held" in response.json()["error"]["message"]
    for _ in served:
        actor.tell("go on")
    assert {answer.status_code for answer in await asyncio.gather(*served)} == {200}
    await stopping


async def test_a_stop_counts_before_it_is_on_the_disk(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_id = await enabled(plane)
    await plane.start(model_id)
    written = threading.Event()

    def write_slowly(path: Path, saved: SavedRegistry) -> None:
        assert written.wait(10)
        write_registry(path, saved)

    monkeypatch.setattr(registry, "write_registry", write_slowly)
    stopping = asyncio.create_task(plane.post(f"/api/models/servers/{model_id}/stop"))
    await until(lambda: plane.services.fleet.servers[model_id].state == "stopped")
    response = await plane.post(CHAT, {"model": model_id})
    written.set()
    assert response.status_code == 503
    assert "it is held" in response.json()["error"]["message"]
    await stopping
    assert (await plane.post(CHAT, {"model": model_id})).status_code == 503
    assert plane.stage.spawns(Path(plane.services.registry.get(model_id).model.path)) == 1


async def test_a_start_that_fails_tells_everybody_why(plane: ControlPlane) -> None:
    model_id = await enabled(plane, behaviour=Behaviour(exit_code=1, log=["E something is broken"]))
    answers = await asyncio.gather(*(chat(plane, model_id) for _ in range(5)))
    for answer in answers:
        assert answer.status_code == 500
        assert "something is broken" in answer.json()["error"]["message"]
        # Else the official clients would have it loaded twice more.
        assert answer.headers["x-should-retry"] == "false"


async def test_of_several_one_that_failed_comes_last(plane: ControlPlane) -> None:
    broken = await enabled(plane, "Alpha-7B-Q4_K_M.gguf", Behaviour(exit_code=1))
    sound = await enabled(plane, "Beta-7B-Q4_K_M.gguf")
    for model_id in (broken, sound):
        await plane.patch(f"/api/models/{model_id}", {"aliases": ["either"]})
    assert (await plane.post(CHAT, {"model": broken})).status_code == 500
    assert (await plane.post(CHAT, {"model": "either"})).status_code == 200
    assert plane.services.fleet.servers[sound].state == "ready"


async def test_one_that_was_unloaded_comes_back(plane: ControlPlane) -> None:
    model_id = await enabled(plane)
    assert (await plane.post(CHAT, {"model": model_id})).status_code == 200
    await plane.services.fleet.unload(model_id)
    assert (await plane.post(CHAT, {"model": model_id})).status_code == 200


async def test_one_that_crashes_comes_back_for_who_waits(plane: ControlPlane) -> None:
    model_id, actor, served, behind = await all_seats_taken(plane)
    Behaviour().write(Path(plane.services.registry.get(model_id).model.path), plane.stage.path)
    actor.die(1)
    assert {answer.status_code for answer in await asyncio.gather(*served)} == {502}
    assert (await behind).status_code == 200


class TestTheQueue:
    async def test_who_finds_it_full_is_told_when_to_come_back(
        self, tmp_path: Path, engine: Path, stage: Stage
    ) -> None:
        async with open_control_plane(tmp_path, engine, stage, queue_max=2) as plane:
            model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True))
            asking = [chat(plane, model_id) for _ in range(2)]
            actor = await plane.enter(model_id)
            await until(lambda: waiting(plane, model_id) == 2)
            refused = await plane.post(CHAT, {"model": model_id})
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) > 0
            assert "SYNAPSE_QUEUE_MAX" in refused.json()["error"]["message"]
            actor.tell("ready")
            assert {answer.status_code for answer in await asyncio.gather(*asking)} == {200}

    async def test_who_waits_too_long_is_told_for_what(
        self, tmp_path: Path, engine: Path, stage: Stage
    ) -> None:
        async with open_control_plane(tmp_path, engine, stage, queue_seconds=0.2) as plane:
            model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True))
            response = await plane.post(CHAT, {"model": model_id})
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0
            assert response.json()["error"]["message"].startswith(f"Waited too long for {model_id}. It is")
            assert "x-should-retry" not in response.headers
            assert waiting(plane, model_id) == 0

    async def test_nobody_is_forgotten_where_another_goes_on_with_a_new_line(
        self, tmp_path: Path, engine: Path, stage: Stage
    ) -> None:
        async with open_control_plane(tmp_path, engine, stage, queue_seconds=0.5) as plane:
            loading = Behaviour(loads_when_told=True)
            first = await enabled(plane, behaviour=loading)
            second = await enabled(plane, "Alpha-7B-Q4_K_M.gguf", loading)
            disabled = await plane.add("Beta-7B-Q4_K_M.gguf")
            client = RawClient.connect(plane.settings.port)
            for model_id in (first, disabled):
                body = json.dumps({"model": model_id}).encode()
                head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
                await client.send(head.encode() + body)
            await until(lambda: waiting(plane, first) == 1)
            behind = chat(plane, second)
            assert [(await client.answer()).json()["error"]["code"] for _ in range(2)] == [
                "waited_too_long",
                "model_not_running",
            ]
            assert (await behind).json()["error"]["code"] == "waited_too_long"
            client.close()

    async def test_a_busy_server_is_given_no_more_than_keeps_it_busy(self, plane: ControlPlane) -> None:
        model_id = await enabled(plane, behaviour=Behaviour(answers_when_told=True))
        actor = await plane.start(model_id)
        seats = plane.services.gateway.lines.line(model_id).limit
        asking = [chat(plane, model_id, n=n) for n in range(seats + 5)]
        await until(lambda: waiting(plane, model_id) == 5)
        assert plane.services.fleet.servers[model_id].active_requests == seats
        for _ in asking:
            actor.tell("go on")
        assert {answer.status_code for answer in await asyncio.gather(*asking)} == {200}

    async def test_one_client_cannot_keep_another_waiting(self, plane: ControlPlane) -> None:
        model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True))
        crowd = [chat(plane, model_id, n=n) for n in range(60)]
        actor = await plane.enter(model_id)
        await until(lambda: waiting(plane, model_id) == 60)
        single = asyncio.create_task(
            plane.post(CHAT, {"model": model_id, "n": "single"}, headers={"User-Agent": "another"})
        )
        await until(lambda: waiting(plane, model_id) == 61)
        calls = list(plane.services.recorder.activity.live.values())
        actor.tell("ready")
        assert (await single).status_code == 200
        await asyncio.gather(*crowd)
        in_turn = sorted(calls, key=lambda call: call.seated or 0.0)
        assert [call.client.endswith("another") for call in in_turn].index(True) < 5


class TestNews:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(news, "FIRST_SECONDS", 0.0)
        monkeypatch.setattr(news, "EVERY_SECONDS", 0.01)

    async def test_a_stream_is_told_that_its_model_loads(self, plane: ControlPlane) -> None:
        model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True))
        async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
            lines = response.aiter_lines()
            assert response.status_code == 200
            assert response.headers["content-type"] == "text/event-stream"
            assert response.headers["x-accel-buffering"] == "no"
            assert (await anext(lines)).startswith(":")
            (await plane.enter(model_id)).tell("ready")
            rest = [line async for line in lines]
        assert [line for line in rest if line.startswith("data:")][-1] == "data: [DONE]"
        assert any(line.startswith(f": loading {model_id}") for line in rest)

    async def test_as_reasoning(self, tmp_path: Path, engine: Path, stage: Stage) -> None:
        async with open_control_plane(tmp_path, engine, stage, loading_news="reasoning") as plane:
            model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True))
            async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
                lines = response.aiter_lines()
                first = await anext(lines)
                assert '"reasoning_content":' in first and first.startswith("data: ")
                (await plane.enter(model_id)).tell("ready")
                assert [line async for line in lines if line][-1] == "data: [DONE]"

    @pytest.mark.parametrize("path", ["/v1/completions", "/v1/responses", "/v1/messages"])
    async def test_as_reasoning_only_where_a_stream_has_that(
        self, tmp_path: Path, engine: Path, stage: Stage, path: str
    ) -> None:
        async with open_control_plane(tmp_path, engine, stage, loading_news="reasoning") as plane:
            model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True))
            async with plane.http.stream("POST", path, json={"model": model_id, "stream": True}) as response:
                lines = response.aiter_lines()
                assert (await anext(lines)).startswith(": ")
                (await plane.enter(model_id)).tell("ready")
                assert "reasoning_content" not in "\n".join([line async for line in lines])

    async def test_a_start_that_fails_after_that_is_an_event(self, plane: ControlPlane) -> None:
        model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True))
        lines: list[str] = []
        with pytest.raises(httpx.RemoteProtocolError):
            async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
                async for line in response.aiter_lines():
                    if not lines:
                        (await plane.enter(model_id)).die(1)
                    lines.append(line)
        assert '"code":"start_failed"' in lines[-2]

    async def test_an_error_of_the_server_after_that_is_an_event_too(self, plane: ControlPlane) -> None:
        model_id = await enabled(plane, behaviour=Behaviour(loads_when_told=True, refuses=400))
        async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
            lines = response.aiter_lines()
            assert (await anext(lines)).startswith(":")
            (await plane.enter(model_id)).tell("ready")
            rest = [line async for line in lines if line.startswith("data:")]
        assert [json.loads(line.removeprefix("data:"))["error"]["code"] for line in rest] == [400]

    async def test_a_long_one_is_an_event_too(self, plane: ControlPlane) -> None:
        error = {"error": {"message": f"No such grammar: {'x' * 5000}", "code": 400}}
        behaviour = Behaviour(loads_when_told=True, reply=error, status=400)
        model_id = await enabled(plane, behaviour=behaviour)
        async with plane.http.stream("POST", CHAT, json={"model": model_id, "stream": True}) as response:
            lines = response.aiter_lines()
            assert (await anext(lines)).startswith(":")
            (await plane.enter(model_id)).tell("ready")
            (told,) = [line async for line in lines if line.startswith("data:")]
        assert "No such grammar: xxx" in json.loads(told.removeprefix("data:"))["error"]["message"]

    async def test_it_is_one_of_anthropics_where_they_ask(self, plane: ControlPlane) -> None:
        reply = {"error": {"code": 400, "message": "too long", "type": "x"}}
        behaviour = Behaviour(loads_when_told=True, reply=reply, status=400)
        model_id = await enabled(plane, behaviour=behaviour)
        asked = {"model": model_id, "stream": True}
        async with plane.http.stream("POST", "/v1/messages", json=asked) as response:
            lines = response.aiter_lines()
            assert (await anext(lines)).startswith(":")
            (await plane.enter(model_id)).tell("ready")
            rest = [line async for line in lines if line and not line.startswith(":")]
        assert rest[0] == "event: error"
        (told,) = [json.loads(line.removeprefix("data:")) for line in rest[1:]]
        assert (told["type"], told["error"]["type"]) == ("error", "invalid_request_error")
        assert told["error"]["message"].endswith("too long")
