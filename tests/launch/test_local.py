"""Processes on this machine: who holds a port."""

from __future__ import annotations

import os
import socket

import psutil

from synapse_engine.launch.local import port_holder


def test_who_holds_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert port_holder(port) == f"{psutil.Process().name()} (pid {os.getpid()})"
    assert port_holder(port) is None
