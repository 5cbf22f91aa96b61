"""The launcher contract: how `fleet` starts, watches and ends a server without knowing where it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

RAM = "RAM"


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run for one model.

    replica: which of the model's servers, from 1. slots: how many requests it works on at once.
    cache_name: what the files of its prompt cache are named by, None where none is kept.
    cache_bytes: how large that can be.
    argv: the whole command line; env: added to what it inherits.
    port: where it will listen on the launcher's host; port_is_pinned: a person chose it.
    api_key: what requests to the server must carry, made anew for each start.
    weights_bytes: size of all files that it loads, for time limits.
    settings: those of the person's that it was built from.
    need: the memory that is reserved for it, in bytes by device.
    """

    model_id: str
    argv: tuple[str, ...]
    env: dict[str, str]
    port: int
    port_is_pinned: bool
    api_key: str
    weights_bytes: int
    settings: Mapping[str, Any]
    need: Mapping[str, int] = field(default_factory=dict)
    replica: int = 1
    slots: int = 1
    cache_name: str | None = None
    cache_bytes: int = 0

    @property
    def server_id(self) -> str:
        return server_id_of(self.model_id, self.replica)


def server_id_of(model_id: str, replica: int) -> str:
    """What one server is called: as its model, or `ID#2` for its second one. No model's id ends like that."""
    return model_id if replica == 1 else f"{model_id}#{replica}"


@dataclass(frozen=True)
class Memory:
    """What a process takes. resident: as `top` shows it; private: what its end would free.

    The rest of what is resident are pages of files, which the system takes back when memory is short.
    """

    resident_bytes: int
    private_bytes: int


@dataclass(frozen=True, kw_only=True)
class Device:
    """Memory that servers can use: the machine's, or a GPU's.

    name: as the engine calls it, `RAM` for the machine's. shares_ram: its memory is part of the machine's.
    """

    name: str
    kind: Literal["ram", "gpu"]
    total_bytes: int
    free_bytes: int
    description: str = ""
    shares_ram: bool = False


@dataclass(frozen=True)
class LogChunk:
    """Whole lines in their order; is_new_start: they are the first of a new start's log."""

    lines: list[str]
    is_new_start: bool = False


class Process(Protocol):
    """One server process that a launcher started."""

    @property
    def pid(self) -> int: ...

    @property
    def url(self) -> str:
        """Where its HTTP answers, without a path: `http://127.0.0.1:8080`."""
        ...

    @property
    def node(self) -> str:
        """The machine it runs on; `local` is this one."""
        ...

    @property
    def has_exited(self) -> bool:
        """Whether it is known to be gone; `wait` would return at once."""
        ...

    def identity(self) -> dict[str, Any]:
        """What `Launcher.adopt` finds it by after a restart of the control plane; JSON."""
        ...

    async def wait(self) -> int | None:
        """Return once the process is gone: its exit code (negative: the signal), None where unknown."""
        ...

    def listens(self) -> bool:
        """Whether this very process, and not a stranger, listens on its port."""
        ...

    def terminate(self) -> None:
        """Ask it to end (SIGTERM). Harmless once it is gone."""
        ...

    def kill(self) -> None:
        """End it (SIGKILL). Harmless once it is gone."""
        ...

    def memory(self) -> Memory | None:
        """What it takes now; None once it is gone."""
        ...

    def loaded_bytes(self) -> int | None:
        """What it has read or mapped of its files; None once it is gone, and where nobody can tell."""
        ...

    def cpu_seconds(self) -> float | None:
        """Processor time that it has used so far; None once it is gone."""
        ...


class Launcher(Protocol):
    """Where servers run: this machine, or a cluster."""

    async def start(self, command: Command) -> Process:
        """Spawn the process, logging to a file of its own.

        Raises StartFailed when it cannot be spawned at all. Readiness is the caller's business.
        """
        ...

    async def adopt(self, command: Command, identity: dict[str, Any] | None) -> Process | None:
        """The process of an earlier run, if it is still this very one; None where it is gone.

        identity: what `Process.identity` gave, None where the run ended before it could be kept: then the
        process is looked for by the key in its environment. Raises OSError where that cannot be told now.
        """
        ...

    async def devices(self, engine_path: str | None) -> list[Device]:
        """The memory there is, RAM first; the GPUs are those that this engine sees."""
        ...

    async def is_without_gpus(self, engine_path: str) -> bool:
        """Whether the engine says that it sees none; one that does not answer may see some."""
        ...

    def port_holder(self, port: int) -> str | None:
        """Who listens on the port, as `NAME (pid N)`; None where nobody does or it cannot be told."""
        ...

    async def log_tail(self, server_id: str, lines: int) -> list[str]:
        """The last lines of the server's log, of its newest start; empty where there is none."""
        ...

    def log_follow(self, server_id: str, lines: int) -> AsyncIterator[LogChunk]:
        """The last lines of the server's log, then each new one, of later starts too, without an end."""
        ...
