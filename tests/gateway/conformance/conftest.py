"""One control plane for each file of tests; each test leaves it as it was."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio
import uvloop
from tests.conftest import forget_settings
from tests.fakes.control_plane import open_control_plane
from tests.fakes.raw_upstream import open_upstream
from tests.fakes.stage import Behaviour, open_stage, write_engine
from tests.gateway.conformance.bed import Bed


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that `synapse serve` runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made_bed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Bed]:
    """With the settings in the file's SETTINGS and, by their full names, the seconds in its TIMES."""
    folder = tmp_path_factory.mktemp("plane")
    engine = write_engine(folder / "llama-server", sys.executable)
    settings = getattr(request.module, "SETTINGS", {})
    with pytest.MonkeyPatch.context() as patch:
        forget_settings(patch)
        for name, seconds in getattr(request.module, "TIMES", {}).items():
            patch.setattr(name, seconds)
        async with (
            open_stage() as stage,
            open_upstream() as upstream,
            open_control_plane(folder, engine, stage, **settings) as plane,
        ):
            if key := settings.get("api_key"):
                plane.http.headers["Authorization"] = f"Bearer {key}"
            behaviour = Behaviour(hands_over_to=str(upstream.path))
            model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", behaviour, llama__context_length=32_768)
            yield Bed(plane, model_id, await plane.start(model_id), upstream)


@pytest_asyncio.fixture(loop_scope="module")
async def bed(made_bed: Bed, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Bed]:
    """Afterwards no lease is held, no connection is left, and no defect was logged."""
    defects: list[Mapping[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: defects.append(context))
    try:
        yield made_bed
        await made_bed.settle()
    finally:
        loop.set_exception_handler(None)
    assert not defects
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
