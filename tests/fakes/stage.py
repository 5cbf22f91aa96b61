"""Where fake engines play: tests wait for what they report and tell them what to do next.

Every fake that plays here has ended when the stage closes.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HELP = Path(__file__).parent.parent / "launch" / "llama_server_help.txt"
# The shell answers what is asked of every engine at first: a Python takes ten times as long.
ENGINE = """#!/bin/sh
case "$1" in
--version) echo "version: 0.0.9-fake (build 9, commit 1234567)" ;;
--help) exec cat "{help}" ;;
--list-devices) echo "Available devices:"; cat "$0.devices" 2> /dev/null || echo "  (none)" ;;
*) exec "{python}" -S -E "{script}" "$@" ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a fake engine does with one model.

    log: printed at once; exit_code: ends with it at once. The rest waits for `Actor.tell`, or does what
    its name says. pace_seconds: between the chunks of a stream. refuses: the status of its
    every answer. slot_tokens: the context of one slot.
    hands_over_to: the Unix socket where others take every connection over that is not a health check.
    events: a stream's, in place of counted words. reply: what it answers where it does not stream, or
    where the status is another than 200.
    cached_tokens: of each slot's prompt cache.
    """

    log: list[str] = field(default_factory=list)
    exit_code: int | None = None
    loads_when_told: bool = False
    answers_when_told: bool = False
    streams_when_told: bool = False
    ignores_sigterm: bool = False
    leaves_a_child: bool = False
    chunks: int = 3
    refuses: int | None = None
    pace_seconds: float = 0.0
    cached_tokens: int = 0
    ignores_restore: bool = False
    slot_tokens: int = 4096
    hands_over_to: str | None = None
    events: list[dict[str, Any]] | None = None
    reply: dict[str, Any] | None = None
    status: int = 200

    def write(self, model: Path, stage: Path | None) -> None:
        """Put it beside the model, where the fake engine looks."""
        content = asdict(self) | ({"stage": str(stage)} if stage else {})
        Path(f"{model}.behaviour.json").write_text(json.dumps(content))


class Actor:
    """One spawned fake engine."""

    def __init__(self, spawned: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self.model = Path(spawned["model"])
        self.pid: int = spawned["pid"]
        self.port: int = spawned["port"]
        self.argv: list[str] = spawned["argv"]
        self._writer = writer
        self._events: dict[str, asyncio.Queue[dict[str, Any]]] = {}

    async def saw(self, event: str) -> dict[str, Any]:
        """The next report of that kind, as `listening`, `request`, `client left`, `sigterm` or `refusing`."""
        return await self._queue(event).get()

    def count(self, event: str) -> int:
        """Reports of that kind which were not yet waited for."""
        return self._queue(event).qsize()

    def tell(self, do: str, **details: Any) -> None:
        """`ready`, `go on` (one more answer or chunk), `cut` (break the connection off), `refuse` (more)."""
        self._writer.write(json.dumps({"do": do, **details}).encode() + b"\n")

    def die(self, exit_code: int = 1, *log: str) -> None:
        self.tell("die", exit_code=exit_code, log=log)

    def report(self, event: dict[str, Any]) -> None:
        self._queue(event["event"]).put_nowait(event)

    def _queue(self, event: str) -> asyncio.Queue[dict[str, Any]]:
        return self._events.setdefault(event, asyncio.Queue())


class Stage:
    """A Unix socket that every fake engine with its path reports to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.actors: list[Actor] = []
        self._arrivals: dict[str, asyncio.Queue[Actor]] = {}
        self._writers: list[asyncio.StreamWriter] = []

    async def enter(self, model: Path) -> Actor:
        """The next fake engine that is spawned for the model."""
        return await self._arriving(str(model)).get()

    def spawns(self, model: Path) -> int:
        """How often one has been spawned for the model so far."""
        return sum(actor.model == model for actor in self.actors)

    def _arriving(self, model: str) -> asyncio.Queue[Actor]:
        return self._arrivals.setdefault(model, asyncio.Queue())

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            actor = Actor(json.loads(await reader.readline()), writer)
            self.actors.append(actor)
            self._arriving(str(actor.model)).put_nowait(actor)
            while line := await reader.readline():
                actor.report(json.loads(line))
            actor.report({"event": "gone"})
        except (ConnectionError, ValueError):
            return
        finally:
            writer.close()

    def _close(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    # Not below tmp_path: a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="stage-") as folder:
        stage = Stage(Path(folder, "socket"))
        server = await asyncio.start_unix_server(stage._welcome, stage.path, limit=1 << 26)
        try:
            yield stage
        finally:
            server.close()
            stage._close()
            await server.wait_closed()


def write_engine(path: Path, python: str) -> Path:
    """An executable at `path` that is the fake llama-server, run by that Python.

    It sees the GPUs in the file `path`.devices, a line each as llama-server lists them.
    """
    script = Path(__file__).with_name("llama_server.py")
    path.write_text(ENGINE.format(python=python, script=script, help=HELP))
    os.chmod(path, 0o755)
    return path
