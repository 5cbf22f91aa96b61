"""`make test-image`: builds the container's image on this machine, runs it, and looks at it from outside.

Needs Debian, root and its packages (deploy/container/debian-packages.txt), and no container daemon:
debootstrap makes the base, buildah the image, runc runs it, as docker-compose.yml would have it, in a
network of its own that has a loopback only. Everything is kept in .cache/container, so that a second run
builds only what changed.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from image_under_test.building import CACHE, Builder, install_packages
from image_under_test.report import Report, Unexpected
from image_under_test.running import PORT, Container, Image, enter_a_network_of_its_own, listening, until

FIRST_200_SECONDS = 5.0
KEY = "a-key-of-the-test"
QUESTION = "What is the capital of France? Answer in one sentence."
# Run inside: ends the process whose arguments end in `synapse serve`.
KILL_CONTROL_PLANE = """
import os, pathlib, signal
for process in pathlib.Path("/proc").glob("[0-9]*"):
    arguments = (process / "cmdline").read_bytes().split(b"\\0")
    if b"serve" in arguments and any(one.endswith(b"synapse") for one in arguments):
        os.kill(int(process.name), signal.SIGKILL)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, required=True, help="a small GGUF chat model")
    parser.add_argument("--backend", default="vulkan", choices=("vulkan", "cpu", "cuda"))
    parser.add_argument("--build-arg", action="append", default=[], help="more for the build: NAME=VALUE")
    asked = parser.parse_args()
    report = Report()
    try:
        install_packages(report)
        CACHE.mkdir(parents=True, exist_ok=True)
        builder = Builder()
        base = builder.base(report)
        image = builder.build(base, asked.backend, asked.build_arg, report)
        with builder.mounted(image) as root, tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            look_inside(builder, image, root, report)
            enter_a_network_of_its_own()
            run_it(Image(root, builder.config(image), asked.model.resolve().parent, Path(scratch)), report)
    except (OSError, HTTPException, subprocess.CalledProcessError, Unexpected) as error:
        report.check(False, f"{type(error).__name__}: {error}")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


def look_inside(builder: Builder, image: str, root: Path, report: Report) -> None:
    config = builder.config(image)
    report.check(config["User"] not in ("", "0", "root"), "runs as a user of its own", config["User"])
    report.check("Healthcheck" in config, "has a health check")
    report.check("SYNAPSE_INSECURE" not in " ".join(config["Env"]), "does not switch the key off by itself")
    tools = ("pip", "pip3", "gcc", "cc", "make", "node", "npm", "git", "curl")
    places = ("usr/bin", "usr/local/bin", "opt/python/bin", "opt/synapse/bin")
    left = [f"/{place}/{tool}" for place in places for tool in tools if (root / place / tool).exists()]
    report.check(not left, "holds nothing to build with", " ".join(left))
    secrets = [
        path for path in ("run/secrets", "etc/pip.conf", "build", "data/.npmrc") if (root / path).exists()
    ]
    report.check(not secrets, "keeps nothing of the build's secrets", " ".join(secrets))


def run_it(image: Image, report: Report) -> None:
    with Container(image, "refused") as container:
        code, said = container.wait(), container.log.read_text()
        report.check(
            code == 1 and "SYNAPSE_API_KEY" in said, "without a key it says so and ends", f"exit code {code}"
        )
    with Container(image, "first", SYNAPSE_INSECURE="1") as container:
        check_start(container, report)
        check_surroundings(container, report)
        model_id = check_model(container, report)
        start(container, model_id, report)
        end(container, signal.SIGTERM, 0, report)
    with Container(image, "second", key=KEY) as container:
        check_start(container, report)
        check_key(container, report)
        report.check(
            find_model(container)["enabled"], "a new container knows the choices of the last", model_id
        )
        start(container, model_id, report)
        crash(container, model_id, report)
        end(container, signal.SIGKILL, 137, report)
    with Container(image, "third", SYNAPSE_INSECURE="1") as container:
        check_start(container, report)
        start(container, model_id, report)
        end_amid_an_answer(container, model_id, report)


def check_start(container: Container, report: Report) -> None:
    """The gate: answers soon, with nothing loaded."""
    seconds = container.first_200()
    report.check(seconds < FIRST_200_SECONDS, "first 200 on /health", f"{seconds:.2f} s after its start")
    servers: list[dict[str, Any]] = []

    def none_runs() -> bool:
        servers[:] = container.call("GET", "/api/models/servers")[1]["servers"]
        return all(server["status"] == "failed" for server in servers)

    # What a killed container left behind is looked for first, and for a moment seen as starting.
    is_idle = until(none_runs, 2)
    seen = ", ".join(f"{server['model_id']} is {server['status']}" for server in servers)
    report.check(is_idle, "with no server running", seen)


def check_surroundings(container: Container, report: Report) -> None:
    process = Path("/proc", str(container.pid))
    report.check((process / "comm").read_text().strip() == "tini", "PID 1 is tini")
    status, page = container.call("GET", "/")
    assets = re.findall(r'src="(/assets/[^"]+\.js)"', page)
    loads = bool(assets) and all(container.call("GET", path)[0] == 200 for path in assets)
    report.check(status == 200 and loads, "the page is there, and its script")
    report.check(container.call("GET", "/", Host="localhost:8000")[0] == 200, "localhost is its name")
    report.check(container.call("GET", "/", Host="example.org")[0] == 403, "example.org is not")
    report.check(container.check_health() == 0, "the health check passes")
    report.check(container.execute("touch", "/models/x") != 0, "the models cannot be written to")
    report.check(container.execute("touch", "/opt/x", "/etc/x") != 0, "nor can the image")


def check_key(container: Container, report: Report) -> None:
    refused = container.call("GET", "/api/models/registry", Authorization="Bearer wrong")[0]
    report.check(refused == 401, "a wrong key is refused", refused)


def find_model(container: Container) -> dict[str, Any]:
    """The one model of the folder, once the first scan has ended. Raises Unexpected."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = container.call("GET", "/api/models/registry")[1]["models"]
        return bool(found)

    if not until(look, 20):
        raise Unexpected("the model of /models was not found")
    return found[0]


def check_model(container: Container, report: Report) -> str:
    """Found, enabled, started, asked, stopped. Its id."""
    model = find_model(container)
    model_id: str = model["model_id"]
    report.check(model["status"] == "stopped", "the model of /models is found, and stopped", model_id)
    enabled = container.call("POST", "/api/models/enable", {"model_ids": [model_id], "enabled": True})[0]
    report.check(enabled == 200, "enabled")
    start(container, model_id, report)
    outside = [address for address in listening() if not address.startswith("127.0.0.1:")]
    report.check(
        outside == [f"0.0.0.0:{PORT}"], "only the control plane listens to others", ", ".join(listening())
    )
    question = {"model": model_id, "temperature": 0, "messages": [{"role": "user", "content": QUESTION}]}
    status, answer = container.call("POST", "/v1/chat/completions", question)
    said = answer["choices"][0]["message"]["content"] if status == 200 else answer
    report.check("Paris" in str(said), "asked for the capital of France", said)
    began = time.monotonic()
    status, answer = container.call("POST", f"/api/models/servers/{model_id}/stop")
    report.check(status == 200, "stopped", f"{time.monotonic() - began:.2f} s, {answer['status']}")
    report.check(listening() == [f"0.0.0.0:{PORT}"], "its port is free", ", ".join(listening()))
    return model_id


def start(container: Container, model_id: str, report: Report) -> None:
    """Start the model. While a container boots, that is answered with 503."""
    began = time.monotonic()
    status: int = 503
    answer: dict[str, Any] = {}

    def is_taken() -> bool:
        nonlocal status, answer
        status, answer = container.call("POST", f"/api/models/servers/{model_id}/start")
        return status != 503

    until(is_taken, 10)
    report.check(
        status == 200, "started", f"{time.monotonic() - began:.2f} s, port {answer.get('port', answer)}"
    )


def crash(container: Container, model_id: str, report: Report) -> None:
    """Kill the control plane alone, in the midst of its work."""
    path = f"/api/models/servers/{model_id}"
    before = container.call("GET", path)[1]
    container.execute("python", "-c", KILL_CONTROL_PLANE)

    def is_adopted() -> bool:
        try:
            status, after = container.call("GET", path)
        except (OSError, HTTPException):
            return False
        return status == 200 and (after["pid"], after["status"]) == (before["pid"], "running")

    report.check(until(is_adopted, 20), "a crash of the control plane leaves the model loaded", before["pid"])


def end(
    container: Container,
    number: signal.Signals,
    expected: int,
    report: Report,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    code, seconds, left = container.signal(number, meanwhile)
    seen = f"exit code {code} after {seconds:.2f} s"
    report.check(code == expected, f"{number.name} with a model loaded ends it", seen)
    report.check(not left, "no process is left", " ".join(map(str, left)))


def end_amid_an_answer(container: Container, model_id: str, report: Report) -> None:
    """What `docker stop` does to a stream: nothing, until it has ended."""
    connection = HTTPConnection("127.0.0.1", PORT, timeout=120)
    question = {"model": model_id, "stream": True, "max_tokens": 200, "ignore_eos": True}
    question["messages"] = [{"role": "user", "content": "Count from one to a hundred."}]
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(question), headers)
    stream = connection.getresponse()
    events = [stream.readline()]
    end(container, signal.SIGTERM, 0, report, meanwhile=lambda: events.extend(stream))
    is_whole = b"data: [DONE]\n" in events
    count = sum(event.startswith(b"data: ") for event in events)
    report.check(is_whole, "the answer that was running then came to its end", f"{count} events")


if __name__ == "__main__":
    sys.exit(main())
