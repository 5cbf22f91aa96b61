"""What every request of the gateway works with."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_engine.gateway.access import Access, Refused
from synapse_engine.gateway.activity import Activity
from synapse_engine.gateway.contexts import Contexts
from synapse_engine.gateway.errors import BodyTooLarge
from synapse_engine.gateway.framing import Fields
from synapse_engine.gateway.headers import lines_of
from synapse_engine.gateway.lines import Lines
from synapse_engine.gateway.names import Names
from synapse_engine.gateway.news import News
from synapse_engine.gateway.remotes import Remotes
from synapse_engine.gateway.upstream import Pool
from synapse_engine.settings import Settings

if TYPE_CHECKING:
    from synapse_engine.gateway.as_models.models import AsModels


class Gateway:
    """Attributes to use: activity, names, lines, news, remotes, pool and its outbox, contexts; spool_folder,
    for large bodies; body_max_bytes, to set at any time; modes, to set once, as they ask through the gateway,
    too.
    """

    modes: AsModels

    def __init__(
        self,
        settings: Settings,
        spool_folder: Path,
        activity: Activity,
        names: Names,
        lines: Lines,
        news: News,
        remotes: Remotes,
        pool: Pool,
        contexts: Contexts,
    ) -> None:
        self.activity = activity
        self.names = names
        self.lines = lines
        self.news = news
        self.outbox = pool.outbox
        self.remotes = remotes
        self.pool = pool
        self.contexts = contexts
        self.spool_folder = spool_folder
        self.body_max_bytes = settings.body_max_bytes
        self._access = Access(settings)
        self._default_headers: object = None
        self._default_lines = b""
        # Clients send the same few headers again and again.
        self._refusal = lru_cache(maxsize=1024)(self._find_refusal)

    def refusal(self, fields: Fields) -> Refused | None:
        """Why this client may not come in, by a request's headers; None where it may."""
        get = fields.get
        return self._refusal(get(b"host"), get(b"origin"), get(b"authorization"), get(b"x-api-key"))

    def check_size(self, body_bytes: int) -> None:
        """Whether a body may be that large. Raises BodyTooLarge."""
        if body_bytes > self.body_max_bytes:
            raise BodyTooLarge(self.body_max_bytes)

    def common_headers(self, default_headers: Iterable[tuple[bytes, bytes]], origin: bytes | None) -> bytes:
        """Lines that every answer has, and for a foreign page's that it may be read."""
        if default_headers is not self._default_headers:
            self._default_headers, self._default_lines = default_headers, lines_of(default_headers)
        if origin is None or origin.decode("latin-1") not in self._access.origins:
            return self._default_lines
        return b"%baccess-control-allow-origin: %b\r\nvary: Origin\r\n" % (self._default_lines, origin)

    def _find_refusal(
        self, host: bytes | None, origin: bytes | None, authorization: bytes | None, key: bytes | None
    ) -> Refused | None:
        given = {"host": host, "origin": origin, "authorization": authorization, "x-api-key": key}
        headers = {name: value.decode("latin-1") for name, value in given.items() if value is not None}
        try:
            self._access.check("http", "/v1", headers)
        except Refused as refusal:
            return refusal
        return None
