"""Containers of the image, run by runc in a network of their own that has a loopback only."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from image_under_test.report import Unexpected

PORT = 8000


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


def enter_a_network_of_its_own() -> None:
    """From here on, this process and all that it starts see a loopback that nobody else has."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "no network namespace; are you root?")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


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
