"""A request that finds its model stopped, and one that finds another model where its own has to go.

Each against doing it by hand, with the same command lines; the second against llama-server's own router and
llama-swap too. All answer the same question, and a time is that from the request to the answer's last byte.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.control_plane import ControlPlane, control_plane, free_port, model_path, until_200
from bench.gateway.llama_swap import find_llama_swap
from bench.sidebyside import compare, print_machine, print_spread

CHAT = "/v1/chat/completions"
QUESTION = {
    "messages": [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}],
    "max_tokens": 8,
    "temperature": 0,
}
# Beside the weights of one. A model takes 100 MB beside its own, so there is never memory for two.
LIMIT_MB_BESIDE_WEIGHTS = 180
# A quick start is a strict measure. Threads that have to share a core with other work wait for each other.
SETTINGS = {"ctx_size": 2048, "threads": max(1, (os.cpu_count() or 1) // 2)}
KEY = "key"
MB = 1_000_000
# From an answer to the next request, which is for the other model.
PAUSES_SECONDS = (0.0, 2.0)
# What says where a server is and who it is; the rest of a command line says how it works.
OWN_OPTIONS = ("--model", "--host", "--port", "--alias")
END_SECONDS = 10.0

Ask = Callable[[str], float]


def ask(port: int, model_id: str, key: str | None = None) -> float:
    """Seconds until the whole answer is there; any error is the end of the measurement."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    connection = http.client.HTTPConnection("127.0.0.1", port)
    began = time.perf_counter()
    try:
        connection.request("POST", CHAT, json.dumps({"model": model_id, **QUESTION}), headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    seconds = time.perf_counter() - began
    if response.status != 200 or not json.loads(answer)["choices"][0]["message"]["content"]:
        raise SystemExit(f"{model_id}: {response.status} {answer.decode()}")
    return seconds


class ByHand:
    """The very command lines that the control plane used, one of them running at a time."""

    def __init__(self, command_lines: Mapping[str, Sequence[str]]) -> None:
        self._command_lines = command_lines
        self._child: subprocess.Popen[bytes] | None = None

    def swap(self, model_id: str) -> float:
        """Stop what runs, start the other, ask it."""
        began = time.perf_counter()
        self.stop()
        line = self._command_lines[model_id]
        self._child = subprocess.Popen(
            line,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "LLAMA_API_KEY": KEY},
            # A share of the processor of its own, as those of the others have.
            start_new_session=True,
        )
        port = int(line[line.index("--port") + 1])
        until_200(port)
        ask(port, model_id, KEY)
        return time.perf_counter() - began

    def stop(self) -> None:
        if self._child is not None:
            self._child.send_signal(signal.SIGTERM)
            self._child.wait()
            self._child = None


def command_lines(plane: ControlPlane, model_ids: Sequence[str]) -> dict[str, list[str]]:
    """With which it starts each of them."""
    found = {}
    for model_id in model_ids:
        ask(plane.port, model_id)
        pid = plane.call("GET", f"/api/models/servers/{model_id}")["pid"]
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        found[model_id] = raw.decode().rstrip("\0").split("\0")
        # It has the memory for one, and leaves each to its requests for a moment.
        plane.call("POST", "/models/unload", {"model": model_id})
    return found


@contextmanager
def by_hand(lines: Mapping[str, Sequence[str]]) -> Iterator[ByHand]:
    hand = ByHand({model_id: _moved(line, free_port()) for model_id, line in lines.items()})
    try:
        yield hand
    finally:
        hand.stop()


@contextmanager
def router(lines: Mapping[str, Sequence[str]], models: Path, options: Sequence[str]) -> Iterator[Ask]:
    """llama-server's own, which keeps one model and starts each with these options."""
    port = free_port()
    line = next(iter(lines.values()))
    own = ["--models-dir", str(models), "--models-max", "1", "--host", "127.0.0.1", "--port", str(port)]
    names = {model_id: _model_of(line).stem for model_id, line in lines.items()}
    with _running([line[0], *own, *options], port):
        yield lambda model_id: ask(port, names[model_id])


@contextmanager
def llama_swap(program: str, lines: Mapping[str, Sequence[str]], folder: Path) -> Iterator[Ask]:
    port, config = free_port(), folder / "llama-swap.yaml"
    models = {}
    for model_id, line in lines.items():
        own = free_port()
        models[model_id] = {"cmd": " ".join(_moved(line, own)), "proxy": f"http://127.0.0.1:{own}"}
    config.write_text(json.dumps({"logLevel": "error", "models": models}))  # JSON is YAML
    with _running([program, "--config", str(config), "--listen", f"127.0.0.1:{port}"], port, "/v1/models"):
        yield lambda model_id: ask(port, model_id)


@contextmanager
def _running(command: Sequence[str], port: int, path: str = "/health") -> Iterator[None]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        until_200(port, path)
        yield
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _model_of(line: Sequence[str]) -> Path:
    return Path(line[line.index("--model") + 1])


def _moved(line: Sequence[str], port: int) -> list[str]:
    at = line.index("--port") + 1
    return [*line[:at], str(port), *line[at + 1 :]]


def _options(line: Sequence[str]) -> list[str]:
    """How it works: all but the program and what is of this one server."""
    rest, kept = list(line[1:]), []
    while rest:
        word = rest.pop(0)
        if word in OWN_OPTIONS:
            rest.pop(0)
        else:
            kept.append(word)
    return kept


def _chosen_options() -> list[str]:
    return [word for name, value in SETTINGS.items() for word in ("--" + name.replace("_", "-"), str(value))]


def compare_cold(plane: ControlPlane, hand: ByHand, model_id: str, rounds: int) -> None:
    def ours() -> float:
        seconds = ask(plane.port, model_id)
        plane.call("POST", "/models/unload", {"model": model_id})
        return seconds

    def theirs() -> float:
        seconds = hand.swap(model_id)
        hand.stop()
        return seconds

    compare("cold request", ours, theirs, rounds, peer="by hand")


def compare_swaps(
    contenders: Mapping[str, Ask], model_ids: Sequence[str], rounds: int, pause_seconds: float
) -> None:
    """Everybody in turn, from one model to the other and, in the next round, back."""
    names = list(contenders)
    print(f"\nswap, {pause_seconds:g} s after the last answer, {rounds} rounds in turn, seconds")
    print("  " + " ".join(f"{name:>10}" for name in names))
    rows: list[dict[str, float]] = []
    for number in range(rounds + 1):
        model_id = model_ids[number % 2]
        # Another order every round, so that nobody always finds the machine as the same one left it.
        in_order = names[number % len(names) :] + names[: number % len(names)]
        row = {}
        for name in in_order:
            if pause_seconds:
                # The pause is after one's own answer, not after another's.
                contenders[name](model_ids[(number + 1) % 2])
                time.sleep(pause_seconds)
            row[name] = contenders[name](model_id)
        if number:
            rows.append(row)
            print("  " + " ".join(f"{row[name]:10.4f}" for name in names))
    for name in names:
        print_spread(name, [row[name] for row in rows])
    for name in names[1:]:
        ratios = [row[names[0]] / row[name] for row in rows]
        print_spread(f"{names[0]} / {name}", ratios)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    print_machine()
    program = None if os.environ.get("NOSWAP") else find_llama_swap()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder, models = Path(scratch), Path(scratch, "models")
        models.mkdir()
        for name in ("one", "two"):
            shutil.copy(model_path(), models / f"{name}-135M.gguf")
        limit_mb = model_path().stat().st_size // MB + LIMIT_MB_BESIDE_WEIGHTS
        environment = {"SYNAPSE_MEMORY_LIMIT_MB": str(limit_mb)}
        plane = stack.enter_context(control_plane(folder / "data", models, environment=environment))
        model_ids = [model["model_id"] for model in plane.call("GET", "/api/models/registry")["models"]]
        for model_id in model_ids:
            plane.call("PATCH", f"/api/models/{model_id}", {"enabled": True, "settings": SETTINGS})
        lines = command_lines(plane, model_ids)
        print("# " + " ".join(next(iter(lines.values()))[1:]))
        hand = stack.enter_context(by_hand(lines))
        compare_cold(plane, hand, model_ids[0], rounds)
        contenders: dict[str, Ask] = {
            "ours": lambda model_id: ask(plane.port, model_id),
            "by hand": hand.swap,
            # As a person would start it, who has chosen the same settings; and told all that we tell ours.
            "router": stack.enter_context(router(lines, models, _chosen_options())),
            "router =": stack.enter_context(router(lines, models, _options(lines[model_ids[0]]))),
        }
        if program is not None:
            contenders["llama-swap"] = stack.enter_context(llama_swap(program, lines, folder))
        for pause_seconds in PAUSES_SECONDS:
            compare_swaps(contenders, model_ids, rounds, pause_seconds)


if __name__ == "__main__":
    main()
