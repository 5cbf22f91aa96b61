"""A reader of server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Heard:
    """One event, as a browser would have it."""

    id: int | None
    event: str
    data: Any


class Listener:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self, event: str | None = None, where: Callable[[Any], bool] = lambda data: True) -> Heard:
        """The next event, of that kind, whose data is as wanted; the others are passed over."""
        while True:
            heard = await self._read()
            if event in (None, heard.event) and where(heard.data):
                return heard

    async def _read(self) -> Heard:
        fields: dict[str, str] = {}
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if line and name:
                fields[name] = value
            elif "data" in fields:
                number = int(fields["id"]) if "id" in fields else None
                return Heard(number, fields["event"], json.loads(fields["data"]))
        raise EOFError


@asynccontextmanager
async def listening(
    http: httpx.AsyncClient, path: str = "/api/events", **headers: str
) -> AsyncIterator[Listener]:
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.stream("GET", path, headers={"Accept": "text/event-stream"} | asked) as response:
        response.raise_for_status()
        yield Listener(response)
