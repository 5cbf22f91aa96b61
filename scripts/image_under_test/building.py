"""The image, built on this machine without a daemon: debootstrap makes the base, buildah the image."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from image_under_test.report import Report, Unexpected

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".cache" / "container"
PACKAGES = ROOT / "deploy" / "container" / "debian-packages.txt"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# What apt must be told on this machine, to reach its packages from inside the build as well.
APT_SETTINGS = ("Acquire::Check-", "Acquire::Force", "Acquire::http", "Acquire::Retries")
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


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
