"""A seeded random driver over the real control plane: it breaks things and checks that nothing is lost.

After each step these hold: every call was answered in its time with a documented answer; every process is
known or gone; ports are unique; registry and journal load and agree with what runs.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.e2e.killing import ControlPlane, engines_of
from tests.e2e.serving import serving_environment
from tests.fakes.stage import Behaviour, write_engine
from tests.gguf_files import write_llama

from synapse_engine.launch.base import server_id_of

DEADLINE_SECONDS = 30.0
SETTLE_SECONDS = 30.0
NAMES = ("ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "oak")
PORTS = 10
DOCUMENTED = {200, 202, 404, 409, 422, 500, 503, 504, 507}
BEHAVIOURS = (
    Behaviour(),
    Behaviour(),
    Behaviour(),
    Behaviour(ignores_sigterm=True),
    Behaviour(loads_when_told=True),
    Behaviour(exit_code=1, log=["error loading model: made to fail"]),
)


class Broken(Exception):
    """An invariant does not hold."""


@dataclass
class Chaos:
    """One run. Attributes to read: counts of what was done and answered."""

    folder: Path
    seed: int
    real: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.models = self.folder / "models"
        self.data = self.folder / "data"
        self.models.mkdir()
        for number, name in enumerate(NAMES):
            write_llama(self.path(name), seed=number)
            Behaviour().write(self.path(name), None)
        self.whole = {name: self.path(name).read_bytes() for name in NAMES}
        self.thieves: list[socket.socket] = []
        self.kills = 0
        self.is_down = False
        self.plane: ControlPlane

    def path(self, name: str) -> Path:
        return self.models / f"{name}-1B.gguf"

    def environment(self) -> dict[str, str]:
        quick = {
            "SYNAPSE_MAX_STARTUP_SECONDS": "2",
            "SYNAPSE_STOP_TIMEOUT_SECONDS": "0.5",
            "SYNAPSE_DRAIN_SECONDS": "0.5",
            "SYNAPSE_PROBE_SECONDS": "0.3",
            "SYNAPSE_RESTART_MAX": "2",
        }
        if not self.real:
            quick["LLAMA_SERVER_PATH"] = str(write_engine(self.folder / "llama-server", sys.executable))
        return serving_environment(self.data, self.models, ports=PORTS) | quick

    def run(self, steps: int) -> None:
        """So many random steps, the invariants checked after each. Raises Broken."""
        actions: list[Callable[[], None]] = [
            *[self.start, self.stop] * 4,
            *[self.start_all, self.stop_all, self.edit, self.rescan, self.behave] * 2,
            *[self.kill_server, self.hang_server, self.steal_port, self.cut_file, self.fill_disk],
            self.kill_control_plane,
        ]
        with ControlPlane(self.environment(), self.folder) as self.plane:
            for number in range(steps):
                chosen = self.random.sample(actions, self.random.choice((1, 1, 2, 3)))
                try:
                    self.take(chosen)
                    self.check()
                except Broken as broken:
                    names = [action.__name__ for action in chosen]
                    raise Broken(f"seed {self.seed}, step {number} {names}: {broken}") from broken
            self.release_ports()
            self.plane.end()
        if left := engines_of(self.models):
            raise Broken(f"left behind at the end: {left}")

    def take(self, actions: list[Callable[[], None]]) -> None:
        """All at once, but for the death of the control plane, which comes in the midst of the others."""
        others = [action for action in actions if action != self.kill_control_plane]
        failures: list[BaseException] = []
        threads = [threading.Thread(target=self._guarded, args=(each, failures)) for each in others]
        for thread in threads:
            thread.start()
        if self.kill_control_plane in actions:
            time.sleep(self.random.random() * 0.05)
            self.kill_control_plane()
        for thread in threads:
            thread.join(DEADLINE_SECONDS * 2)
            if thread.is_alive():
                raise Broken("a call was not answered in its time")
        if failures:
            raise failures[0]

    def _guarded(self, action: Callable[[], None], failures: list[BaseException]) -> None:
        try:
            action()
        except BaseException as failure:
            failures.append(failure)

    def call(self, method: str, path: str, body: object = None) -> None:
        """One request; a connection that breaks is fine only where the control plane was killed."""
        generation, was_down = self.kills, self.is_down
        name = f"{method} {path.split('?')[0].rsplit('/', 1)[-1]}"
        try:
            answer = httpx.request(
                method, self.plane.url + path, json=body, timeout=DEADLINE_SECONDS, trust_env=False
            )
        except httpx.TimeoutException:
            raise Broken(f"{method} {path} was not answered in {DEADLINE_SECONDS:.0f} s") from None
        except httpx.TransportError as error:
            if self.kills == generation and not was_down:
                raise Broken(f"{method} {path} broke off: {error!r}") from None
            self.counts[f"{name} cut by a kill"] += 1
            return
        self.counts[f"{name} {answer.status_code}"] += 1
        body_is_documented = answer.status_code < 400 or {"error", "detail"} <= answer.json().keys()
        if answer.status_code not in DOCUMENTED or not body_is_documented or "Internal" in answer.text:
            raise Broken(f"{method} {path}: {answer.status_code} {answer.text}")

    def model_id(self) -> str:
        return f"{self.random.choice(NAMES)}_1b_fast"

    def start(self) -> None:
        wait = self.random.choice(("true", "false"))
        self.call("POST", f"/api/models/servers/{self.model_id()}/start?wait={wait}")

    def stop(self) -> None:
        now = self.random.choice(("true", "false"))
        self.call("POST", f"/api/models/servers/{self.model_id()}/stop?now={now}")

    def start_all(self) -> None:
        self.call("POST", "/api/models/servers/start-all")

    def stop_all(self) -> None:
        self.call("POST", "/api/models/servers/stop-all")

    def rescan(self) -> None:
        self.call("POST", "/api/models/rescan")

    def edit(self) -> None:
        change = self.random.choice(
            (
                {"enabled": True},
                {"enabled": False},
                {"tier": "powerful"},
                {"tier": None},
                {"settings": {"ctx_size": self.random.choice((256, 512, 1024))}},
                {"settings": {"replicas": self.random.choice((None, 2, 3))}},
                {"port": None},
            )
        )
        self.call("PATCH", f"/api/models/{self.model_id()}", change)

    def behave(self) -> None:
        """From its next start on, a fake engine behaves otherwise."""
        behaviour = self.random.choice(BEHAVIOURS)
        behaviour.write(self.path(self.random.choice(NAMES)), None)

    def _signal_one(self, number: signal.Signals) -> None:
        if engines := sorted(engines_of(self.models)):
            try:
                os.kill(self.random.choice(engines), number)
            except ProcessLookupError:
                return
            self.counts[f"server {number.name}"] += 1

    def kill_server(self) -> None:
        self._signal_one(signal.SIGKILL)

    def hang_server(self) -> None:
        self._signal_one(signal.SIGSTOP)

    def steal_port(self) -> None:
        """A stranger listens on a port of the range, until the next theft."""
        self.release_ports()
        first = int(self.plane.environment["MODEL_PORT_RANGE_START"])
        try:
            self.thieves.append(socket.create_server(("127.0.0.1", first + self.random.randrange(PORTS))))
            self.counts["port stolen"] += 1
        except OSError:
            return

    def release_ports(self) -> None:
        for thief in self.thieves:
            thief.close()
        self.thieves.clear()

    def cut_file(self) -> None:
        """A model's file is cut in half, or made whole again."""
        name = self.random.choice(NAMES)
        content = self.whole[name]
        if self.path(name).stat().st_size == len(content):
            content = content[: len(content) // 2]
        self.path(name).write_bytes(content)
        self.counts["file cut or mended"] += 1

    def fill_disk(self) -> None:
        """For a moment the registry cannot be written: a folder stands where its new file would."""
        in_the_way = self.data / "model_registry.json.tmp"
        try:
            in_the_way.mkdir()
        except FileExistsError:
            return
        self.counts["registry blocked"] += 1
        try:
            self.edit()
            self.start()
        finally:
            shutil.rmtree(in_the_way)

    def kill_control_plane(self) -> None:
        self.kills += 1
        self.is_down = True
        self.plane.kill_and_start_again()
        self.is_down = False
        self.counts["control plane killed"] += 1

    def check(self) -> None:
        """The invariants, once what is under way has come to rest or at the latest after a while."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (problem := self.problem()) is not None:
            if time.monotonic() > deadline:
                raise Broken(problem)
            time.sleep(0.02)

    def problem(self) -> str | None:
        servers = self.plane.http.get("/api/models/servers").json()["servers"]
        registry = self.plane.http.get("/api/models/registry").json()
        known = {server["pid"] for server in servers if server["pid"]}
        running = engines_of(self.models)
        if known != running:
            return f"processes {running} against {known} known: {servers}"
        ports = [server["port"] for server in servers if server["pid"]]
        if len(ports) != len(set(ports)):
            return f"one port for two: {sorted(ports)}"
        kept = [model["port"] for model in registry["models"] if model["port"]]
        if len(kept) != len(set(kept)):
            return f"one port kept for two: {sorted(kept)}"
        return self._files_disagree(servers, registry)

    def _files_disagree(self, servers: list[dict[str, Any]], registry: dict[str, Any]) -> str | None:
        if registry["notices"]:
            return f"the registry was set aside: {registry['notices']}"
        saved = json.loads((self.data / "model_registry.json").read_bytes())
        choices = {entry["model_id"]: entry.get("choices", {}) for entry in saved["entries"]}
        for model in registry["models"]:
            if choices[model["model_id"]].get("enabled", False) != model["enabled"]:
                return f"{model['model_id']} is saved otherwise than it is shown"
        journal = {path.stem for path in (self.data / "journal").glob("*.json")}
        alive = {server_id_of(server["model_id"], server["replica"]) for server in servers if server["pid"]}
        if journal != alive:
            return f"the journal holds {journal}, and {alive} run"
        return None
