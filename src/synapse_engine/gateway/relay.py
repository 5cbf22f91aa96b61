"""Passes a request to a server and its answer back, byte for byte, as it comes.

The lease spans the whole body. A client that leaves ends the work upstream.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterable, Iterator

import aiohttp
from starlette.types import Message, Receive, Send
from yarl import URL

from synapse_engine.errors import UpstreamFailed
from synapse_engine.fleet.leases import Lease

LARGE_BODY_BYTES = 1 << 20  # from here on it is sent piece by piece

log = logging.getLogger(__name__)

# RFC 9110, 7.6.1: these belong to one connection, not to the message.
HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    " transfer-encoding upgrade".split()
)
# The server is told our key and its own host; it need not hear where a browser came from. The body is
# here already, so there is nothing left to expect.
NOT_FORWARDED = HOP_BY_HOP | frozenset(
    "host authorization x-api-key content-length origin cookie expect".split()
)
# Ours to say for the whole address, not the server's.
NOT_RETURNED = HOP_BY_HOP | frozenset(["server", "date"])


class Relay:
    """One request's way to a server and back."""

    def __init__(self, session: aiohttp.ClientSession, lease: Lease, receive: Receive, send: Send) -> None:
        self._session = session
        self._lease = lease
        self._receive = receive
        self._send = send
        self._has_begun = False

    async def forward(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Send the request upstream and stream the answer. Raises UpstreamFailed before the first byte.

        Once the answer has begun it cannot be taken back: a server that dies then breaks the client's
        connection off, so that the client sees that it is cut.
        """
        exchange = asyncio.ensure_future(self._exchange(method, path, headers, body))
        departure = asyncio.ensure_future(self._until_client_leaves())
        try:
            await asyncio.wait({exchange, departure}, return_when=asyncio.FIRST_COMPLETED)
            if exchange.done():
                await exchange
        finally:
            for task in (exchange, departure):
                task.cancel()
            await asyncio.wait({exchange, departure})

    async def _until_client_leaves(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _exchange(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> None:
        try:
            async with self._session.request(
                method,
                URL(self._lease.url + path, encoded=True),
                data=body if len(body) < LARGE_BODY_BYTES else io.BytesIO(body),
                headers=self._upstream_headers(headers),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
                allow_redirects=False,
            ) as response:
                await self._begin(response)
                async for chunk in response.content.iter_any():
                    await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except (aiohttp.ClientError, OSError) as error:
            if not self._has_begun:
                raise UpstreamFailed(str(error) or type(error).__name__) from error
            log.warning("%s %s: the server broke off its answer: %s", method, path, error)
            raise

    def _upstream_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
        kept = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in _without(headers, NOT_FORWARDED)
        ]
        return [*kept, ("Authorization", f"Bearer {self._lease.api_key}")]

    async def _begin(self, response: aiohttp.ClientResponse) -> None:
        headers = [
            (name, value)
            for name, value in _without(response.raw_headers, NOT_RETURNED)
            if not name.startswith(b"access-control-")
        ]
        start: Message = {"type": "http.response.start", "status": response.status, "headers": headers}
        self._has_begun = True
        await self._send(start)


def _without(
    headers: Iterable[tuple[bytes, bytes]], unwanted: frozenset[str]
) -> Iterator[tuple[bytes, bytes]]:
    """Those that may be passed on, by lower-case name: neither unwanted nor named by `Connection`."""
    lower = [(name.lower(), value) for name, value in headers]
    named = ",".join(value.decode("latin-1") for name, value in lower if name == b"connection")
    dropped = unwanted | {name.strip().lower() for name in named.split(",")}
    return ((name, value) for name, value in lower if name.decode("latin-1") not in dropped)
