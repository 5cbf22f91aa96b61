"""The whole application in this process, over real HTTP, with the fake engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.fakes.ports import free_port, free_ports
from tests.fakes.rig import assert_no_process_left, until
from tests.fakes.stage import Actor, Behaviour, Stage
from tests.gguf_files import build_file

from synapse_engine.api.services import Services
from synapse_engine.app import boot, wire
from synapse_engine.datafolder import DataFolder
from synapse_engine.listening import http_server, listen
from synapse_engine.settings import Settings


@dataclass
class ControlPlane:
    """Attributes to use: http (a client of it), services, settings, stage, models (the folder)."""

    http: httpx.AsyncClient
    services: Services
    settings: Settings
    stage: Stage
    models: Path

    @property
    def address(self) -> str:
        return f"http://{self.settings.host}:{self.settings.port}"

    async def boot(self) -> None:
        await boot(self.services)

    async def add(self, file_name: str, behaviour: Behaviour | None = None, **keys: Any) -> str:
        """A model file that is found by a rescan; answers its id."""
        path = self.path(file_name)
        before = set(self.services.registry.entries)
        write_model(path, **keys)
        (behaviour or Behaviour()).write(path, self.stage.path)
        await self.services.scanner.rescan()
        (model_id,) = set(self.services.registry.entries) - before
        return model_id

    def path(self, file_name: str) -> Path:
        return self.models / file_name

    async def start(self, model_id: str) -> Actor:
        (await self.post(f"/api/models/servers/{model_id}/start")).raise_for_status()
        return await self.enter(model_id)

    async def enter(self, model_id: str) -> Actor:
        return await self.stage.enter(Path(self.services.registry.get(model_id).model.path))

    async def last_calls(self, count: int) -> list[dict[str, Any]]:
        """The records of what ended last, newest first; once all have ended."""
        await until(lambda: not self.services.recorder.activity.live)
        await self.services.recorder.flush()
        calls: list[dict[str, Any]] = (await self.get(f"/api/activity?limit={count}")).json()["calls"]
        return calls

    async def last_call(self) -> dict[str, Any]:
        (call,) = await self.last_calls(1)
        return call

    async def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return await self.http.get(path, **kwargs)

    async def post(self, path: str, body: object = None, **kwargs: Any) -> httpx.Response:
        return await self.http.post(path, json=body, **kwargs)

    async def patch(self, path: str, body: object) -> httpx.Response:
        return await self.http.patch(path, json=body)


def write_model(path: Path, **keys: Any) -> Path:
    """A GGUF whose header is whole; the fake engine asks for no more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"general.architecture": "llama", "llama.context_length": 4096, **keys}
    path.write_bytes(build_file({name.replace("__", "."): value for name, value in facts.items()}))
    return path


@asynccontextmanager
async def open_control_plane(
    folder: Path, engine: Path, stage: Stage, *, booted: bool = True, **settings: Any
) -> AsyncIterator[ControlPlane]:
    models = folder / "models"
    models.mkdir(exist_ok=True)
    ports = free_ports(4)
    chosen = Settings(
        **{
            "port": free_port(),
            "data_dir": folder / "data",
            "scan_paths": (models,),
            "scan_defaults": False,
            "port_range_start": ports.start,
            "port_range_end": ports.stop - 1,
            "llama_server_path": engine,
            "max_startup_seconds": 10,
            "restart_max": 0,
            **settings,
        }
    )
    with listen(chosen) as listener:
        async with wire(chosen, DataFolder(chosen.data_dir)) as (services, application):
            server = http_server(application, services.gateway)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            address = f"http://127.0.0.1:{chosen.port}"
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(
                base_url=address, timeout=15, limits=limits, trust_env=False
            ) as http:
                plane = ControlPlane(http, services, chosen, stage, models)
                if booted:
                    await plane.boot()
                await until(lambda: server.started)
                try:
                    yield plane
                finally:
                    await services.fleet.close(now=True)
            # Not by should_exit, which is looked at ten times a second only.
            serving.cancel()
            await asyncio.wait({serving})
            await server.shutdown(sockets=[listener])
    assert_no_process_left(stage)
