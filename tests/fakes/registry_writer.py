"""Edits a registry for ever and says what was answered; made to be killed.

    registry_writer.py REGISTRY MODEL_ID

For each line on stdin it forks a writer, which prints `pid N`, then `answered N` after each edit that set
`last_started_at` to N. After the writer's death `ended` is printed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from synapse_engine.catalog.registry import Choices, Entry, Registry


def say(text: str) -> None:
    os.write(sys.stdout.fileno(), f"{text}\n".encode())


async def write_for_ever(path: Path, model_id: str) -> None:
    registry = Registry.open(path)
    number = 0.0

    def count_up(entries: Mapping[str, Entry]) -> Mapping[str, Choices]:
        nonlocal number
        number = (entries[model_id].choices.last_started_at or 0) + 1
        return {model_id: Choices(last_started_at=number)}

    while True:
        await registry.edit(count_up)
        say(f"answered {number}")


def main() -> None:
    path, model_id = Path(sys.argv[1]), sys.argv[2]
    while sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            say(f"pid {os.getpid()}")
            asyncio.run(write_for_ever(path, model_id))
        os.waitpid(pid, 0)
        say("ended")


if __name__ == "__main__":
    main()
