"""The shell's way to the control plane: its API over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

from synapse_engine.errors import SynapseError, Unreachable
from synapse_engine.settings import Settings

CONNECT_SECONDS = 5.0


class Answered(SynapseError):
    """The control plane answered with an error."""


class Client:
    """Calls `/api/*`. A start may take minutes, so an answer is waited for without a limit."""

    def __init__(self, settings: Settings) -> None:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
        host = f"[{host}]" if ":" in host else host
        self._address = f"http://{host}:{settings.port}"
        headers = {}
        if settings.api_key is not None:
            headers[b"Authorization"] = f"Bearer {settings.api_key.get_secret_value()}".encode()
        self._http = httpx.Client(
            base_url=self._address,
            headers=headers,
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            trust_env=False,
        )

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON. Raises Unreachable, Answered."""
        return self._answer(method, path, body).json()

    def text(self, path: str) -> str:
        """What is there, as it is. Raises Unreachable, Answered."""
        return self._answer("GET", path, None).text

    def events(self, path: str, body: object = None) -> Iterator[tuple[str, Any]]:
        """Server-sent events, name and JSON, until they end. With a body it is posted.

        Raises Unreachable, Answered.
        """
        method, headers = "GET" if body is None else "POST", {"Accept": "text/event-stream"}
        try:
            with self._http.stream(method, path, json=body, headers=headers) as response:
                if response.is_error:
                    response.read()
                    raise _answered(response)
                name = ""
                for line in response.iter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        yield name, json.loads(line.removeprefix("data: "))
        except httpx.TransportError as error:
            raise Unreachable(self._address) from error

    def _answer(self, method: str, path: str, body: object) -> httpx.Response:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise Unreachable(self._address) from error
        if response.is_error:
            raise _answered(response)
        return response


def _answered(response: httpx.Response) -> Answered:
    try:
        body = response.json()
        return Answered(str(body["error"]), str(body["detail"]))
    except (ValueError, KeyError, TypeError):
        return Answered(f"HTTP {response.status_code}", response.text[:500])
