"""The web application: guard, errors, routes, page and gateway put together."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

import synapse_engine
from synapse_engine.api import (
    activity,
    benchmarks,
    doctor,
    downloads,
    engines,
    errors,
    events,
    folders,
    logs,
    metrics,
    models,
    page,
    queries,
    servers,
    settings,
    system,
    upstreams,
)
from synapse_engine.api.security import Guard
from synapse_engine.api.services import Services


def build_application(services: Services, gateway: APIRouter) -> FastAPI:
    """Every route over the given services."""
    app = FastAPI(
        title="Synapse Engine",
        version=synapse_engine.__version__,
        description="Run all your GGUF models behind one address.",
        redoc_url=None,
    )
    app.state.services = services
    errors.install(app)
    # The longer paths come first: `/api/models/{model_id}` would catch `/api/models/servers`.
    live = (
        events.router,
        logs.router,
        metrics.router,
        activity.router,
        queries.router,
        downloads.router,
        benchmarks.router,
        settings.router,
        doctor.router,
        folders.router,
        upstreams.router,
    )
    for router in (*live, servers.router, engines.router, models.router, system.router, gateway):
        app.include_router(router)
    page.mount(app)
    app.add_middleware(Guard, settings=services.settings)
    if services.settings.allowed_origins:
        # Outermost: a browser's preflight carries no key, and refusals must be readable too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[origin.rstrip("/") for origin in services.settings.allowed_origins],
            allow_methods=["*"],
            allow_headers=["*"],
        )
    return app
