"""A client that leaves: how long until the slot it had is free, by the word of the server itself.

It leaves while the answer streams, where the server looks for it after each token, and while the server still
reads its prompt, where it looks after each batch of it. Beside it, the same client at the server itself.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import select
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.control_plane import control_plane, model_path
from bench.sidebyside import print_machine, print_spread

CHAT = "/v1/chat/completions"
# Threads that have to share a core with other work wait for each other.
SETTINGS = {"ctx_size": 8192, "threads": max(1, (os.cpu_count() or 1) // 2)}
SMALLER_BATCHES = (256, 64, 16)
PROMPT_WORDS = 600
# Into the reading of the prompt, which takes seconds.
READING_SECONDS = 0.3
TOKENS_BEFORE = 20
KEEP_LOOKING_SECONDS = 120.0


@dataclass(frozen=True)
class Place:
    """Where a client asks. server_port and key: of the server that answers in the end."""

    port: int
    model_id: str
    server_port: int
    key: str

    def leave_a_stream(self) -> tuple[float, float]:
        """Milliseconds from the client's leaving to the free slot, and those of a token before."""
        connection = self._ask("Count from one to ten thousand.")
        response = connection.getresponse()
        response.readline()
        began = time.perf_counter()
        for _ in range(TOKENS_BEFORE):
            # An event is a line and an empty one.
            response.readline(), response.readline()
        token = 1000 * (time.perf_counter() - began) / TOKENS_BEFORE
        response.close()
        return self._leave(connection), token

    def leave_a_prompt(self) -> tuple[float, float]:
        """The same before the first token of an answer. Each prompt is new to the prompt cache."""
        connection = self._ask(f"{time.time_ns()} " + "word " * PROMPT_WORDS)
        # The answer's head comes before the prompt is read.
        response = connection.getresponse()
        time.sleep(READING_SECONDS)
        if select.select([response.fileno()], [], [], 0)[0]:
            raise SystemExit("its prompt was read before the client left: nothing to measure")
        response.close()
        return self._leave(connection), math.nan

    def _ask(self, question: str) -> http.client.HTTPConnection:
        body = {
            "model": self.model_id,
            "messages": [{"role": "user", "content": question}],
            "stream": True,
            "ignore_eos": True,
        }
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", CHAT, json.dumps(body), headers)
        return connection

    def _leave(self, connection: http.client.HTTPConnection) -> float:
        began = time.perf_counter()
        connection.close()
        while self._is_busy():
            if time.perf_counter() - began > KEEP_LOOKING_SECONDS:
                raise SystemExit(f"its slot is not free after {KEEP_LOOKING_SECONDS:.0f} s")
        return 1000 * (time.perf_counter() - began)

    def _is_busy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.server_port)
        try:
            connection.request("GET", "/slots", headers={"Authorization": f"Bearer {self.key}"})
            return any(slot["is_processing"] for slot in json.loads(connection.getresponse().read()))
        finally:
            connection.close()


@contextmanager
def places(batch: int | None) -> Iterator[dict[str, Place]]:
    """Ours and the server itself. batch: of how many tokens of a prompt it reads at a time."""
    settings = SETTINGS | ({} if batch is None else {"batch_size": batch, "ubatch_size": batch})
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch, "models")
        models.mkdir()
        shutil.copy(model_path(), models)
        with control_plane(Path(scratch, "data"), models) as plane:
            model_id = plane.call("GET", "/api/models/registry")["models"][0]["model_id"]
            plane.call("PATCH", f"/api/models/{model_id}", {"settings": settings})
            plane.call("POST", f"/api/models/servers/{model_id}/start")
            server = plane.call("GET", f"/api/models/servers/{model_id}")
            key = _key_of(server["pid"])
            yield {
                "ours": Place(plane.port, model_id, server["port"], key),
                "direct": Place(server["port"], model_id, server["port"], key),
            }


def _key_of(pid: int) -> str:
    for variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
        name, _, value = variable.decode().partition("=")
        if name == "LLAMA_API_KEY":
            return value
    raise SystemExit("the server has no key")


Leave = Callable[[Place], tuple[float, float]]


def measure(what: str, found: dict[str, Place], leave: Leave, rounds: int) -> None:
    print(f"\n{what}: from the client's leaving to the free slot, milliseconds (a token took)")
    seen: dict[str, list[float]] = {name: [] for name in found}
    for number in range(rounds + 1):
        words = []
        for name in sorted(found, reverse=bool(number % 2)):
            freed, token = leave(found[name])
            words.append(f"{name} {freed:8.1f}" + ("" if math.isnan(token) else f" ({token:5.1f})"))
            if number:
                seen[name].append(freed)
        if number:
            print("  " + "  ".join(sorted(words, reverse=True)))
    for name, values in seen.items():
        print_spread(name, values, "ms")


def main(arguments: Sequence[str]) -> None:
    rounds = int(arguments[0]) if arguments else 20
    few = max(1, rounds // 3)
    print_machine()
    with places(None) as found:
        measure("within a stream", found, Place.leave_a_stream, rounds)
        measure(
            "within a prompt, batches of llama-server's size",
            found,
            Place.leave_a_prompt,
            max(1, rounds // 3),
        )
    for batch in SMALLER_BATCHES:
        with places(batch) as found:
            measure(f"within a prompt, batches of {batch}", found, Place.leave_a_prompt, few)


if __name__ == "__main__":
    main(sys.argv[1:])
