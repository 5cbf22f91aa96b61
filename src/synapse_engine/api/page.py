"""The page: the built web application, served from inside the package."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

import synapse_engine

FOLDER = Path(synapse_engine.__file__).parent / "_page"
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def mount(app: FastAPI, folder: Path = FOLDER) -> None:
    """Serve `/` and `/assets/*`; without a build, say how to make one."""

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        if not (folder / "index.html").is_file():
            return PlainTextResponse(
                "The page is not built. In a checkout, run: make setup\n", status_code=503
            )
        return FileResponse(
            folder / "index.html",
            headers={
                "Cache-Control": "no-cache",
                "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            },
        )

    @app.get("/icon.svg", include_in_schema=False)
    async def icon() -> Response:
        return FileResponse(folder / "icon.svg")

    app.mount("/assets", StaticFiles(directory=folder / "assets", check_dir=False), name="assets")
