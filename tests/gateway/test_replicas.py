"""Several servers of one model behind one name."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from typing import Any

import httpx
import msgspec
import pytest
from tests.fakes.control_plane import ControlPlane
from tests.fakes.rig import until
from tests.fakes.stage import Actor, Behaviour

from synapse_engine.gateway.question import prefix_of

CHAT = "/v1/chat/completions"


async def two_of(plane: ControlPlane, behaviour: Behaviour) -> tuple[str, list[Actor]]:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", behaviour)
    await plane.patch(f"/api/models/{model_id}", {"enabled": True, "settings": {"replicas": 2}})
    actors = [await plane.start(model_id), await plane.enter(model_id)]
    await until(lambda: plane.services.gateway.lines.line(model_id).replicas == 2)
    return model_id, actors


def ask(plane: ControlPlane, model_id: str, question: str, path: str = CHAT) -> asyncio.Task[httpx.Response]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return asyncio.create_task(plane.post(path, {"model": model_id, "messages": messages}))


async def test_both_are_given_work(plane: ControlPlane) -> None:
    model_id, actors = await two_of(plane, Behaviour(answers_when_told=True))
    asking = [ask(plane, model_id, "the same for all") for _ in range(8)]
    line = plane.services.gateway.lines.line(model_id)
    await until(lambda: line.in_flight == line.limit == 8)
    servers = plane.services.fleet.servers_of(model_id)
    # The warm one gets more of the same, but not all of it.
    assert min(server.active_requests for server in servers) >= 2
    for actor in actors:
        for _ in asking:
            actor.tell("go on")
    assert {(await task).status_code for task in asking} == {200}


@pytest.mark.parametrize("path", [CHAT, "/api/chat"])
async def test_a_conversation_goes_where_it_was(plane: ControlPlane, path: str) -> None:
    model_id, actors = await two_of(plane, Behaviour())
    for _ in range(3):
        for number in range(8):
            assert (await ask(plane, model_id, f"conversation {number}", path)).status_code == 200
    served = [Counter[str](), Counter[str]()]
    for actor, counter in zip(actors, served, strict=True):
        while actor.count("request"):
            counter[(await actor.saw("request"))["body"]] += 1
    assert set(served[0].values()) == set(served[1].values()) == {3}
    assert not served[0].keys() & served[1].keys()


async def test_one_dies_and_the_other_goes_on(plane: ControlPlane) -> None:
    model_id, actors = await two_of(plane, Behaviour())
    actors[0].die(1)
    await until(lambda: plane.services.gateway.lines.line(model_id).replicas == 1)
    answers = [await ask(plane, model_id, f"question {number}") for number in range(12)]
    assert {answer.status_code for answer in answers} == {200}


async def test_a_kill_fails_what_is_in_flight_there_and_nothing_else(plane: ControlPlane) -> None:
    model_id, actors = await two_of(plane, Behaviour(answers_when_told=True))
    asking = [ask(plane, model_id, f"question {number}") for number in range(8)]
    first, second = plane.services.fleet.servers_of(model_id)
    await until(lambda: first.active_requests + second.active_requests == 8)
    for actor, server in zip(actors, (first, second), strict=True):
        for _ in range(server.active_requests):
            await actor.saw("request")
    on_first, on_second = first.active_requests, second.active_requests
    waiting = [ask(plane, model_id, f"question {number}") for number in range(4)]
    line = plane.services.gateway.lines.line(model_id)
    await until(lambda: len(line.waiting) == len(waiting))
    assert on_first and on_second
    os.kill(actors[0].pid, signal.SIGKILL)
    await until(lambda: sum(task.done() for task in asking) == on_first)
    for _ in range(on_second + len(waiting)):
        actors[1].tell("go on")
    answers = [await task for task in asking]
    assert Counter(answer.status_code for answer in answers) == {502: on_first, 200: on_second}
    errors = [answer.json()["error"] for answer in answers if answer.status_code == 502]
    assert {error["code"] for error in errors} == {"upstream_failed"}
    assert all("closed the connection before it answered" in error["message"] for error in errors)
    assert {(await task).status_code for task in waiting} == {200}
    later = [ask(plane, model_id, f"question {number}") for number in range(4)]
    for _ in later:
        actors[1].tell("go on")
    assert {(await task).status_code for task in later} == {200}
    await plane.services.recorder.flush()
    outcomes = Counter(call["outcome"] for call in (await plane.get("/api/activity")).json()["calls"])
    assert outcomes == {"server_lost": on_first, "ok": on_second + len(waiting) + len(later)}


PREFIXES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    (
        {"messages": [{"role": "user", "content": "a"}]},
        {"messages": [{"role": "user", "content": "b"}]},
        False,
    ),
    (
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]},
        {
            "temperature": 1,
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "x"},
            ],
        },
        True,
    ),
    ({"prompt": "a", "n": 1}, {"prompt": "a", "n": 2}, True),
    ({"system": "s", "messages": []}, {"system": "t", "messages": []}, False),
]


@pytest.mark.parametrize(("one", "other", "same"), PREFIXES)
def test_what_a_conversation_is_known_by(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    first, second = (prefix_of(msgspec.json.encode(body)) for body in (one, other))
    assert (first == second) is same


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": 1}'])
def test_what_tells_nothing(body: bytes) -> None:
    assert prefix_of(body) is None
