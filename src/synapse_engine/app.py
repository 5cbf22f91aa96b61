"""The only place where objects are wired together; runs the control plane from start to end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI

from synapse_engine.api.application import build_application
from synapse_engine.api.benchmark_views import tell_benchmark
from synapse_engine.api.downloads import tell_download
from synapse_engine.api.live import tell
from synapse_engine.api.rows import warm
from synapse_engine.api.services import Live, Services
from synapse_engine.api.traffic import tell_upstreams
from synapse_engine.benchmarks.jobs import Jobs
from synapse_engine.catalog.registry import Registry
from synapse_engine.catalog.scanner import Scanner, scan_roots
from synapse_engine.datafolder import OWN_LOG, DataFolder
from synapse_engine.downloads.downloads import Downloads
from synapse_engine.downloads.hub import Hub, open_session
from synapse_engine.errors import CouldNotSave, EngineNotFound
from synapse_engine.events import Bus, Changes
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.journal import Journal
from synapse_engine.fleet.kept import KeptCaches
from synapse_engine.fleet.life import Limits
from synapse_engine.fleet.loading import Paces
from synapse_engine.fleet.restarts import RestartLimits
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.turns import places_to_load
from synapse_engine.gateway.activity import Activity
from synapse_engine.gateway.as_models.models import AsModels
from synapse_engine.gateway.asker import GatewayAsker
from synapse_engine.gateway.candidates import Candidates
from synapse_engine.gateway.contexts import Contexts
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.kept_queries import Keeper
from synapse_engine.gateway.lines import Lines
from synapse_engine.gateway.names import Names
from synapse_engine.gateway.news import News
from synapse_engine.gateway.outbox import Outbox
from synapse_engine.gateway.queries import Queries, first_query_id
from synapse_engine.gateway.recorder import Recorder, first_id
from synapse_engine.gateway.remotes import Remotes
from synapse_engine.gateway.routes import gateway_router
from synapse_engine.gateway.upstream import Pool
from synapse_engine.gateway.waking import Waking
from synapse_engine.launch.engine import Engines
from synapse_engine.launch.local import LocalLauncher
from synapse_engine.launch.logs import Logs
from synapse_engine.listening import http_server, listen
from synapse_engine.metrics import RequestMeasures, ServerCounts
from synapse_engine.ownlog import log_kept
from synapse_engine.preferences import Preferences
from synapse_engine.settings import Settings
from synapse_engine.store import Store

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BEGIN_AGAIN_SECONDS = 1.0
# llama-server closes an idle connection after 5 s; a request sent in that moment would be lost.
UPSTREAM_KEEP_ALIVE_SECONDS = 4

log = logging.getLogger(__name__)


async def serve(settings: Settings, on_listening: Callable[[str], None]) -> None:
    """Run until a signal ends it; then stop every server, and return.

    Raises AddressInUse, DataFolderInUse and CouldNotSave before anything has begun.
    """
    address = f"http://{_bracketed(settings.host)}:{settings.port}"
    folder = DataFolder(settings.data_dir)
    with folder.hold(f"synapse serve (pid {os.getpid()}) at {address}"), listen(settings) as listener:
        with log_kept(folder.logs / f"{OWN_LOG}.log"):
            await _serve(settings, folder, listener, lambda: on_listening(address))


async def _serve(
    settings: Settings, folder: DataFolder, listener: socket.socket, on_listening: Callable[[], None]
) -> None:
    async with wire(settings, folder) as (services, application):
        server = http_server(application, services.gateway)
        on_listening()
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
        booting = asyncio.create_task(boot(services), name="boot")
        async with services.scanner.watching():
            await _until_ended(services, serving, booting)
        services.live.bus.close()
        server.should_exit = True
        await serving


@asynccontextmanager
async def wire(settings: Settings, folder: DataFolder) -> AsyncIterator[tuple[Services, FastAPI]]:
    """Every object of the control plane, not yet booted; on leaving, no server is watched any more."""
    preferences = Preferences(settings, folder.preferences)
    settings = preferences.now
    limits = Limits(
        settings.max_startup_seconds,
        settings.stop_timeout_seconds,
        settings.drain_seconds,
        settings.probe_seconds,
    )
    restart_limits = RestartLimits(settings.restart_max, settings.restart_window_seconds)
    live = Live(Bus(), Changes())
    logs = Logs(folder.logs, settings.log_max_bytes)
    logs.watch(OWN_LOG)
    counts = ServerCounts()

    def on_change(server: Server) -> None:
        live.changes.server(server.server_id)
        counts.see(server.model_id, server.state, server.replica)
        gateway.lines.follow(server)

    def on_choices(model_ids: Iterable[str]) -> None:
        live.changes.some_models(model_ids)
        gateway.lines.look_again(model_ids)

    registry = Registry.open(folder.registry, on_choices)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=UPSTREAM_KEEP_ALIVE_SECONDS)
    jar = aiohttp.DummyCookieJar()
    async with (
        recording(settings, folder, live.bus) as recorder,
        open_session() as hub,
        aiohttp.ClientSession(connector=connector, cookie_jar=jar, auto_decompress=False) as session,
    ):
        engines = Engines(settings.llama_server_path, named=settings.engines)
        fleet = Fleet(
            registry,
            LocalLauncher(logs),
            engines,
            Journal(folder.journal),
            limits,
            restart_limits,
            Paces(folder.loading),
            KeptCaches(folder.prompt_caches, session),
            port_range=range(settings.port_range_start, settings.port_range_end + 1),
            start_concurrency=min(settings.start_concurrency, places_to_load(os.cpu_count() or 1)),
            memory_limit_bytes=settings.memory_limit_bytes,
            may_evict=settings.evict,
            idle_stop_seconds=settings.idle_stop_seconds,
            on_change=on_change,
        )
        waking = Waking(fleet)
        gateway = await wire_gateway(settings, folder, registry, fleet, waking, recorder, live)
        queries = await wire_queries(settings, registry, fleet, gateway, recorder.store)
        scanner = Scanner(
            registry,
            lambda: scan_roots(settings, preferences.folders, os.environ),
            live.changes.the_scan,
        )
        downloads = Downloads(
            Hub(hub, settings.hf_endpoint, settings.hub_token),
            settings.own_models,
            folder.downloads,
            on_change=lambda download: tell_download(live.bus, download),
            find_model=scanner.model_at,
        )
        benchmarks = Jobs(
            recorder.store,
            fleet,
            registry,
            engines,
            GatewayAsker(gateway, "benchmark", "/api/benchmarks"),
            kept=settings.benchmarks_max,
            on_change=lambda benchmark: tell_benchmark(live.bus, benchmark),
        )
        services = Services(
            preferences=preferences,
            limits=limits,
            restart_limits=restart_limits,
            folder=folder,
            registry=registry,
            scanner=scanner,
            engines=engines,
            fleet=fleet,
            began=time.monotonic(),
            live=live,
            logs=logs,
            counts=counts,
            gateway=gateway,
            recorder=recorder,
            downloads=downloads,
            queries=queries,
            benchmarks=benchmarks,
        )
        async with at_work(services, waking):
            yield services, build_application(services, gateway_router(gateway, registry, fleet))


@asynccontextmanager
async def at_work(services: Services, waking: Waking) -> AsyncIterator[None]:
    """What is done all the time meanwhile; on leaving, everything that is under way is ended."""
    fleet, gateway = services.fleet, services.gateway
    work = (
        lambda: tell(services),
        services.logs.keep_small,
        fleet.budget.memories.watch,
        fleet.idle_stops.watch,
        services.recorder.run,
        gateway.remotes.watch,
    )
    tasks = [asyncio.create_task(_keep_up(each)) for each in work]
    try:
        yield
    finally:
        await services.downloads.close()
        await services.queries.close()
        await services.benchmarks.close()
        await waking.close()
        gateway.pool.close()
        services.live.bus.close()
        for task in tasks:
            task.cancel()
        # After a graceful end nothing is left to let go of; after a defect the models stay loaded.
        await fleet.let_go(0.0)


@asynccontextmanager
async def recording(settings: Settings, folder: DataFolder, bus: Bus) -> AsyncIterator[Recorder]:
    """What records requests; on leaving, all that have ended are saved. Raises StoreRefused."""
    store = Store(folder.store)
    try:
        activity = Activity(await first_id(store))
        measures = RequestMeasures()
        recorder = Recorder(activity, store, measures, settings.activity_max, lambda: bus.subscribers > 0)
        try:
            yield recorder
        finally:
            await recorder.flush()
    finally:
        await store.close()


async def wire_gateway(
    settings: Settings,
    folder: DataFolder,
    registry: Registry,
    fleet: Fleet,
    waking: Waking,
    recorder: Recorder,
    live: Live,
) -> Gateway:
    folder.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = waking.lines = Lines(
        registry,
        fleet,
        waking.wake,
        on_demand=settings.on_demand,
        queue_max=settings.queue_max,
        queue_seconds=settings.queue_seconds,
    )
    pool = Pool(Outbox(recorder.activity.live))
    remotes = Remotes(recorder.store, pool, lambda: tell_upstreams(live, remotes))
    await remotes.load()
    names = Names(registry, fleet, remotes, on_demand=settings.on_demand)
    news = News(fleet, settings.loading_news)
    contexts = Contexts(fleet, lines, pool)
    return Gateway(settings, folder.spool, recorder.activity, names, lines, news, remotes, pool, contexts)


async def wire_queries(
    settings: Settings, registry: Registry, fleet: Fleet, gateway: Gateway, store: Store
) -> Queries:
    queries = Queries(
        gateway,
        Candidates(registry, fleet, gateway.names, gateway.contexts),
        Keeper(store, settings.queries_max),
        first_id=await first_query_id(store),
        may_start=settings.modes_start,
        deadline_seconds=settings.modes_seconds,
    )
    gateway.modes = AsModels(queries, settings.modes_news)
    return queries


async def _keep_up(work: Callable[[], Awaitable[None]]) -> None:
    """Do it for as long as the control plane runs: after a defect in it, again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("A background task broke; it is begun again")
        await asyncio.sleep(BEGIN_AGAIN_SECONDS)


async def boot(services: Services) -> None:
    """Beside the first answers: know the engine, open the fleet, scan, start what is to start by itself."""
    try:
        await _boot(services)
    except Exception:
        log.exception("Starting up broke off; what is there already goes on")
        services.fleet.open()
        services.benchmarks.begin()


async def _boot(services: Services) -> None:
    services.downloads.begin()
    try:
        await services.engines.current()
    except EngineNotFound as error:
        log.warning("%s", error)
    for notice in services.registry.notices:
        log.warning("%s", notice)
    if not services.registry.entries:
        # Servers of an earlier run belong to models, so these must be known first.
        await _scan(services)
        await _open_fleet(services)
    else:
        await _open_fleet(services)
        await _scan(services)
    await warm(services)
    keep_what_is_here()
    entries = services.registry.entries.values()
    autostart = [entry.model_id for entry in entries if entry.choices.settings.get("autostart")]
    if autostart:
        await services.fleet.start_all(autostart, None)


def keep_what_is_here() -> None:
    """What is there by now stays: each collection would look through it, for 50 ms and more, while every
    stream waits.
    """
    gc.collect()
    gc.freeze()


async def _open_fleet(services: Services) -> None:
    await asyncio.gather(
        services.fleet.adopt(), services.fleet.budget.admission.capacity(), services.benchmarks.recover()
    )
    services.fleet.open()
    services.benchmarks.begin()


async def _scan(services: Services) -> None:
    try:
        changes = await services.scanner.rescan()
        log.info("Found %d models in %.2f s", changes.found, services.registry.scan_seconds or 0.0)
    except CouldNotSave as error:
        log.error("%s", error)


async def _until_ended(services: Services, serving: asyncio.Task[None], booting: asyncio.Task[None]) -> None:
    """Wait for a signal, then end the servers, or let go of them, while the page still answers.

    A second signal kills what is still being stopped, and lets go at once.
    """
    loop = asyncio.get_running_loop()
    asked, hurried = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (hurried if asked.is_set() else asked).set()

    for number in END_SIGNALS:
        loop.add_signal_handler(number, on_signal)
    end = asyncio.create_task(asked.wait())
    await asyncio.wait({end, serving}, return_when=asyncio.FIRST_COMPLETED)
    end.cancel()
    booting.cancel()
    keeps = keeps_servers(services.settings)
    await services.benchmarks.close(forgets=not keeps)
    # While their servers are there: else they would fail, and not be cancelled.
    await services.queries.close()
    if keeps:
        await services.fleet.let_go(services.settings.drain_seconds, hurried)
    closing = asyncio.create_task(services.fleet.close())
    hurry = asyncio.create_task(hurried.wait())
    await asyncio.wait({closing, hurry}, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not closing.done():
        await services.fleet.close(now=True)
    await closing
    await asyncio.wait({booting, end, hurry})


def keeps_servers(settings: Settings) -> bool:
    """Whether a graceful end leaves the servers running: as told, else where systemd runs us as a service."""
    if settings.keep_servers is not None:
        return settings.keep_servers
    return "INVOCATION_ID" in os.environ and not os.isatty(0)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
