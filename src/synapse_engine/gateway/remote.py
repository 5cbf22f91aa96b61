"""An upstream by URL: what a person says of it, how it is reached, and what it said when asked. Pure."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from synapse_engine.errors import InvalidChoice
from synapse_engine.gateway.fields import is_plain
from synapse_engine.gateway.upstream import Place

KeyHeader = Literal["authorization", "x-api-key"]

URL_CHARACTERS = 2048
KEY_CHARACTERS = 4096
MODEL_CHARACTERS = 300
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_URL = re.compile(r"https?://[\x21-\x7e]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Remote:
    """url: before `/v1`, which may stand at its end. model: what is asked for there where a request leaves it
    open.
    """

    name: str
    url: str
    api_key: str | None = field(default=None, repr=False)
    key_header: KeyHeader = "authorization"
    model: str | None = None

    @property
    def is_tls(self) -> bool:
        return self.url.startswith("https:")

    @property
    def origin(self) -> tuple[str, str | None, int | None]:
        """Whom its key is for."""
        parts = urlsplit(self.url)
        return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]


@dataclass(frozen=True)
class Check:
    """What asking it for its models came to. problem: why they are not known. at: when."""

    is_reachable: bool
    models: tuple[str, ...]
    problem: str | None
    at: datetime

    @property
    def says(self) -> tuple[bool, tuple[str, ...], str | None]:
        """All but the time."""
        return self.is_reachable, self.models, self.problem


def check_remote(remote: Remote) -> None:
    """Whether it can be one. Raises InvalidChoice."""
    if not _NAME.fullmatch(remote.name):
        raise InvalidChoice(
            f"Bad name of an upstream: {remote.name}",
            "It takes up to 64 of a-z, 0-9, dot, dash and underscore, and begins with a letter or a digit.",
        )
    problem = _problem_of(remote.url)
    if problem is not None:
        raise InvalidChoice(f"Bad URL: {remote.url}", problem)
    if remote.api_key is not None and not (
        is_plain(remote.api_key, KEY_CHARACTERS) and remote.api_key.isascii()
    ):
        raise InvalidChoice(
            f"Bad key of {remote.name}", f"It takes 1 to {KEY_CHARACTERS} printable ASCII characters."
        )
    if remote.model is not None and not is_plain(remote.model, MODEL_CHARACTERS):
        raise InvalidChoice(
            f"Bad model of {remote.name}", f"It takes 1 to {MODEL_CHARACTERS} printable characters."
        )


def place_at(remote: Remote, via: bytes, tls: ssl.SSLContext | None) -> Place:
    """Where and as whom it is asked. via: marks what has passed here."""
    parts = urlsplit(remote.url)
    assert parts.hostname is not None
    lines = [f"host: {parts.netloc}", f"via: 1.1 {via.decode()}"]
    if remote.api_key is not None:
        is_bearer = remote.key_header == "authorization"
        lines.append(f"{remote.key_header}: {'Bearer ' if is_bearer else ''}{remote.api_key}")
    return Place(
        parts.hostname,
        parts.port or _DEFAULT_PORTS[parts.scheme],
        "".join(f"{line}\r\n" for line in lines).encode("latin-1"),
        parts.path.rstrip("/").removesuffix("/v1").rstrip("/").encode(),
        tls,
        remote.name,
    )


def _problem_of(url: str) -> str | None:
    if len(url) > URL_CHARACTERS or not _URL.fullmatch(url):
        return "It is written as http://HOST:PORT or https://HOST, with a path where there is one, in ASCII."
    try:
        parts = urlsplit(url)
        has_host = _has_host(parts)
    except ValueError as error:
        return str(error)
    if not has_host:
        return "It names no host."
    if parts.username is not None or parts.password is not None:
        return "It must not hold a password: `api_key` is for that."
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        return "It must not have a query or a fragment."
    return None


def _has_host(parts: SplitResult) -> bool:
    """Raises ValueError for a port that is none."""
    return bool(parts.hostname) and parts.port != 0
