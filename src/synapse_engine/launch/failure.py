"""Why a llama-server ended, in words, from its exit code and the last lines of its log. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

SHOWN_LINES = 12

_PORT_TAKEN = re.compile(r"couldn't bind HTTP server socket|address already in use", re.IGNORECASE)

_OUT_OF_MEMORY = re.compile(
    r"out of memory|cudaMalloc failed|failed to allocate|unable to allocate|ErrorOutOfDeviceMemory"
    r"|std::bad_alloc|cannot allocate memory",
    re.IGNORECASE,
)

# What llama-server and ggml print, the first match from the top wins; {0} is what the pattern caught.
_REASONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"invalid argument: (\S+)"), "the engine does not know the argument {0}"),
    (
        re.compile(r"error while handling argument \"?([^\":]+)"),
        "the engine does not accept the value of {0}",
    ),
    (
        re.compile(r"unknown model architecture: '([^']+)'"),
        "this engine does not know the architecture {0}",
    ),
    (re.compile(r"data is not within the file bounds"), "the model file is cut short or corrupted"),
    (re.compile(r"invalid magic|not a GGUF|failed to read magic"), "the file is not a GGUF model"),
    (_OUT_OF_MEMORY, "out of memory"),
    (re.compile(r"No such file or directory"), "a file that it needs is not there"),
    (re.compile(r"Permission denied"), "a file that it needs may not be read"),
    (re.compile(r"error loading model: (.+)"), "the model cannot be loaded: {0}"),
    (re.compile(r"failed to load model"), "the model cannot be loaded"),
)


def is_port_taken(lines: Sequence[str]) -> bool:
    """Whether the log says that the server could not bind its port."""
    return any(_PORT_TAKEN.search(line) for line in lines)


def is_out_of_memory(lines: Sequence[str]) -> bool:
    """Whether the log says that memory ran out."""
    return any(_OUT_OF_MEMORY.search(line) for line in lines)


def explain_exit(exit_code: int | None, lines: Sequence[str]) -> str:
    """The reason, the exit status and the log's last lines, as one text of several lines."""
    return with_log(f"{_reason(exit_code, lines)} ({describe_exit(exit_code)})", lines)


def describe_exit(exit_code: int | None) -> str:
    """`exit code 1`, `killed by SIGKILL`, or `exit status unknown`."""
    if exit_code is None:
        return "exit status unknown"
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"


def with_log(sentence: str, lines: Sequence[str]) -> str:
    """The sentence, then the log's last lines where there are any."""
    shown = [line for line in lines if line.strip()][-SHOWN_LINES:]
    if not shown:
        return f"{sentence}. It left no log."
    return "\n".join([f"{sentence}. Last log lines:", *shown])


def _reason(exit_code: int | None, lines: Sequence[str]) -> str:
    if is_port_taken(lines):
        return "The port was taken by another process"
    for pattern, words in _REASONS:
        for line in lines:
            if found := pattern.search(line):
                text = words.format(*found.groups())
                return text[0].upper() + text[1:]
    if exit_code == -signal.SIGILL:
        return (
            "This llama-server was built for another kind of processor. Put a build for this machine on your "
            "PATH or name it in LLAMA_SERVER_PATH"
        )
    if exit_code == -signal.SIGKILL:
        return "llama-server was killed, perhaps because memory ran out"
    return "llama-server ended by itself"
