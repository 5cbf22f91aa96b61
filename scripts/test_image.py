"""`make test-image`: builds the container's image on this machine, runs it, and looks at it from outside.

Needs Debian, root and its packages (deploy/container/debian-packages.txt), and no container daemon:
debootstrap makes the base, buildah the image, runc runs it, as docker-compose.yml would have it, in a
network of its own that has a loopback only. Everything is kept in .cache/container, so that a second run
builds only what changed.
"""

from __future__ import annotations

import argparse
import ast
import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "container"
PACKAGES = ROOT / "deploy" / "container" / "debian-packages.txt"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

PORT = 8000
FIRST_200_SECONDS = 5.0
KEY = "a-key-of-the-test"
QUESTION = "What is the capital of France? Answer in one sentence."

# The settings that docker-compose.yml does not hand on.
IMAGE_DECIDES = {
    "SYNAPSE_HOST",
    "SYNAPSE_PORT",
    "SYNAPSE_INSECURE",
    "SYNAPSE_DATA_DIR",
    "SYNAPSE_KEEP_SERVERS",
    "MODEL_SCAN_PATH",
    "LLAMA_SERVER_PATH",
}

# What apt must be told on this machine, to reach its packages from inside the build as well.
APT_SETTINGS = ("Acquire::Check-", "Acquire::Force", "Acquire::http", "Acquire::Retries")
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


class Report:
    """Says what was looked at, when, and counts."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self._began = time.monotonic()

    def check(self, is_right: bool, what: str, seen: object = "") -> None:
        self.passed += is_right
        self.failed += not is_right
        tail = f": {seen}" if seen != "" else ""
        self._line("ok" if is_right else "FAILED", f"{what}{tail}")

    def note(self, what: str) -> None:
        self._line("", what)

    def _line(self, verdict: str, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.2f} s  {verdict:<7}{text}", flush=True)


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


class Unexpected(Exception):
    """What follows makes no sense without what was expected here."""


# The build.


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def logged(name: str, *command: str | Path) -> None:
    """Run a long command with its output in a file; its end is shown if it fails."""
    log = CACHE / f"{name}.log"
    with log.open("w") as file:
        ended = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    if ended.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise Unexpected(f"{name} failed with exit code {ended.returncode}; the end of {log}:\n{tail}")


def install_packages(report: Report) -> None:
    wanted = PACKAGES.read_text().split()
    status = ["dpkg-query", "-W", "-f=${db:Status-Status}"]
    missing = [
        package
        for package in wanted
        if subprocess.run([*status, package], capture_output=True, text=True).stdout != "installed"
    ]
    if missing:
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        output("apt-get", "update", "-qq")
        output("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)
        report.note(f"installed {', '.join(missing)}")


class Builder:
    """buildah, with a storage of its own."""

    def __init__(self) -> None:
        self._buildah = ["buildah", "--root", f"{CACHE}/storage", "--runroot", f"{CACHE}/run"]
        overlay = subprocess.run([*self._buildah, "--storage-driver", "overlay", "info"], capture_output=True)
        self._buildah += ["--storage-driver", "overlay" if overlay.returncode == 0 else "vfs"]

    def base(self, report: Report) -> str:
        """This machine's Debian, at its smallest. Made once."""
        codename = output("sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME")
        name = f"localhost/debian-base:{codename}"
        if self._has(name):
            return name
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            root = Path(scratch, "root")
            make_base(codename, root)
            # A folder would be taken with the builder's owner; an archive keeps its own.
            archive = Path(scratch, "base.tar")
            output("tar", "-C", root, "--numeric-owner", "-cf", archive, ".")
            container = self._run("from", "scratch")
            self._run("add", "--quiet", container, str(archive), "/")
            self._run("commit", "--quiet", "--rm", "--format", "docker", container, name)
        report.note(f"made the base: Debian {codename}")
        return name

    def build(self, base: str, backend: str, more: list[str], report: Report) -> str:
        """The image of the Dockerfile."""
        name = f"localhost/synapse-engine:{backend}"
        began = time.monotonic()
        arguments = [f"--build-arg={a}" for a in (f"BASE={base}", f"BACKEND={backend}", *more)]
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            secrets = [f"--secret=id={i},src={path}" for i, path in write_secrets(Path(scratch)).items()]
            logged(
                "build",
                *(*self._buildah, "bud", "--layers", "--isolation=chroot", "--format=docker", *secrets),
                *(*arguments, f"--tag={name}", str(ROOT)),
            )
        sizes = [json.loads(self._run("images", "--json", image))[0]["size"] for image in (name, base)]
        report.check(True, "built", f"{time.monotonic() - began:.1f} s, {sizes[0]}, its Debian {sizes[1]}")
        return name

    @contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """A container's file system."""
        container = self._run("from", "--pull-never", image)
        try:
            yield Path(self._run("mount", container))
        finally:
            self._run("umount", container)
            self._run("rm", container)

    def config(self, image: str) -> dict[str, Any]:
        """What the image says about running it."""
        inspected = json.loads(self._run("inspect", "--type", "image", image))
        config: dict[str, Any] = inspected["Docker"]["config"]
        return config

    def _has(self, image: str) -> bool:
        return subprocess.run([*self._buildah, "inspect", image], capture_output=True).returncode == 0

    def _run(self, *arguments: str) -> str:
        return output(*self._buildah, *arguments)


def make_base(codename: str, root: Path) -> None:
    """debootstrap, from where this machine's apt takes its packages; then without what nobody reads."""
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    ask = ("apt-get", "indextargets", "--format", form, "Created-By: Packages", "Origin: Debian")
    if not output(*ask):
        output("apt-get", "update", "-qq")
    sources = [line.split() for line in output(*ask).splitlines()]
    mirror = next((uri for uri, release, part in sources if (release, part) == (codename, "main")), None)
    if mirror is None:
        raise Unexpected(f"apt knows no Debian {codename} to make a base of")
    logged("debootstrap", "debootstrap", "--variant=minbase", codename, root, mirror)
    lines = [f"deb {uri} {release} {part}\n" for uri, release, part in sources if part == "main"]
    Path(root, "etc/apt/sources.list").write_text("".join(lines))
    settings = [line for line in output("apt-config", "dump").splitlines() if line.startswith(APT_SETTINGS)]
    Path(root, "etc/apt/apt.conf.d/90build").write_text(
        "\n".join([*settings, 'Acquire::Languages "none";', ""])
    )
    for folder in (
        "var/cache/apt",
        "var/lib/apt/lists",
        "usr/share/doc",
        "usr/share/man",
        "usr/share/locale",
    ):
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir()


def write_secrets(folder: Path) -> dict[str, Path]:
    """How this machine reaches its registries, as the Dockerfile takes it. By id."""
    pip, npm = ["[global]"], []
    listed = output(sys.executable, "-m", "pip", "config", "list").splitlines()
    found = dict(line.split("=", 1) for line in sorted(listed, reverse=True))
    settings = {key.rsplit(".", 1)[1]: ast.literal_eval(value) for key, value in found.items()}
    pip += [f"{name} = {settings[name]}" for name in PIP_SETTINGS if name in settings]
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or os.environ.get("npm_config_registry")
    if shutil.which("npm"):
        registry = output("npm", "config", "get", "registry", "--loglevel=error")
    if registry:
        npm.append(f"registry={registry}")
    certificates = Path(settings.get("cert") or os.environ.get("SSL_CERT_FILE") or CERTIFICATES)
    secrets = {"pip_conf": folder / "pip.conf", "npmrc": folder / "npmrc"}
    if certificates.is_file():
        secrets["ca"] = certificates
        pip.append("cert = /run/secrets/ca")
        npm.append("cafile=/run/secrets/ca")
    secrets["pip_conf"].write_text("\n".join([*pip, ""]))
    secrets["npmrc"].write_text("\n".join([*npm, ""]))
    return secrets


# The image, from outside.


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
    check_compose(report)


def check_compose(report: Report) -> None:
    """Publishes with care, and knows every setting."""
    compose = (ROOT / "docker-compose.yml").read_text()
    published = re.findall(r'^ +- "([^"]*:\d+)"$', compose, re.MULTILINE)
    is_local = bool(published) and all(address.startswith("127.0.0.1:") for address in published)
    report.check(is_local, "docker-compose.yml publishes to this machine only", " ".join(published))
    settings = set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    unknown = settings - set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    report.check(not unknown, ".env.example explains every setting", " ".join(unknown))
    unknown = settings - IMAGE_DECIDES - set(re.findall(r"^ +- ([A-Z_]+)$", compose, re.MULTILINE))
    report.check(not unknown, "docker-compose.yml hands on every setting", " ".join(unknown))


def enter_a_network_of_its_own() -> None:
    """From here on, this process and all that it starts see a loopback that nobody else has."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "no network namespace; are you root?")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


class Image:
    """What every container of this run is made of. `/data` is a volume: the next container finds it."""

    def __init__(self, root: Path, config: dict[str, Any], models: Path, scratch: Path) -> None:
        self.scratch = scratch
        self.config = config
        self._root = root
        data = scratch / "data"
        shutil.copytree(root / "data", data)
        owner = (root / "data").stat()
        os.chown(data, owner.st_uid, owner.st_gid)
        data.chmod(owner.st_mode & 0o7777)
        self._mounts = [
            {"destination": "/data", "type": "bind", "source": str(data), "options": ["rbind", "rw"]},
            {"destination": "/models", "type": "bind", "source": str(models), "options": ["rbind", "ro"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]},
        ]

    def write_bundle(self, folder: Path, environment: dict[str, str]) -> None:
        """A container as docker-compose.yml has it: nothing to write but its volume, and no capabilities."""
        folder.mkdir()
        subprocess.run(["runc", "spec", "--bundle", folder], check=True)
        spec = json.loads((folder / "config.json").read_text())
        user, group = (int(part) for part in self.config["User"].split(":"))
        spec["process"].update(
            terminal=False,
            user={"uid": user, "gid": group},
            args=[*self.config["Entrypoint"], *self.config["Cmd"]],
            env=[*self.config["Env"], *(f"{name}={value}" for name, value in environment.items())],
            cwd=self.config["WorkingDir"] or "/",
            capabilities={},
            noNewPrivileges=True,
            rlimits=[],
        )
        spec["root"] = {"path": str(self._root), "readonly": True}
        spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "cgroup"] + self._mounts
        spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] != "network"]
        (folder / "config.json").write_text(json.dumps(spec))


class Container:
    """One run of the image's own command."""

    def __init__(self, image: Image, name: str, key: str | None = None, **environment: str) -> None:
        self.name = f"synapse-test-{os.getpid()}-{name}"
        self.log = image.scratch / f"{name}.log"
        self._key = key
        self._health_check = image.config["Healthcheck"]["Test"][1:]
        bundle = image.scratch / name
        image.write_bundle(bundle, environment | ({"SYNAPSE_API_KEY": key} if key else {}))
        self._runc = ["runc", "--root", str(image.scratch / "runc")]
        pid_file = bundle / "pid"
        self.began = time.monotonic()
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [*self._runc, "run", "--bundle", bundle, "--pid-file", pid_file, self.name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(lambda: pid_file.exists() or self._process.poll() is not None, 10)
        self.pid = int(pid_file.read_text()) if pid_file.exists() else None

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self._runc, "delete", "--force", self.name], capture_output=True)
        self._process.wait()

    def first_200(self) -> float:
        """Seconds from the start of its command to the first 200 on /health. Raises Unexpected."""
        if (
            not until(lambda: self._process.poll() is not None or self.is_healthy(), 30)
            or not self.is_healthy()
        ):
            raise Unexpected(f"no 200 on /health; the container said:\n{self.log.read_text()}")
        return time.monotonic() - self.began

    def is_healthy(self) -> bool:
        try:
            return self.call("GET", "/health")[0] == 200
        except (OSError, HTTPException):
            return False

    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", PORT, timeout=120)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if self._key:
            sent["Authorization"] = f"Bearer {self._key}"
        connection.request(method, path, None if body is None else json.dumps(body), sent | headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        is_json = response.getheader("Content-Type", "").startswith("application/json")
        return response.status, json.loads(text) if is_json else text

    def execute(self, *command: str) -> int:
        """The exit code of a command in the container, as `docker exec` runs it."""
        return subprocess.run([*self._runc, "exec", self.name, *command], capture_output=True).returncode

    def check_health(self) -> int:
        """The exit code of the image's own health check."""
        return self.execute(*self._health_check)

    def signal(
        self, number: signal.Signals, meanwhile: Callable[[], None] = lambda: None
    ) -> tuple[int, float, list[int]]:
        """Send it to PID 1. The exit code, the seconds until it, and the processes that are left."""
        assert self.pid is not None
        inhabited = os.readlink(f"/proc/{self.pid}/ns/pid")
        began = time.monotonic()
        os.kill(self.pid, number)
        meanwhile()
        code = self._process.wait(60)
        return code, time.monotonic() - began, [pid for pid, space in pid_namespaces() if space == inhabited]

    def wait(self) -> int:
        return self._process.wait(30)


def until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Ask often, until it is so or time is over."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def pid_namespaces() -> Iterator[tuple[int, str]]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield int(process.name), os.readlink(process / "ns" / "pid")
        except OSError:
            continue


def listening() -> list[str]:
    """Every address that is listened on in this network, such as `127.0.0.1:8080`."""
    found = []
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        if state == "0A":
            address, port = local.split(":")
            octets = struct.pack("=I", int(address, 16))
            found.append(f"{socket.inet_ntoa(octets)}:{int(port, 16)}")
    return sorted(found)


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
