"""`/api/upstreams`: what may be put, what is told of it, and what becomes of keys."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.listener import listening
from tests.fakes.ports import free_port
from tests.fakes.remote import Asked, RemoteServer, begin_stream, remote_server, say, stream
from tests.fakes.stage import Stage

from synapse_engine.errors import CouldNotSave, StoreFailed
from synapse_engine.gateway import remotes, survey
from synapse_engine.gateway.remote import Remote

BOX = "/api/upstreams/box"


async def known(plane: ControlPlane) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await plane.get("/api/upstreams")).json()["upstreams"]
    return found


def is_reachable(data: Any) -> Any:
    """Of the first one that an event tells."""
    return data["upstreams"] and data["upstreams"][0]["reachable"]


async def test_put_list_replace_remove(plane: ControlPlane) -> None:
    assert await known(plane) == []
    async with remote_server(models=["m1", "m2", "m1"]) as server:
        put = await plane.http.put(BOX, json={"url": server.url, "api_key": "secret"})
        assert put.status_code == 200
        checked_at = put.json().pop("checked_at")
        assert checked_at is not None
        assert put.json() == {
            "name": "box",
            "url": server.url,
            "has_key": True,
            "key_header": "authorization",
            "model": None,
            "reachable": True,
            "models": ["m1", "m2"],
            "problem": None,
            "checked_at": checked_at,
        }
        assert await known(plane) == [put.json()]
        await plane.http.put("/api/upstreams/a-first", json={"url": server.url})
        replaced = await plane.http.put(BOX, json={"url": f"{server.url}/x/v1", "model": "m2"})
        assert (replaced.json()["url"], replaced.json()["model"]) == (f"{server.url}/x/v1", "m2")
        assert [each["name"] for each in await known(plane)] == ["a-first", "box"]
    removed = await plane.http.delete(BOX)
    assert removed.json() == {"message": "Upstream removed: box", "name": "box"}
    assert [each["name"] for each in await known(plane)] == ["a-first"]
    for answer in (await plane.http.delete(BOX), await plane.http.delete("/api/upstreams/nobody")):
        assert answer.status_code == 404
        assert answer.json()["error"].startswith("No upstream of that name: ")


URL = "http://127.0.0.1:9"
REFUSED: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "no url": ("box", {}, 422, "Invalid request"),
    "an unknown field": ("box", {"url": URL, "key": "x"}, 422, "Invalid request"),
    "another header": ("box", {"url": URL, "key_header": "cookie"}, 422, "Invalid request"),
    "a tier's name": ("fast", {"url": URL}, 422, "Reserved name: fast"),
    "auto": ("auto", {"url": URL}, 422, "Reserved name: auto"),
    "capitals": ("Box", {"url": URL}, 422, "Bad name of an upstream: Box"),
    "a dot first": (".x", {"url": URL}, 422, "Bad name of an upstream: .x"),
    "a dash first": ("-x", {"url": URL}, 422, "Bad name of an upstream: -x"),
    "a colon": ("a:b", {"url": URL}, 422, "Bad name of an upstream: a:b"),
    "a long name": ("a" * 65, {"url": URL}, 422, "Bad name of an upstream"),
    "another scheme": ("box", {"url": "ftp://host"}, 422, "Bad URL"),
    "no scheme": ("box", {"url": "host:8000"}, 422, "Bad URL"),
    "no host": ("box", {"url": "http://:80"}, 422, "Bad URL"),
    "a port that is none": ("box", {"url": "http://host:99999"}, 422, "Bad URL"),
    "port 0": ("box", {"url": "http://host:0"}, 422, "Bad URL"),
    "a password": ("box", {"url": "http://me:pw@host"}, 422, "Bad URL"),
    "a query": ("box", {"url": "http://host/?a=1"}, 422, "Bad URL"),
    "a fragment": ("box", {"url": "http://host/#a"}, 422, "Bad URL"),
    "a space": ("box", {"url": "http://host/a b"}, 422, "Bad URL"),
    "a new line": ("box", {"url": "http://host/\r\nx: y"}, 422, "Bad URL"),
    "beyond ASCII": ("box", {"url": "http://höst"}, 422, "Bad URL"),
    "half an IPv6 address": ("box", {"url": "http://[::1"}, 422, "Bad URL"),
    "a long url": ("box", {"url": "http://host/" + "a" * 2050}, 422, "Bad URL"),
    "a key of two lines": ("box", {"url": URL, "api_key": "a\r\nx: y"}, 422, "Bad key of box"),
    "a key beyond ASCII": ("box", {"url": URL, "api_key": "kéy"}, 422, "Bad key of box"),
    "no model": ("box", {"url": URL, "model": ""}, 422, "Bad model of box"),
    "a model of two lines": ("box", {"url": URL, "model": "a\nb"}, 422, "Bad model of box"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused(plane: ControlPlane, case: str) -> None:
    name, body, status, error = REFUSED[case]
    answer = await plane.http.put(f"/api/upstreams/{name}", json=body)
    assert (answer.status_code, answer.json()["error"][: len(error)]) == (status, error)
    assert await known(plane) == []


# Keys.


async def key_sent(plane: ControlPlane, server: RemoteServer, **body: Any) -> str | None:
    server.listed.clear()
    put = await plane.http.put(BOX, json={"url": server.url, **body})
    values = server.listed[0].headers.get("authorization", [])
    assert put.json()["has_key"] == bool(values)
    return values[0] if values else None


async def test_a_key_stays_until_it_is_said_otherwise(plane: ControlPlane) -> None:
    async with remote_server() as server:
        assert await key_sent(plane, server) is None
        assert await key_sent(plane, server, api_key="k1") == "Bearer k1"
        assert await key_sent(plane, server) == "Bearer k1"
        assert await key_sent(plane, server, url=f"{server.url}/v1", model="x") == "Bearer k1"
        assert await key_sent(plane, server, api_key=" k2 ") == "Bearer k2"
        assert await key_sent(plane, server, api_key=None) is None
        await key_sent(plane, server, api_key="k3")
        assert await key_sent(plane, server, api_key="") is None


@pytest.mark.parametrize("change", ["another port", "another host"])
async def test_a_key_is_not_sent_to_another_host(plane: ControlPlane, change: str) -> None:
    async with remote_server() as server, remote_server() as other:
        await key_sent(plane, server, api_key="k1")
        elsewhere = other.url if change == "another port" else server.url.replace("localhost", "127.0.0.1")
        put = await plane.http.put(BOX, json={"url": elsewhere})
        assert put.json()["has_key"] is False
        assert all("authorization" not in asked.headers for asked in (*other.listed, *server.listed[1:]))


# What is found there.


async def answer_with(plane: ControlPlane, answer: Any) -> dict[str, Any]:
    """What a PUT finds where that is the answer to `/v1/models`."""

    class Odd(RemoteServer):
        async def list(self, writer: asyncio.StreamWriter) -> None:
            await answer(writer)

    async with remote_server(kind=Odd) as server:
        found: dict[str, Any] = (await plane.http.put(BOX, json={"url": server.url})).json()
        return found


async def test_a_list_that_is_none(plane: ControlPlane) -> None:
    contents: list[object] = [[], {"data": 3}, {"data": [{"name": "x"}]}, {"models": []}]
    for content in contents:
        found = await answer_with(plane, partial(say, content=content))
        assert (found["reachable"], found["models"]) == (True, [])
        assert found["problem"].startswith("GET /v1/models answered no list of models: ")


async def test_a_list_that_is_nested_beyond_sense(plane: ControlPlane) -> None:
    deep = b'{"data": [{"id": "x", "y": %b}]}' % (b"[" * 10_000 + b"]" * 10_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(deep)

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head + deep)

    found = await answer_with(plane, answer)
    assert found["problem"].startswith("GET /v1/models answered no list of models: ")


async def test_names_that_are_none_are_left_out(plane: ControlPlane) -> None:
    data = [{"id": name} for name in ("ok", "", "a\nb", "x" * 301, " a")]
    found = await answer_with(plane, lambda writer: say(writer, {"data": data}))
    assert found["models"] == ["ok"]


async def test_a_status_that_is_not_200(plane: ControlPlane) -> None:
    refusal = {"error": {"message": "wrong key"}}
    found = await answer_with(plane, lambda writer: say(writer, refusal, status="401 Unauthorized"))
    assert (found["reachable"], found["problem"]) == (True, "GET /v1/models answered 401: wrong key")
    found = await answer_with(plane, lambda writer: say(writer, 3, "Location: /x\r\n", "301 Moved"))
    assert found["problem"] == "GET /v1/models answered 301"


async def test_one_that_says_nothing(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "ANSWER_SECONDS", 0.1)

    async def silence(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def beginning(writer: asyncio.StreamWriter) -> None:
        await begin_stream(writer)
        await silence(writer)

    for answer, is_reachable in ((silence, False), (beginning, True)):
        found = await answer_with(plane, answer)
        assert (found["reachable"], found["models"]) == (is_reachable, [])
        assert found["problem"] == "GET /v1/models was not answered in 0 s"


async def test_one_that_never_ends(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "ANSWER_BYTES", 100_000)

    async def flood(writer: asyncio.StreamWriter) -> None:
        await begin_stream(writer)
        while True:
            await stream(writer, " " * 50_000)

    found = await answer_with(plane, flood)
    assert (found["reachable"], found["models"]) == (True, [])


async def test_each_is_asked_again_and_again(
    tmp_path: Path, engine: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remotes, "CHECK_AGAIN_SECONDS", 0.05)
    port = free_port()
    async with open_control_plane(tmp_path, engine, stage) as plane, listening(plane.http) as page:
        await plane.http.put(BOX, json={"url": f"http://localhost:{port}"})
        await page.next(
            "upstreams", lambda data: [each["reachable"] for each in data["upstreams"]] == [False]
        )
        async with remote_server(port):
            heard = await page.next("upstreams", is_reachable)
            assert heard.data["upstreams"][0]["models"] == ["m1"]
        await page.next("upstreams", lambda data: is_reachable(data) is False)


# Told.


async def test_changes_are_told(plane: ControlPlane) -> None:
    async with remote_server() as server, listening(plane.http) as page:
        assert (await page.next("upstreams")).data == {"upstreams": []}
        await plane.http.put(BOX, json={"url": server.url, "api_key": "secret"})
        heard = await page.next(
            "upstreams", lambda data: data["upstreams"] and data["upstreams"][0]["models"]
        )
        assert heard.data["upstreams"] == await known(plane)
        assert heard.id is None and "secret" not in str(heard.data)
        async with listening(plane.http) as newcomer:
            assert (await newcomer.next("upstreams")).data == heard.data
        await plane.http.delete(BOX)
        assert (await page.next("upstreams")).data == {"upstreams": []}


async def test_what_cannot_be_saved_has_not_changed(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with remote_server() as server:
        await plane.http.put(BOX, json={"url": server.url})
        before = await known(plane)
        store = plane.services.recorder.store

        async def full(_: object) -> None:
            raise StoreFailed("synapse.db", "disk is full")

        monkeypatch.setattr(store, "run", full)
        for answer in (await plane.http.put(BOX, json={"url": URL}), await plane.http.delete(BOX)):
            assert answer.status_code == CouldNotSave.status
            assert answer.json()["error"] == "Could not save"
        assert await known(plane) == before
        assert (await plane.post("/v1/completions", {"model": "box"})).status_code == 200
        monkeypatch.undo()


async def test_a_key_is_needed(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage, api_key="ours") as plane:
        assert (await plane.get("/api/upstreams")).status_code == 401
        assert (await plane.http.put(BOX, json={"url": URL})).status_code == 401


def test_a_key_is_in_no_repr() -> None:
    assert "secret" not in repr(Remote("box", URL, "secret"))


async def test_one_that_is_removed_finishes_what_it_answers(plane: ControlPlane) -> None:
    go_on = asyncio.Event()

    async def answer(server: RemoteServer, asked: Asked, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await say(writer, {"done": True})

    async with remote_server(answer=answer) as server:
        await plane.http.put(BOX, json={"url": server.url})
        asking = asyncio.create_task(plane.post("/v1/completions", {"model": "box"}))
        await server.asked.get()
        await plane.http.delete(BOX)
        go_on.set()
        assert (await asking).json() == {"done": True}
        assert (await plane.post("/v1/completions", {"model": "box"})).status_code == 404
