"""The server calls: start, stop, start all, stop all, list, one, logs."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Query, Response

from synapse_engine.api.errors import documented
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.views import failed_model, server_list, server_out
from synapse_engine.api.wire.servers import (
    RunningModel,
    ServerList,
    ServerOut,
    StartAllAsk,
    StartedAll,
    StartedServer,
    StoppedAll,
    StoppedServer,
)
from synapse_engine.catalog.registry import Entry
from synapse_engine.errors import SynapseError
from synapse_engine.fleet.life import Started, Stopped

router = APIRouter(prefix="/api/models/servers", tags=["servers"])


@router.get("", responses=documented())
async def list_servers(services: Wired) -> ServerList:
    """Every server that is not stopped."""
    await services.fleet.budget.memories.current()
    return server_list(services)


@router.post("/start-all", responses=documented(404, 409, 503))
async def start_all(services: Wired, ask: StartAllAsk | None = None) -> StartedAll:
    """Start every enabled model, or the given ones; smallest first, a few at a time."""
    began = time.monotonic()
    ask = ask or StartAllAsk()
    ids = None if ask.model_ids is None else [services.registry.resolve(n).model_id for n in ask.model_ids]
    outcomes = await services.fleet.start_all(ids, ask.tier)
    models = [
        RunningModel(model_id=o.entry.model_id, display_name=o.entry.model.display_name, port=o.result.port)
        for o in outcomes
        if isinstance(o.result, Started)
    ]
    return StartedAll(
        message=f"Started {len(models)}/{len(outcomes)} servers",
        started=len(models),
        total=len(outcomes),
        startup_time_seconds=_since(began),
        models=models,
        failed=[failed_model(o.entry, o.result) for o in outcomes if isinstance(o.result, SynapseError)],
    )


@router.post("/stop-all", responses=documented(503))
async def stop_all(services: Wired) -> StoppedAll:
    """Stop every server, and cancel every benchmark."""
    began = time.monotonic()
    await services.benchmarks.cancel_all()
    outcomes = await services.fleet.stop_all()
    stopped = sum(isinstance(o.result, Stopped) and o.result.was_active for o in outcomes)
    return StoppedAll(
        message=f"Stopped {stopped} servers",
        stopped=stopped,
        shutdown_time_seconds=_since(began),
        failed=[failed_model(o.entry, o.result) for o in outcomes if isinstance(o.result, SynapseError)],
    )


@router.post(
    "/{model_id:path}/start",
    responses=documented(404, 409, 500, 503, 504, 507) | {202: {"model": StartedServer}},
)
async def start(
    services: Wired,
    model_id: str,
    response: Response,
    wait: Annotated[bool, Query(description="false: answer 202 at once")] = True,
    force: Annotated[bool, Query(description="true: start it though memory seems too short")] = False,
) -> StartedServer:
    """Start a model's server and answer when it is ready; a start under way is joined."""
    entry = services.registry.resolve(model_id)
    starting = asyncio.ensure_future(services.fleet.start(entry.model_id, force=force))
    if not wait:
        return await _answer_at_once(services, entry, starting, response)
    return _started(entry, await starting)


@router.post("/{model_id:path}/stop", responses=documented(404, 409, 503))
async def stop(
    services: Wired,
    model_id: str,
    now: Annotated[bool, Query(description="true: kill, without waiting for running requests")] = False,
) -> StoppedServer:
    """Stop a model's server, letting running requests finish; a start under way is cancelled."""
    entry = services.registry.resolve(model_id)
    stopped = await services.fleet.stop(entry.model_id, now=now)
    return StoppedServer(
        message=f"Server stopped for {entry.model_id}",
        model_id=entry.model_id,
        display_name=entry.model.display_name,
        status="stopped" if stopped.was_active else "not_running",
        shutdown_time_seconds=round(stopped.seconds, 3),
    )


# Last: a name may hold slashes (`org/repo:Q4_K_M`), so it would catch the paths above.
@router.get("/{model_id:path}", responses=documented(404, 409))
async def one_server(services: Wired, model_id: str) -> ServerOut:
    """One server, a stopped one too; of several replicas one that runs."""
    entry = services.registry.resolve(model_id)
    await services.fleet.budget.memories.current()
    return server_out(services, entry, services.fleet.server_of(entry.model_id))


async def _answer_at_once(
    services: Services, entry: Entry, starting: asyncio.Future[Started], response: Response
) -> StartedServer:
    # One round of the loop: what can be refused at once is refused, and the server is registered.
    starting.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.sleep(0)
    if starting.done():
        return _started(entry, starting.result())
    response.status_code = 202
    return StartedServer(
        message=f"Server starting for {entry.model_id}",
        model_id=entry.model_id,
        display_name=entry.model.display_name,
        port=entry.choices.port,
        status="starting",
        startup_time_seconds=0.0,
    )


def _started(entry: Entry, started: Started) -> StartedServer:
    return StartedServer(
        message=f"Server started for {entry.model_id}",
        model_id=entry.model_id,
        display_name=entry.model.display_name,
        port=started.port,
        status="already_running" if started.was_running else "started",
        startup_time_seconds=round(started.seconds, 3),
    )


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
