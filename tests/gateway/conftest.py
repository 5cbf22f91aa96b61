"""What the gateway's tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.fakes.remote import RemoteServer, remote_server


@pytest.fixture
async def server() -> AsyncIterator[RemoteServer]:
    async with remote_server() as server:
        yield server
