"""Upstreams by URL: requests to servers that others run."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.remote import (
    RemoteServer,
    Steps,
    data_of,
    put,
    remote_server,
    say,
)
from tests.fakes.rig import until
from tests.fakes.stage import Stage, open_stage

from synapse_engine.gateway import remotes
from synapse_engine.gateway.body import IN_MEMORY_BYTES
from synapse_engine.gateway.remote import Remote, check_remote, place_at

CHAT = "/v1/chat/completions"
CERTIFICATE = Path(__file__).parent.parent / "fakes" / "localhost.pem"


# Asked for by name.


@pytest.mark.parametrize("name", ["box", "box/m1", "BOX/m1", "box/"])
async def test_a_request_to_one(plane: ControlPlane, server: RemoteServer, name: str) -> None:
    await put(plane, "box", server.url)
    body = b'{"seed":12345678901234567890123,"t":1.50, "model":"%b","x":{"y":[1 ,2]}}' % name.encode()
    answer = await plane.http.post(f"{CHAT}?a=1", content=body)
    assert answer.status_code == 200, answer.text
    asked = await server.asked.get()
    assert (asked.method, asked.path) == ("POST", f"{CHAT}?a=1")
    assert asked.json["model"] == "m1"
    assert b'"seed":12345678901234567890123' in asked.body and b'"x":{"y":[1 ,2]}' in asked.body
    assert b'"t":1.50' in asked.body
    call = await plane.last_call()
    assert (call["asked"], call["model_id"], call["server_id"]) == (name, "box/m1", "box")
    assert (call["outcome"], call["prompt_tokens"], call["output_tokens"]) == ("ok", 3, 2)


async def test_a_model_that_it_does_not_list_is_asked_for_all_the_same(
    plane: ControlPlane, server: RemoteServer
) -> None:
    await put(plane, "box", server.url)
    assert (await plane.post(CHAT, {"model": "box/org/Other:Q4"})).status_code == 200
    assert (await server.asked.get()).json["model"] == "org/Other:Q4"


async def test_its_name_alone_means_its_model(plane: ControlPlane, server: RemoteServer) -> None:
    server.models = ["m1", "m2"]
    await put(plane, "box", server.url, model="m2")
    await plane.post(CHAT, {"model": "box"})
    assert (await server.asked.get()).json["model"] == "m2"
    # Where the names are the same the body passes as it is.
    await put(plane, "m2", server.url, model="m2")
    await plane.http.post(CHAT, content=b' {"model" : "m2"}')
    assert (await server.asked.get()).body == b' {"model" : "m2"}'


async def test_its_name_alone_where_that_is_not_clear(plane: ControlPlane, server: RemoteServer) -> None:
    server.models = ["m1", "m2"]
    await put(plane, "box", server.url)
    answer = await plane.post(CHAT, {"model": "box"})
    assert answer.status_code == 409
    assert answer.json()["error"]["message"].endswith("It could mean: box/m1, box/m2")
    server.models = None
    await put(plane, "box", server.url)
    answer = await plane.post(CHAT, {"model": "box"})
    assert answer.status_code == 404
    message = answer.json()["error"]["message"]
    assert "GET /v1/models answered 404: no such path" in message and "Ask for box/MODEL" in message
    assert (
        (await plane.post(CHAT, {"model": "bux"}))
        .json()["error"]["message"]
        .startswith("Model not found: bux. Did you mean box? ")
    )
    assert server.asked.empty()


async def test_a_large_body(plane: ControlPlane, server: RemoteServer) -> None:
    await put(plane, "box", server.url)
    answer = await plane.post(CHAT, {"text": "x" * 3_000_000, "model": "box/m1"})
    assert answer.status_code == 200
    assert (await server.asked.get()).json == {"text": "x" * 3_000_000, "model": "m1"}


async def test_a_large_body_that_is_nested_beyond_sense(plane: ControlPlane, server: RemoteServer) -> None:
    """It is the server's to judge, and nobody waits for an answer that never comes."""

    async def judge(server: RemoteServer, asked: Any, writer: asyncio.StreamWriter) -> None:
        await say(writer, {"error": {"message": "too deep"}}, status="400 Bad Request")

    server.answer = judge
    await put(plane, "box", server.url)
    text, deep = b"x" * IN_MEMORY_BYTES, b"[" * 10_000 + b"]" * 10_000
    body = b'{"model": "box/m1", "text": "%b", "deep": %b}' % (text, deep)
    assert (await plane.http.post(CHAT, content=body)).status_code == 400
    assert (await server.asked.get()).body == body
    assert (await plane.last_call())["outcome"] == "error"


PREFIXES = {
    "": "",
    "/": "",
    "/v1": "",
    "/v1/": "",
    "/openai/v1": "/openai",
    "/a/b/": "/a/b",
    "/av1": "/av1",
}


@pytest.mark.parametrize(("suffix", "prefix"), PREFIXES.items())
async def test_the_path_of_its_url(
    plane: ControlPlane, server: RemoteServer, suffix: str, prefix: str
) -> None:
    found = await put(plane, "box", server.url + suffix)
    assert found["models"] == ["m1"]
    assert server.listed[0].path == f"{prefix}/v1/models"
    await plane.post(CHAT, {"model": "box"})
    assert (await server.asked.get()).path == prefix + CHAT


ENDPOINTS = ["/v1/completions", "/v1/embeddings", "/v1/rerank", "/v1/responses", "/v1/messages", "/tokenize"]


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_every_endpoint(plane: ControlPlane, server: RemoteServer, path: str) -> None:
    await put(plane, "box", server.url)
    assert (await plane.post(path, {"model": "box", "x": 1})).status_code == 200
    asked = await server.asked.get()
    assert (asked.path, asked.json) == (path, {"model": "m1", "x": 1})


async def test_other_paths_pass_as_they_are(plane: ControlPlane, server: RemoteServer) -> None:
    server.models = ["m1", "m2"]
    await put(plane, "box", server.url)
    assert (await plane.post("/upstream/box/v1/audio?x=1", {"model": "m2"})).status_code == 200
    asked = await server.asked.get()
    assert (asked.path, asked.json) == ("/v1/audio?x=1", {"model": "m2"})
    assert (await plane.http.delete("/upstream/box/files/3")).status_code == 200
    asked = await server.asked.get()
    assert (asked.method, asked.path) == ("DELETE", "/files/3")
    assert (await plane.last_call())["model_id"] == "box"
    await plane.get("/props?a=%2F&model=box%2Fm1")
    assert (await server.asked.get()).path == "/props?a=%2F&model=m1"


async def test_a_models_own_name_goes_first(plane: ControlPlane, server: RemoteServer) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    await plane.patch(f"/api/models/{model_id}", {"settings": {"variants": [{"name": "poet"}]}})
    for name in (model_id, "poet"):
        refused = await plane.http.put(f"/api/upstreams/{name}", json={"url": server.url})
        assert (refused.status_code, refused.json()["error"]) == (409, f"Name is taken: {name}")
    await put(plane, "box", server.url)
    for edit in ({"aliases": ["Box"]}, {"settings": {"variants": [{"name": "box"}]}}):
        refused = await plane.patch(f"/api/models/{model_id}", edit)
        assert (refused.status_code, refused.json()["detail"][:27]) == (409, "It means the upstream box a")
    late = await plane.add("box.gguf")
    await plane.start(late)
    assert (
        (await plane.post(CHAT, {"model": "box"})).json()["choices"][0]["message"]["content"].startswith(late)
    )
    # In full it still is the upstream's.
    assert (await plane.post(CHAT, {"model": "box/m1"})).json()["asked"] == {"model": "m1"}


PLACES = {
    "https://api.example.com/v1": ("api.example.com", 443, b"", b"api.example.com"),
    "http://[::1]:8000": ("::1", 8000, b"", b"[::1]:8000"),
    "http://10.0.0.5/a%20b/": ("10.0.0.5", 80, b"/a%20b", b"10.0.0.5"),
    "https://Box:443": ("box", 443, b"", b"Box:443"),
}


@pytest.mark.parametrize("url", PLACES)
def test_where_it_is(url: str) -> None:
    check_remote(Remote("box", url))
    place = place_at(Remote("box", url), b"us", None)
    host, port, prefix, header = PLACES[url]
    assert (place.host, place.port, place.prefix) == (host, port, prefix)
    assert place.headers == b"host: %b\r\nvia: 1.1 us\r\n" % header


# Keys and headers.


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_our_key_stays_here_and_its_own_goes_out(
    tmp_path: Path, engine: Path, stage: Stage, server: RemoteServer, header: str
) -> None:
    async with open_control_plane(tmp_path, engine, stage, api_key="ours") as plane:
        plane.http.headers["authorization"] = "Bearer ours"
        await put(plane, "box", server.url, api_key=" theirs ", key_header=header)
        sent = {"X-Api-Key": "ours", "Cookie": "a=b", "Referer": plane.address, "X-Kept": "1"}
        answer = await plane.post(CHAT, {"model": "box"}, headers=sent)
        asked = await server.asked.get()
        expected = {"authorization": "Bearer theirs", "x-api-key": "theirs"}[header]
        for seen in (asked, *server.listed):
            keys = {name: seen.headers.get(name) for name in ("authorization", "x-api-key")}
            assert keys == dict.fromkeys(keys, None) | {header: [expected]}
            assert "ours" not in json.dumps(seen.headers)
        assert asked.headers["host"] == [f"localhost:{server.port}"]
        assert asked.headers["x-kept"] == ["1"]
        assert not {"cookie", "referer", "origin"} & asked.headers.keys()
        assert answer.headers["x-theirs"] == "1"
        gone = {"set-cookie", "strict-transport-security", "alt-svc", "x-hop"}
        assert not gone & set(answer.headers)
        assert "never" not in answer.headers.get_list("date")
        assert "theirs" not in answer.headers.get_list("server")
        for path in ("/api/upstreams", "/api/activity", "/v1/models"):
            assert "theirs" not in (await plane.get(path)).text.replace("x-theirs", "")


async def test_one_without_a_key_gets_none(plane: ControlPlane, server: RemoteServer) -> None:
    await put(plane, "box", server.url)
    await plane.post(CHAT, {"model": "box"}, headers={"authorization": "Bearer mine"})
    assert not {"authorization", "x-api-key"} & (await server.asked.get()).headers.keys()


async def test_an_api_in_anthropics_shape_is_asked_for_its_models_as_it_wants(
    plane: ControlPlane, server: RemoteServer
) -> None:
    await put(plane, "box", server.url, api_key="k", key_header="x-api-key")
    (asked,) = server.listed
    assert asked.path == "/v1/models?limit=1000"
    assert asked.headers["anthropic-version"] == ["2023-06-01"]


# TLS.


@pytest.fixture
async def secure() -> AsyncIterator[RemoteServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    async with remote_server(tls=context) as server:
        yield server


async def test_tls(plane: ControlPlane, secure: RemoteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    assert (await put(plane, "box", secure.url))["models"] == ["m1"]
    for _ in range(3):
        assert (await plane.post(CHAT, {"model": "box"})).status_code == 200
    assert secure.connections == 1
    steps = secure.answer = Steps()
    async with plane.http.stream("POST", CHAT, json={"model": "box", "stream": True}) as response:
        steps.words.put_nowait("one")
        assert await anext(data_of(response)) == "one"
    async with asyncio.timeout(1):
        await secure.left.wait()


async def test_a_certificate_that_nobody_vouches_for(plane: ControlPlane, secure: RemoteServer) -> None:
    found = await put(plane, "box", secure.url, api_key="theirs", model="m1")
    assert found["reachable"] is False and "certificate verify failed" in found["problem"]
    answer = await plane.post(CHAT, {"model": "box"})
    assert answer.status_code == 502
    assert "certificate verify failed" in answer.json()["error"]["message"]
    assert secure.listed == [] and secure.asked.empty()


# Records and lists.


class DeepList(RemoteServer):
    async def list(self, writer: asyncio.StreamWriter) -> None:
        body = b'{"data": [], "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()


async def test_a_list_that_is_nested_beyond_sense(plane: ControlPlane) -> None:
    async with remote_server(kind=DeepList) as server:
        found = await put(plane, "box", server.url)
    assert found["reachable"] is True and found["models"] == []
    assert found["problem"].startswith("GET /v1/models answered no list of models")


async def test_lists_have_its_models(plane: ControlPlane, server: RemoteServer) -> None:
    server.models = ["m1", "org/m2"]
    await put(plane, "box", server.url, model="m0")
    listed = (await plane.get("/v1/models")).json()["data"]
    assert [(model["id"], model["owned_by"], model["status"]) for model in listed] == [
        ("box/m0", "box", "running"),
        ("box/m1", "box", "running"),
        ("box/org/m2", "box", "running"),
    ]
    assert (await plane.get("/v1/models/box/org/m2")).json() == listed[2]
    assert (await plane.get("/v1/models/box")).json() == listed[0]
    version = {"anthropic-version": "2023-06-01"}
    assert [m["id"] for m in (await plane.get("/v1/models", headers=version)).json()["data"]] == [
        model["id"] for model in listed
    ]


async def test_names_that_clients_invent_are_not_recorded_without_end(
    plane: ControlPlane, server: RemoteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remotes, "UNLISTED_MAX", 3)
    await put(plane, "box", server.url)
    for number in range(6):
        assert (await plane.post(CHAT, {"model": f"box/x{number}"})).status_code == 200
    await plane.post(CHAT, {"model": "box/x1"})
    await plane.post(CHAT, {"model": "box/m1"})
    await plane.services.recorder.flush()
    calls = (await plane.get("/api/activity")).json()["calls"]
    assert [call["model_id"] for call in reversed(calls)] == [
        "box/x0",
        "box/x1",
        "box/x2",
        "box",
        "box",
        "box",
        "box/x1",
        "box/m1",
    ]
    assert calls[2]["asked"] == "box/x5"


# Kept.


async def test_they_outlive_the_control_plane(
    tmp_path: Path, engine: Path, stage: Stage, server: RemoteServer
) -> None:
    async with open_control_plane(tmp_path, engine, stage) as plane:
        await put(plane, "box", server.url, api_key="theirs", key_header="x-api-key", model="m1")
        await put(plane, "other", server.url)
        await plane.http.delete("/api/upstreams/other")
        before = (await plane.get("/api/upstreams")).json()["upstreams"]
    async with open_control_plane(tmp_path, engine, stage) as plane:
        assert (await plane.post(CHAT, {"model": "box"})).status_code == 200
        assert (await server.asked.get()).headers["x-api-key"] == ["theirs"]
        known = plane.services.gateway.remotes
        await until(lambda: known.get("box").check is not None)
        after = (await plane.get("/api/upstreams")).json()["upstreams"]
        for each in (*before, *after):
            assert each.pop("checked_at")
        assert after == before and len(after) == 1


async def test_nobody_else_may_read_the_keys(tmp_path: Path, engine: Path, stage: Stage) -> None:
    store = tmp_path / "data" / "synapse.db"
    for _ in range(2):
        async with open_control_plane(tmp_path, engine, stage) as plane:
            await put(plane, "box", "http://127.0.0.1:9", api_key="theirs")
            files = list(store.parent.glob("synapse.db*"))
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        # As an earlier version may have left it.
        store.chmod(0o644)


# Another one of ours.


async def test_a_second_control_plane_as_an_upstream(
    tmp_path: Path, engine: Path, stage: Stage, plane: ControlPlane
) -> None:
    (tmp_path / "far").mkdir()
    async with (
        open_stage() as far_stage,
        open_control_plane(tmp_path / "far", engine, far_stage, api_key="theirs") as far,
    ):
        far.http.headers["authorization"] = "Bearer theirs"
        model_id = await far.add("Qwen-7B-Q4_K_M.gguf")
        variants = [{"name": "pirate", "system_prompt": "Arr."}]
        await far.patch(f"/api/models/{model_id}", {"enabled": True, "settings": {"variants": variants}})
        refused = await put(plane, "far", far.address)
        assert refused["reachable"] is True and refused["problem"].startswith("GET /v1/models answered 401")
        listed = (await put(plane, "far", far.address, api_key="theirs"))["models"]
        assert listed[:2] == [model_id, "pirate"] and "synapse/auto" in listed
        # Its model comes up for a request that came here.
        answer = await plane.post(CHAT, {"model": f"far/{model_id}", "n": 1})
        assert answer.json()["choices"][0]["message"]["content"] == f"{model_id} at your service"
        assert answer.json()["asked"] == {"model": model_id, "n": 1}
        asking = {"model": "far/pirate", "messages": [], "stream": True}
        async with plane.http.stream("POST", CHAT, json=asking) as response:
            assert [word async for word in data_of(response)][-1] == "[DONE]"
        unknown = await plane.post(CHAT, {"model": "far/nobody"})
        assert unknown.status_code == 404 and "Model not found: nobody" in unknown.json()["error"]["message"]
        calls = [await each.last_call() for each in (plane, far)]
        assert [call["model_id"] for call in calls] == ["far/nobody", None]
        await far.services.fleet.stop(model_id)
        held = await plane.post("/v1/messages", {"model": f"far/{model_id}"})
        assert (held.status_code, held.json()["error"]["type"]) == (503, "overloaded_error")
        assert held.headers["retry-after"] == "1"
