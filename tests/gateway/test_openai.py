"""The OpenAI endpoints' own answers: which models there are, and every error in OpenAI's shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.stage import Behaviour, Stage

from synapse_engine.gateway.body import IN_MEMORY_BYTES

CHAT = "/v1/chat/completions"


def problem(response: httpx.Response) -> dict[str, Any]:
    """The error object, once its shape has been looked at."""
    body = response.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == ("invalid_request_error" if response.status_code < 500 else "server_error")
    return error


async def test_an_unknown_model(plane: ControlPlane) -> None:
    response = await plane.post(CHAT, {"model": "nobody"})
    assert response.status_code == 404
    error = problem(response)
    assert error["code"] == "model_not_found"
    assert error["message"].startswith("Model not found: nobody. No model is running. GET /v1/models lists")


@pytest.mark.parametrize("behaviour", [None, Behaviour(exit_code=1)])
async def test_one_that_does_not_run(plane: ControlPlane, behaviour: Behaviour | None) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", behaviour)
    if behaviour:
        await plane.post(f"/api/models/servers/{model_id}/start")
    response = await plane.post(CHAT, {"model": model_id})
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    error = problem(response)
    assert error["code"] == "model_not_running"
    assert error["message"].startswith(f"Model is not running: {model_id}. It is ")
    assert f"Press START on its row, or run: synapse start {model_id}" in error["message"]


BODIES = {
    "no JSON": b"{",
    "empty": b"",
    "a list": b"[]",
    "a number for a name": b'{"model": 1}',
    "no UTF-8": b'{"model": "\xff"}',
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_bad_body(plane: ControlPlane, case: str) -> None:
    response = await plane.http.post(CHAT, content=BODIES[case])
    assert response.status_code == 400
    assert problem(response)["code"] == "bad_request"


async def test_a_name_that_means_several(plane: ControlPlane) -> None:
    first = await plane.add("a/Qwen-7B-Q4_K_M.gguf")
    second = await plane.add("b/Qwen-7B-Q4_K_M.gguf")
    response = await plane.post(CHAT, {"model": "Qwen-7B-Q4_K_M"})
    assert response.status_code == 409
    error = problem(response)
    assert error["message"] == f"Ambiguous model name: Qwen-7B-Q4_K_M. It could mean: {first}, {second}"


async def test_an_unknown_endpoint_and_a_wrong_method(plane: ControlPlane) -> None:
    response = await plane.get("/v1/nothing")
    assert response.status_code == 404
    assert problem(response)["code"] == "not_found"
    response = await plane.get(CHAT)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert problem(response)["code"] == "method_not_allowed"


async def test_while_it_boots(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage, booted=False) as plane:
        await plane.add("Qwen-7B-Q4_K_M.gguf")
        response = await plane.post(CHAT, {"model": "qwen_7b_fast"})
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        error = problem(response)
        assert error["message"] == "Server manager not initialized. Backend service not ready"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"model": 1}',
        b'{"model": "\xff"}',
        b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model": ' + b"[" * 10_000 + b"]" * 10_000 + b', "messages": "' + b"x" * IN_MEMORY_BYTES + b'"}',
    ],
    ids=["empty", "array", "number", "bytes", "deep", "large and deep"],
)
async def test_a_body_that_is_no_question(plane: ControlPlane, body: bytes) -> None:
    response = await plane.http.post(CHAT, content=body)
    assert response.status_code == 400
    assert problem(response)["message"].startswith("The body is not the JSON that was expected. ")


async def test_the_list_has_enabled_and_running_ones(plane: ControlPlane) -> None:
    enabled = await plane.add("Alpha-7B-Q4_K_M.gguf")
    running = await plane.add("Beta-7B-Q4_K_M.gguf")
    await plane.add("Gamma-7B-Q4_K_M.gguf")
    await plane.patch(f"/api/models/{enabled}", {"enabled": True})
    await plane.start(running)
    answer = (await plane.get("/v1/models")).json()
    assert answer["object"] == "list"
    models = [model for model in answer["data"] if model["kind"] != "mode"]
    assert [(m["id"], m["status"]) for m in models] == [(enabled, "stopped"), (running, "running")]
    for model in answer["data"]:
        assert (model["object"], model["owned_by"]) == ("model", "synapse-engine")


@pytest.mark.parametrize(
    "name", ["qwen_7b_fast", "QWEN_7B_FAST", "Qwen-7B-Q4_K_M", "Qwen 7B (Q4_K_M)", "mine"]
)
async def test_every_name_of_a_model(plane: ControlPlane, name: str) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.patch(f"/api/models/{model_id}", {"aliases": ["mine"]})
    await plane.start(model_id)
    assert (await plane.post(CHAT, {"model": name})).status_code == 200
