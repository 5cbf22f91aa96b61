"""Upstreams by URL: servers that others run, asked for under a name of ours. Kept in the store, keys too."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import ssl
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from synapse_engine.errors import CouldNotSave, StoreFailed
from synapse_engine.gateway.errors import UpstreamLoop, UpstreamNotFound
from synapse_engine.gateway.remote import MODEL_CHARACTERS, Check, Remote, place_at
from synapse_engine.gateway.reply import Reply
from synapse_engine.gateway.survey import survey
from synapse_engine.gateway.upstream import Place, Pool
from synapse_engine.store import Store

CHECK_AGAIN_SECONDS = 60.0
# Clients choose the model's name, so without a bound there would be records and metrics of any number.
UNLISTED_MAX = 100

T = TypeVar("T")
Change = Callable[[Remote | None], Remote]

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Known:
    """One upstream. via: what marks requests that have passed here. check: None until it was asked once."""

    remote: Remote
    place: Place
    via: bytes
    check: Check | None = None

    @property
    def models(self) -> tuple[str, ...]:
        return self.check.models if self.check else ()

    def refuse_round_trips(self, lines: bytes) -> None:
        """lines: a request's headers. Raises UpstreamLoop where they say that it has been here before."""
        if self.via in lines:
            raise UpstreamLoop(self.remote.name)


class Remotes:
    """All of them. Reads are plain and at once, writes one after the other; memory follows the store.

    Attribute to read: known, all by name; never changed in place: whatever changes makes a new one.
    on_change: told that one has come, gone or changed, or is found otherwise than before.
    """

    def __init__(self, store: Store, pool: Pool, on_change: Callable[[], None]) -> None:
        self._store = store
        self._pool = pool
        self._on_change = on_change
        self._via = f"synapse-{secrets.token_hex(8)}".encode()
        self.known: Mapping[str, Known] = MappingProxyType({})
        self._unlisted: dict[str, set[str]] = {}
        self._tls: ssl.SSLContext | None = None
        self._writer = asyncio.Lock()

    def get(self, name: str) -> Known:
        """Raises UpstreamNotFound."""
        known = self.known.get(name)
        if known is None:
            raise UpstreamNotFound(name)
        return known

    def label(self, name: str, model: str) -> str:
        """What a request to it is recorded under: of models that it does not list, only for so many."""
        known = self.known[name]
        if model not in known.models and model != known.remote.model:
            unlisted = self._unlisted.setdefault(name, set())
            if len(model) > MODEL_CHARACTERS or (model not in unlisted and len(unlisted) >= UNLISTED_MAX):
                return name
            unlisted.add(model)
        return f"{name}/{model}"

    async def load(self) -> None:
        """Read what is kept. Raises StoreRefused; where nothing can be read there are none."""
        try:
            remotes = await self._store.run(_read)
        except StoreFailed as error:
            log.warning("No upstream is known: %s", error)
            return
        known = {remote.name: await self._known_as(remote) for remote in remotes}
        self.known = MappingProxyType(known)

    async def put(self, name: str, change: Change) -> Known:
        """Save one that `change` makes of the one before; it may raise to refuse. Then ask it what it has.

        Raises CouldNotSave; then nothing has changed.
        """
        await _finish(self._put(name, change))
        return await self.check(name)

    async def remove(self, name: str) -> None:
        """Forget it. What it is answering goes on. Raises UpstreamNotFound, CouldNotSave."""
        await _finish(self._remove(name))

    async def check(self, name: str) -> Known:
        """Ask it now which models it has. Raises UpstreamNotFound."""
        known = self.get(name)
        found = await survey(Reply(self._pool, known.place), known.remote)
        latest = self.get(name)
        if latest.remote is not known.remote:
            return latest
        now = replace(latest, check=found)
        is_news = latest.check is None or found.says != latest.check.says
        self.known = MappingProxyType({**self.known, name: now})
        if is_news:
            self._on_change()
        return now

    async def watch(self) -> None:
        """Ask each again and again, until cancelled."""
        while True:
            async with asyncio.TaskGroup() as group:
                for name in self.known:
                    group.create_task(self._look_at(name))
            await asyncio.sleep(CHECK_AGAIN_SECONDS)

    async def _look_at(self, name: str) -> None:
        try:
            await self.check(name)
        except UpstreamNotFound:
            log.debug("%s has gone meanwhile", name)

    async def _put(self, name: str, change: Change) -> None:
        async with self._writer:
            before = self.known.get(name)
            remote = change(before.remote if before else None)
            known = await self._known_as(remote)
            await self._save(lambda connection: _write(connection, remote))
            self.known = MappingProxyType(dict(sorted({**self.known, name: known}.items())))
        self._on_change()

    async def _remove(self, name: str) -> None:
        async with self._writer:
            self.get(name)
            await self._save(lambda connection: _delete(connection, name))
            self.known = MappingProxyType({n: known for n, known in self.known.items() if n != name})
            self._unlisted.pop(name, None)
        self._on_change()

    async def _save(self, work: Callable[[sqlite3.Connection], None]) -> None:
        try:
            await self._store.run(work)
        except StoreFailed as error:
            raise CouldNotSave(error.path, error.reason) from error

    async def _known_as(self, remote: Remote) -> Known:
        if self._tls is None and remote.is_tls:
            # It reads every certificate that the system trusts, or those of SSL_CERT_FILE.
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return Known(remote, place_at(remote, self._via, self._tls if remote.is_tls else None), self._via)


def _read(connection: sqlite3.Connection) -> list[Remote]:
    rows = connection.execute("SELECT name, url, api_key, key_header, model FROM upstreams ORDER BY name")
    return [Remote(*row) for row in rows]


def _write(connection: sqlite3.Connection, remote: Remote) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO upstreams (name, url, api_key, key_header, model) VALUES (?, ?, ?, ?, ?)",
        (remote.name, remote.url, remote.api_key, remote.key_header, remote.model),
    )


def _delete(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("DELETE FROM upstreams WHERE name = ?", (name,))


async def _finish(work: Coroutine[Any, Any, T]) -> T:
    """To its end though its caller is cancelled, so that memory and store stay the same."""
    return await asyncio.shield(asyncio.ensure_future(work))
