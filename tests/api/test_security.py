"""Who may call: every combination of Host, Origin, key and address."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.stage import Stage

from synapse_engine.api.security import Guard
from synapse_engine.client import Client
from synapse_engine.settings import Settings

LOCAL: dict[str, Any] = {}
KEYED: dict[str, Any] = {"api_key": "s3cret"}
WILDCARD: dict[str, Any] = {"host": "0.0.0.0", "api_key": "s3cret"}
WILDCARD6: dict[str, Any] = {"host": "::", "insecure": True}
LAN: dict[str, Any] = {"host": "192.168.1.5", "insecure": True}
NAMED: dict[str, Any] = {
    "allowed_hosts": ("Box.local", "proxy.example:8443"),
    "allowed_origins": ("https://app.example/", "chrome-extension://abc"),
}


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("in")


async def ask(
    settings: dict[str, Any], path: str, headers: dict[str, str], scheme: str = "http"
) -> httpx.Response:
    app = Starlette(routes=[Route("/{path:path}", hello)])
    guard = Guard(app, Settings(**settings))
    transport = httpx.ASGITransport(app=guard)
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://localhost:8000") as client:
        return await client.get(path, headers=headers)


HOSTS = [
    (LOCAL, "127.0.0.1:8000", True),
    (LOCAL, "127.0.0.1", True),
    (LOCAL, "localhost:8000", True),
    (LOCAL, "LOCALHOST:8000", True),
    (LOCAL, "[::1]:8000", True),
    (LOCAL, "[::1]", True),
    (LOCAL, "evil.example:8000", False),
    (LOCAL, "localhost.evil.example", False),
    (LOCAL, "127.0.0.1.nip.io:8000", False),
    (LOCAL, "192.168.1.5:8000", False),
    (LOCAL, "", False),
    (LOCAL, "[::1", False),
    (LOCAL, "[evil]", False),
    (LOCAL, ":8000", False),
    (WILDCARD6, "192.168.1.5:8000", True),
    (WILDCARD6, "[2001:db8::1]:8000", True),
    (WILDCARD6, "[fe80::1%25eth0]:8000", True),
    (WILDCARD6, "localhost:8000", True),
    (WILDCARD6, "box.local:8000", False),
    (WILDCARD6, "evil.example", False),
    (LAN, "192.168.1.5:8000", True),
    (LAN, "box.local:8000", False),
    (NAMED, "box.local:8000", True),
    (NAMED, "BOX.local", True),
    (NAMED, "proxy.example", True),
    (NAMED, "other.local", False),
]


@pytest.mark.parametrize(("settings", "host", "is_in"), HOSTS)
async def test_host(settings: dict[str, Any], host: str, is_in: bool) -> None:
    response = await ask(settings, "/health", {"Host": host})
    assert response.status_code == (200 if is_in else 403)
    if not is_in:
        assert response.json()["error"] == f"Host not allowed: {host}"
        assert "SYNAPSE_ALLOWED_HOSTS" in response.json()["detail"]


ORIGINS = [
    (LOCAL, "localhost:8000", "http://localhost:8000", True),
    (LOCAL, "127.0.0.1:8000", "http://127.0.0.1:8000", True),
    (LOCAL, "[::1]:8000", "http://[::1]:8000", True),
    (LOCAL, "localhost", "http://localhost", True),
    (LOCAL, "localhost:80", "http://localhost", True),
    (LOCAL, "LOCALHOST:8000", "http://localhost:8000", True),
    (LOCAL, "localhost", "https://localhost:443", False),
    (LOCAL, "localhost:8000", "https://localhost:8000", False),
    (LOCAL, "localhost:8000", "localhost:8000", False),
    (LOCAL, "localhost:80", "https://localhost", False),
    (LOCAL, "localhost:8000", "http://localhost:3000", False),
    (LOCAL, "localhost:8000", "http://127.0.0.1:8000", False),
    (LOCAL, "localhost:8000", "https://evil.example", False),
    (LOCAL, "localhost:8000", "http://localhost:8000.evil.example", False),
    (LOCAL, "localhost:8000", "null", False),
    (LOCAL, "localhost:8000", "", False),
    (LOCAL, "localhost:8000", "http://[::1", False),
    (LOCAL, "localhost:8000", "file://", False),
    (NAMED, "localhost:8000", "https://app.example", True),
    (NAMED, "localhost:8000", "chrome-extension://abc", True),
    (NAMED, "localhost:8000", "https://app.example.evil", False),
    (NAMED, "localhost:8000", "null", False),
    (WILDCARD6, "192.168.1.5:8000", "http://192.168.1.5:8000", True),
    (WILDCARD6, "192.168.1.5:8000", "http://192.168.1.6:8000", False),
]


@pytest.mark.parametrize(("settings", "host", "origin", "is_in"), ORIGINS)
async def test_origin(settings: dict[str, Any], host: str, origin: str, is_in: bool) -> None:
    response = await ask(settings, "/health", {"Host": host, "Origin": origin})
    assert response.status_code == (200 if is_in else 403)
    if not is_in:
        assert response.json()["error"] == f"Origin not allowed: {origin}"
        assert "SYNAPSE_ALLOWED_ORIGINS" in response.json()["detail"]


BEHIND_TLS = [
    ("localhost", "https://localhost", True),
    ("localhost:443", "https://localhost", True),
    ("localhost:8443", "https://localhost:8443", True),
    ("localhost", "http://localhost", False),
    ("localhost:8443", "http://localhost:8443", False),
]


@pytest.mark.parametrize(("host", "origin", "is_in"), BEHIND_TLS)
async def test_origin_behind_a_proxy_that_speaks_tls(
    plane: ControlPlane, host: str, origin: str, is_in: bool
) -> None:
    """Over real HTTP: the scheme is what the proxy on this machine says."""
    headers = {"Host": host, "Origin": origin, "X-Forwarded-Proto": "https"}
    assert (await plane.get("/health", headers=headers)).status_code == (200 if is_in else 403)


KEYS = [
    ({}, False),
    ({"Authorization": "Bearer s3cret"}, True),
    ({"Authorization": "bearer s3cret"}, True),
    ({"Authorization": "Bearer  s3cret "}, True),
    ({"X-Api-Key": "s3cret"}, True),
    ({"Authorization": "Basic czNjcmV0", "X-Api-Key": "s3cret"}, True),
    ({"Authorization": "Bearer wrong"}, False),
    ({"Authorization": "Bearer another's", "X-Api-Key": "s3cret"}, True),
    ({"Authorization": "Bearer s3cret", "X-Api-Key": "another's"}, True),
    ({"Authorization": "Bearer wrong", "X-Api-Key": "wrong too"}, False),
    ({"Authorization": "Bearer"}, False),
    ({"Authorization": "Basic s3cret"}, False),
    ({"Authorization": "s3cret"}, False),
    ({"X-Api-Key": ""}, False),
    ({"X-Api-Key": "s3cret2"}, False),
    ({"X-Api-Key": "s3cre"}, False),
    ({"Cookie": "key=s3cret"}, False),
]


@pytest.mark.parametrize("settings", [KEYED, WILDCARD])
@pytest.mark.parametrize(("headers", "is_in"), KEYS)
async def test_key(settings: dict[str, Any], headers: dict[str, str], is_in: bool) -> None:
    response = await ask(settings, "/api/system", headers)
    assert response.status_code == (200 if is_in else 401)
    if not is_in:
        assert response.json()["error"] == "API key missing or wrong"
        assert "SYNAPSE_API_KEY" in response.json()["detail"]


# key, and what of it is sent in both ways: à ends in UTF-8 with a byte that Latin-1 takes for a blank
OTHER_LETTERS = [("schlüssel", ["utf-8", "latin-1"]), ("voilà", ["utf-8", "latin-1"]), ("ключ", ["utf-8"])]


@pytest.mark.parametrize(("key", "encodings"), OTHER_LETTERS)
async def test_a_key_of_other_letters(
    tmp_path: Path, engine: Path, stage: Stage, key: str, encodings: list[str]
) -> None:
    """Over real HTTP, as the bytes that browsers (Latin-1) and shells (UTF-8) send; and by our own shell."""
    async with open_control_plane(tmp_path, engine, stage, api_key=key) as plane:
        for encoding in encodings:
            sent = key.encode(encoding)
            for headers in ({b"X-Api-Key": sent}, {b"Authorization": b"Bearer " + sent}):
                assert (await plane.get("/api/system", headers=headers)).status_code == 200
        wrong = {b"X-Api-Key": key.encode()[:-1]}
        assert (await plane.get("/api/system", headers=wrong)).status_code == 401
        client = Client(plane.settings)
        with closing(client._http):
            called = await asyncio.to_thread(client.call, "GET", "/api/system")
        assert called["api_key_required"]


OPEN = ["/", "/icon.svg", "/assets/index.js", "/health", "/health/ready"]
CLOSED = [
    "/api/system",
    "/api/models/registry",
    "/v1/models",
    "/docs",
    "/openapi.json",
    "/metrics",
    "/new",
    "/v1",
]


@pytest.mark.parametrize("path", OPEN + CLOSED)
async def test_which_paths_need_the_key(path: str) -> None:
    assert (await ask(KEYED, path, {})).status_code == (200 if path in OPEN else 401)
    assert (await ask(LOCAL, path, {})).status_code == 200


async def test_the_host_is_checked_before_the_key() -> None:
    response = await ask(KEYED, "/api/system", {"Host": "evil.example", "Authorization": "Bearer s3cret"})
    assert response.status_code == 403


async def test_refusals_under_v1_have_openais_shape() -> None:
    response = await ask(KEYED, "/v1/models", {})
    assert response.status_code == 401
    error = response.json()["error"]
    assert error["code"] == "unauthorized"
    assert error["message"].startswith("API key missing or wrong. Send the value of SYNAPSE_API_KEY")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/x", "/v1/messages"])
async def test_refusals_of_anthropics_clients_have_anthropics_shape(path: str) -> None:
    response = await ask(KEYED, path, {"anthropic-version": "2023-06-01"})
    assert response.status_code == 401
    assert (response.json()["type"], response.json()["error"]["type"]) == ("error", "authentication_error")
