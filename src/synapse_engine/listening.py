"""The socket that everything comes in by, and what speaks HTTP on it."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from synapse_engine.errors import AddressInUse
from synapse_engine.gateway.gateway import Gateway
from synapse_engine.gateway.protocol import protocol_class
from synapse_engine.launch.local import port_holder
from synapse_engine.settings import Settings

CLOSE_CONNECTIONS_SECONDS = 3
# Longer than the page's polling, so that a poll seldom meets a connection that is just being closed.
KEEP_ALIVE_SECONDS = 75


@contextlib.contextmanager
def listen(settings: Settings) -> Iterator[socket.socket]:
    """The socket of the page, the API and the gateway. Raises AddressInUse."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE and (holder := port_holder(settings.port)):
            reason = f"already in use by {holder}"
        raise AddressInUse(settings.host, settings.port, reason) from error
    with listener:
        # Connections have it from here: asyncio does not know a socket without a protocol number for TCP.
        # A body after its head would then wait 40 ms for the client's word that the head has come.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _notice_the_vanished(listener)
        yield listener


def _notice_the_vanished(listener: socket.socket) -> None:
    """A client whose machine has gone without a word is known to have left after two minutes."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def http_server(application: FastAPI, gateway: Gateway) -> uvicorn.Server:
    """What speaks HTTP for the application; it is handed its socket, and told when to end."""
    return _Server(
        uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http=protocol_class(gateway),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=CLOSE_CONNECTIONS_SECONDS,
        )
    )


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the order of ending is ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
