"""A control plane between raw sockets: what a client sends on one side, what a server gets on the other."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.control_plane import ControlPlane
from tests.fakes.raw_client import Answer, RawClient
from tests.fakes.raw_upstream import RawUpstream, Request, UpstreamConnection
from tests.fakes.rig import until
from tests.fakes.stage import Actor
from tests.fakes.wire import within

CHAT = "/v1/chat/completions"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Bed:
    """Attributes to use: plane, model_id, actor, upstream."""

    plane: ControlPlane
    model_id: str
    actor: Actor
    upstream: RawUpstream
    _clients: list[RawClient] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.plane.settings.port}"

    @property
    def active(self) -> int:
        """Leases of the model's server."""
        return self.plane.services.fleet.servers[self.model_id].active_requests

    @property
    def folder(self) -> str:
        """Below it everything of the model's server passes through."""
        return f"/upstream/{self.model_id}"

    def client(self, *, receive_buffer_bytes: int | None = None) -> RawClient:
        client = RawClient.connect(self.plane.settings.port, receive_buffer_bytes=receive_buffer_bytes)
        self._clients.append(client)
        return client

    def body(self, **fields: Any) -> bytes:
        return json.dumps({"model": self.model_id, **fields}).encode()

    def head(
        self,
        *lines: str | bytes,
        method: str = "POST",
        path: str = CHAT,
        version: str = "1.1",
        host: bool = True,
    ) -> bytes:
        """A request's head: first line, Host, the lines."""
        named = [f"{method} {path} HTTP/{version}", *([f"Host: {self.host}"] if host else []), *lines, "", ""]
        return b"\r\n".join(line if isinstance(line, bytes) else line.encode("latin-1") for line in named)

    def post(
        self, *lines: str | bytes, body: bytes | None = None, path: str = CHAT, version: str = "1.1"
    ) -> bytes:
        """A request with a body of that length; without one given, a chat with the model."""
        body = self.body() if body is None else body
        return self.head(*lines, f"Content-Length: {len(body)}", path=path, version=version) + body

    def get(
        self, *lines: str | bytes, path: str | None = None, method: str = "GET", version: str = "1.1"
    ) -> bytes:
        """A request without a body; without a path given, one that the model's server answers."""
        return self.head(*lines, method=method, path=path or f"{self.folder}/props", version=version)

    async def ask(self, *pieces: bytes) -> tuple[RawClient, UpstreamConnection, Request]:
        """A client's request, sent in these pieces, come to the server over a new connection."""
        client = self.client()
        await client.send(*pieces)
        try:
            connection = await self.upstream.connection()
        except AssertionError as error:
            error.add_note(f"the client has got {client.waiting()!r}")
            raise
        return client, connection, await connection.request()

    async def exchange(self, request: bytes, *reply: bytes) -> tuple[Request, Answer]:
        """The request as it came to the server, and the server's reply as it came to the client."""
        client, connection, seen = await self.ask(request)
        await connection.send(*reply)
        return seen, await client.answer(to_head=request.startswith(b"HEAD "))

    async def assert_unreached(self) -> None:
        """Nothing came to the server, and nothing is on its way: the next to come is what is sent now."""
        mark = self.body(mark=time.monotonic_ns())
        client, connection, seen = await self.ask(self.post(body=mark))
        assert seen.body == mark
        await connection.send(OK)
        await client.answer()
        assert self.upstream.opened == 1

    async def assert_freed(self, connection: UpstreamConnection) -> None:
        """The work has been called off: soon the connection is closed and no lease is held."""
        async with within(0.5, "the connection to the server is closed, and the lease is freed"):
            await connection.left()
            await until(lambda: self.active == 0)

    async def settle(self) -> None:
        """Every connection is ended; no lease may be held any more, and nothing have come unawaited."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        try:
            async with within(1, "every lease is freed"):
                await until(lambda: self.active == 0)
            await self.upstream.all_here(self.actor.port)
            unawaited = self.upstream.count()
        finally:
            await self.upstream.settle()
        assert not unawaited, "a connection to the server that the test knows nothing of"
