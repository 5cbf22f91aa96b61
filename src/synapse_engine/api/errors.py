"""From exceptions to answers: the one place where errors become HTTP."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from synapse_engine.api.wire.base import ErrorBody
from synapse_engine.errors import SynapseError
from synapse_engine.gateway.dialect import dialect_of, error_body, error_headers

log = logging.getLogger(__name__)


class _HttpError(SynapseError):
    """A case that the web framework found: no such route, a wrong method, a bad body."""

    def __init__(self, status: int, error: str, detail: str) -> None:
        super().__init__(error, detail)
        self.status = status
        self.code = error.lower().replace(" ", "_")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI `responses` of a route that may answer these errors; 401, 403 and 422 go without saying."""
    return {status: {"model": ErrorBody} for status in sorted({401, 403, 422, *statuses})}


def documented_stream(events: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for a route that answers with a stream, whose errors are JSON all the same."""
    body = {"schema": {"$ref": "#/components/schemas/ErrorBody"}}
    refused: dict[int | str, dict[str, Any]] = {
        status: {"description": HTTPStatus(status).phrase, "content": {"application/json": body}}
        for status in documented(*statuses)
        if isinstance(status, int)
    }
    return refused | {200: {"model": events}}


def answer(path: str, headers: Headers, error: SynapseError) -> JSONResponse:
    """headers: of the request."""
    body = error_body(dialect_of(path, headers), error)
    return JSONResponse(body, status_code=error.status, headers=error_headers(error))


def install(app: FastAPI) -> None:
    """Teach the application to answer every error in the shape of the path's dialect."""

    @app.exception_handler(SynapseError)
    async def known(request: Request, error: SynapseError) -> JSONResponse:
        return answer(request.url.path, request.headers, error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        path = request.url.path
        if error.status_code == 404:
            found = _HttpError(404, "Not found", f"There is no {path} here; /docs lists what there is.")
        elif error.status_code == 405:
            found = _HttpError(405, "Method not allowed", f"{path} does not take {request.method}.")
        else:
            found = _HttpError(error.status_code, str(error.detail), f"{request.method} {path}")
        response = answer(path, request.headers, found)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(request.url.path, request.headers, _HttpError(422, "Invalid request", _describe(error)))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody is there to read it

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s", request.method, request.url.path, exc_info=error)
        detail = f"{type(error).__name__}: {error}. This is a defect; the control plane's log has the trace."
        return answer(request.url.path, request.headers, _HttpError(500, "Internal error", detail))


def _describe(error: RequestValidationError) -> str:
    parts = []
    for problem in error.errors():
        place = ".".join(str(step) for step in problem["loc"])
        parts.append(f"{place}: {problem['msg']}")
    return "; ".join(parts)
