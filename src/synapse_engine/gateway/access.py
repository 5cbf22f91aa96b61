"""Who may call: Host, Origin and key. The same for every route, relayed or not. Pure.

A control plane that starts processes is a shell. A foreign page must not reach it through the person's
browser (Origin), nor by a name of its own that suddenly means 127.0.0.1 (Host: DNS rebinding).
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from synapse_engine.errors import SynapseError
from synapse_engine.settings import LOOPBACK_HOSTS, Settings

OPEN_PATHS = frozenset({"/", "/icon.svg", "/health", "/health/ready"})
OPEN_FOLDER = "/assets/"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Refused(SynapseError):
    """The request may not come in."""

    def __init__(self, status: int, error: str, detail: str) -> None:
        super().__init__(error, detail)
        self.status = status
        self.code = "unauthorized" if status == 401 else "forbidden"


class Access:
    """What the settings allow."""

    def __init__(self, settings: Settings) -> None:
        self._keys = _spellings(settings.api_key.get_secret_value()) if settings.api_key else []
        self._is_open_to_others = settings.host not in LOOPBACK_HOSTS
        allowed = {_host_name(host) for host in settings.allowed_hosts}
        self._hosts = LOOPBACK_HOSTS | {settings.host.lower()} | (allowed - {None})
        self.origins = frozenset(origin.rstrip("/") for origin in settings.allowed_origins)

    def check(self, scheme: str, path: str, headers: Mapping[str, str]) -> None:
        """Raises Refused."""
        host = headers.get("host", "")
        if not self._is_our_host(host):
            raise Refused(
                403, f"Host not allowed: {host}", "SYNAPSE_ALLOWED_HOSTS names the further hosts that are."
            )
        origin = headers.get("origin")
        if origin is not None and not self._is_our_origin(origin, f"{scheme}://{host}"):
            raise Refused(
                403, f"Origin not allowed: {origin}", "SYNAPSE_ALLOWED_ORIGINS names the origins that are."
            )
        if self._keys and _needs_key(path) and not self._has_key(headers):
            raise Refused(
                401,
                "API key missing or wrong",
                "Send the value of SYNAPSE_API_KEY as `Authorization: Bearer KEY` or `X-Api-Key: KEY`.",
            )

    def _is_our_host(self, host: str) -> bool:
        name = _host_name(host)
        if name is None:
            return False
        # An address cannot be rebound: only a name can be made to mean another machine.
        return name in self._hosts or (self._is_open_to_others and _is_address(name))

    def _is_our_origin(self, origin: str, own: str) -> bool:
        return origin in self.origins or _short_origin(origin) == _short_origin(own)

    def _has_key(self, headers: Mapping[str, str]) -> bool:
        """In either place: a client that has a token for somebody else as well sends both."""
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        given = [headers.get("x-api-key", ""), credentials if scheme.lower() == "bearer" else ""]
        # Headers are bytes, read as Latin-1 here. Browsers send that, shells the UTF-8 of the terminal.
        given_bytes = [key.strip(" \t").encode("latin-1") for key in given]
        return any(hmac.compare_digest(one, key) for one in given_bytes for key in self._keys)


def _spellings(key: str) -> list[bytes]:
    """What clients may send for a key: letters beyond ASCII are sent in one of two ways."""
    utf8 = key.encode()
    try:
        return [utf8, key.encode("latin-1")]
    except UnicodeEncodeError:
        return [utf8]


def _short_origin(origin: str) -> str:
    """An origin as browsers write it: in lower case, without its scheme's own port."""
    scheme, _, place = origin.lower().partition("://")
    return f"{scheme}://{place.removesuffix(DEFAULT_PORTS.get(scheme, ''))}"


def _needs_key(path: str) -> bool:
    """All but the page itself, which has to be there to ask for the key, and the health checks."""
    return path not in OPEN_PATHS and not path.startswith(OPEN_FOLDER)


def _host_name(host: str) -> str | None:
    """The name or address in a Host header, in lower case; None where it makes no sense."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
