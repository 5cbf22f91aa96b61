"""Whether what runs is what was chosen. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_engine.catalog.registry import Choices, Entry
from synapse_engine.fleet.server import Server
from synapse_engine.fleet.state import State
from synapse_engine.launch.command import launch_settings

# In these an edit comes too late for it.
UNTOUCHED = (State.QUEUED, State.STARTING, State.READY)


def replicas_of(entry: Entry) -> int:
    """How many servers the model is to have."""
    return entry.choices.settings.get("replicas") or 1


def is_restart_required(entry: Entry, servers: Sequence[Server]) -> bool:
    """Whether one of the model's servers runs, or will soon, with choices that have changed since."""
    untouched = [server for server in servers if server.state in UNTOUCHED]
    is_another_number = bool(untouched) and replicas_of(entry) != len(servers)
    return is_another_number or any(_has_been_edited(server, entry.choices) for server in untouched)


def _has_been_edited(server: Server, choices: Choices) -> bool:
    if server.settings is None:
        return False
    is_pinned = choices.port_is_pinned and server.replica == 1
    has_moved = is_pinned and server.command is not None and choices.port != server.command.port
    return has_moved or launch_settings(choices.settings) != server.settings
