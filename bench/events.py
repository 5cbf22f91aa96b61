"""How long a server's change of state takes to reach the listeners of `/api/events`.

The whole application over real HTTP with servers that are only said to exist; the listeners are a process of
their own. One more client opens the stream and never reads it.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import sys
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import uvloop

from bench.control_plane import free_port
from bench.sidebyside import print_machine
from synapse_engine.api.services import Services
from synapse_engine.app import wire
from synapse_engine.catalog.discovery import Scan
from synapse_engine.catalog.model import Model, Tier
from synapse_engine.datafolder import DataFolder
from synapse_engine.fleet.life import Failure
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.listening import http_server, listen
from synapse_engine.settings import Settings

SERVERS, CLIENTS, CHANGES_PER_SECOND = 200, 20, 100
BUDGET_MS = 100


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        delays = uvloop.run(measure(Path(folder), seconds))
    delays.sort()
    expected = int(seconds * CHANGES_PER_SECOND) * CLIENTS
    print(f"{SERVERS} servers, {CLIENTS} clients and a stalled one, {CHANGES_PER_SECOND} changes/s")
    print(f"  {len(delays)} of {expected} arrived")
    for name, share in (("median", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        print(f"  {name:7} {delays[int(share * len(delays))] * 1e3:7.2f} ms")
    print(f"  {'longest':7} {delays[-1] * 1e3:7.2f} ms   (budget for the p99: {BUDGET_MS} ms)")


async def measure(folder: Path, seconds: float) -> list[float]:
    settings = Settings(port=free_port(), data_dir=folder, scan_defaults=False)
    with listen(settings) as listener:
        async with wire(settings, DataFolder(folder)) as (services, application):
            serving = asyncio.create_task(
                http_server(application, services.gateway).serve(sockets=[listener])
            )
            servers = await invent(services)
            ours, theirs = multiprocessing.Pipe()
            clients = multiprocessing.Process(target=hear, args=(settings.port, theirs))
            clients.start()
            with socket.create_connection(("127.0.0.1", settings.port)) as stalled:
                stalled.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                await asyncio.to_thread(ours.recv)
                await change(services, servers, seconds)
                await asyncio.sleep(1)
                services.live.bus.close()
                delays: list[float] = await asyncio.to_thread(ours.recv)
            clients.join()
            serving.cancel()
            await asyncio.wait({serving})
            return delays


async def invent(services: Services) -> list[Server]:
    models = tuple(
        Model(
            identity=f"/m/{number}.gguf",
            files=(f"/m/{number}.gguf",),
            file_size_bytes=1,
            stem=f"m{number}",
            base_id=f"m{number}",
            display_name=f"M {number}",
            family="m",
            tier=Tier.FAST,
        )
        for number in range(SERVERS)
    )
    await services.registry.record_scan(Scan(models=models, skipped=(), roots=(), seconds=0.0))
    return [services.fleet._ensure_servers(model_id, 1)[0] for model_id in services.registry.entries]


async def change(services: Services, servers: list[Server], seconds: float) -> None:
    """One server after the other changes, and says when in its last error."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(int(seconds * CHANGES_PER_SECOND)):
        await asyncio.sleep(began + number / CHANGES_PER_SECOND - loop.time())
        server = servers[number % len(servers)]
        server.state = State.BACKOFF if server.state is State.READY else State.READY
        server.failure = Failure("changed", repr(time.monotonic()), datetime.now(UTC))
        services.live.changes.server(server.server_id)


def hear(port: int, parent: Connection) -> None:
    parent.send(uvloop.run(_hear(port, parent)))


async def _hear(port: int, parent: Connection) -> list[float]:
    delays: list[float] = []
    connected = asyncio.Semaphore(0)

    async def listen_to(session: aiohttp.ClientSession) -> None:
        async with session.get(f"http://127.0.0.1:{port}/api/events") as response:
            async for line in response.content:
                if line.startswith(b"event: snapshot"):
                    connected.release()
                elif line.startswith(b'data: {"model_id"') and b'"changed"' in line:
                    at = time.monotonic()
                    delays.append(at - float(json.loads(line[6:])["last_error"]["detail"]))

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), read_bufsize=1 << 22, timeout=aiohttp.ClientTimeout()
    ) as session:
        listening = [asyncio.create_task(listen_to(session)) for _ in range(CLIENTS)]
        for _ in range(CLIENTS):
            await connected.acquire()
        parent.send("listening")
        await asyncio.wait(listening)
    return delays


if __name__ == "__main__":
    main()
