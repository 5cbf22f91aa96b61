"""The states of a server and every legal transition, in one table. Pure; knows no process and no clock."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What a server is doing. The API calls READY `running`."""

    STOPPED = "stopped"
    QUEUED = "queued"
    STARTING = "starting"
    READY = "ready"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    FAILED = "failed"


class Event(StrEnum):
    """What can happen to a server."""

    ENQUEUE = "enqueue"  # a start was asked for and waits for its turn
    ADMIT = "admit"  # its turn has come
    HEALTHY = "healthy"  # our process answers
    FAIL = "fail"  # the start failed, or the process ended by itself
    CRASH = "crash"  # the process ended by itself and will be started again
    RETRY = "retry"  # the wait before that is over
    ADOPT = "adopt"  # a process of an earlier run was found
    STOP = "stop"  # a stop was asked for
    GONE = "gone"  # the stopped process is gone


class IllegalTransition(Exception):
    """An event that cannot happen in that state: a defect of the caller."""


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.STOPPED, Event.ENQUEUE): State.QUEUED,
    (State.FAILED, Event.ENQUEUE): State.QUEUED,
    (State.FAILED, Event.STOP): State.STOPPED,
    (State.QUEUED, Event.ADMIT): State.STARTING,
    (State.QUEUED, Event.FAIL): State.FAILED,
    (State.QUEUED, Event.STOP): State.STOPPING,
    (State.STARTING, Event.HEALTHY): State.READY,
    (State.STARTING, Event.FAIL): State.FAILED,
    (State.STARTING, Event.STOP): State.STOPPING,
    (State.READY, Event.FAIL): State.FAILED,
    (State.READY, Event.STOP): State.STOPPING,
    (State.STOPPED, Event.ADOPT): State.STARTING,
    (State.READY, Event.CRASH): State.BACKOFF,
    (State.STARTING, Event.CRASH): State.BACKOFF,
    (State.BACKOFF, Event.RETRY): State.STARTING,
    (State.BACKOFF, Event.FAIL): State.FAILED,
    (State.BACKOFF, Event.STOP): State.STOPPING,
    (State.STOPPING, Event.GONE): State.STOPPED,
}


def next_state(state: State, event: Event) -> State:
    """Where the event leads. Raises IllegalTransition where the table has no entry."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"{event} cannot happen to a server that is {state}") from None


def transition_table() -> str:
    """The table as Markdown, for the documentation: a row per state, a column per event."""
    lines = [
        "| state | " + " | ".join(Event) + " |",
        "|---" * (len(Event) + 1) + "|",
    ]
    for state in State:
        cells = (TRANSITIONS.get((state, event), "") for event in Event)
        lines.append(f"| **{state}** | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
