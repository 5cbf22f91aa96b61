"""What must hold before a server is spawned, and the command that comes of it."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from synapse_engine.catalog.registry import Choices, Entry, Registry
from synapse_engine.errors import CouldNotSave, InvalidChoice, ModelFileMissing, ModelNotFound, StartFailed
from synapse_engine.fleet.admission import Admission, Terms
from synapse_engine.fleet.cache import plan_slots
from synapse_engine.fleet.demand import plan_demand, start_digest
from synapse_engine.fleet.kept import KeptCaches, cache_name
from synapse_engine.fleet.life import Attempt
from synapse_engine.fleet.ports import Holding, plan_port
from synapse_engine.launch.base import Command, server_id_of
from synapse_engine.launch.command import build_command
from synapse_engine.launch.engine import Engine, Engines

log = logging.getLogger(__name__)


class Preparation:
    """Checks file and engine, reserves memory, claims the port in the registry, builds the command line."""

    def __init__(
        self,
        registry: Registry,
        engines: Engines,
        admission: Admission,
        kept_caches: KeptCaches,
        *,
        port_range: range,
        is_active: Callable[[str], bool],
        is_without_gpus: Callable[[str], Awaitable[bool]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._engines = engines
        self._port_range = port_range
        self._admission = admission
        self._kept_caches = kept_caches
        self._is_active = is_active
        self._is_without_gpus = is_without_gpus
        self._clock = clock
        # Of further replicas; a model's first one keeps its port in the registry.
        self._ports: dict[str, int] = {}
        self._noting: set[asyncio.Task[None]] = set()

    def keep_port(self, server_id: str, port: int) -> None:
        """A further replica that an earlier run has started has this one."""
        self._ports[server_id] = port

    async def prepare(
        self, model_id: str, replica: int, attempt: Attempt, terms: Terms, settings: Mapping[str, Any]
    ) -> Command:
        """The command of the next attempt at one of a model's servers, with these settings of the person's.

        Raises ModelFileMissing, StartFailed, EngineNotFound, NotEnoughMemory, NoFreePort.
        """
        known = self._registry.get(model_id)
        choices = msgspec.structs.replace(known.choices, settings=settings)
        entry, model = msgspec.structs.replace(known, choices=choices), known.model
        for path in model.files:
            if not os.path.exists(path):
                raise ModelFileMissing(model_id, path)
        if model.problem is not None:
            raise StartFailed(model.problem)
        engine = await self._engines.current(settings.get("engine"))
        if engine.problem is not None:
            raise StartFailed(engine.problem)
        if replica == 1:
            self._check_pin(entry)
        server_id = server_id_of(model_id, replica)
        demand = plan_demand(entry, engine, await self._admission.capacity())
        grant = await self._admission.admit(server_id, demand, terms, ran_out=attempt.ran_out)
        kept_as = self._kept_as(server_id, entry, engine, grant.context_tokens)
        if replica == 1:
            port, port_is_pinned = await self._claim_port(model_id, attempt.strangers)
        else:
            port, port_is_pinned = await self._claim_further_port(server_id, attempt.strangers), False
        # Not before it was let in: who asks first is to come in first.
        is_without_gpus = await self._is_without_gpus(engine.path)
        try:
            command = build_command(
                model_id,
                model,
                settings,
                engine,
                port=port,
                port_is_pinned=port_is_pinned,
                api_key=secrets.token_urlsafe(24),
                is_without_gpus=is_without_gpus,
                context_tokens=grant.context_tokens,
                prompt_cache_bytes=grant.prompt_cache_bytes,
                slot_save_path=str(self._kept_caches.folder) if kept_as else None,
            )
        except InvalidChoice as error:
            raise StartFailed(f"{error.error}. {error.detail}") from error
        return replace(
            command,
            replica=replica,
            slots=plan_slots(model, demand.options).sequences,
            need=grant.need,
            cache_name=kept_as,
            cache_bytes=demand.estimate.kv_bytes + demand.estimate.state_bytes,
        )

    def _kept_as(self, server_id: str, entry: Entry, engine: Engine, context_tokens: int) -> str | None:
        """What its prompt cache is kept as, where that is wanted and can be."""
        if not entry.choices.settings.get("keep_prompt_cache"):
            return None
        if engine.flag("slot_save_path") is None:
            log.warning("%s: %s cannot keep a prompt cache", server_id, engine.path)
            return None
        try:
            self._kept_caches.make_folder()
        except OSError as error:
            log.warning("%s: its prompt cache cannot be kept: %s", server_id, error)
            return None
        return cache_name(server_id, f"{start_digest(entry)}-{context_tokens}")

    def _check_pin(self, entry: Entry) -> None:
        """Raises StartFailed, before anybody makes room, where another model runs on the pinned port."""
        if not entry.choices.port_is_pinned:
            return
        port = entry.choices.port
        kept = [(model_id, other.choices.port) for model_id, other in self._registry.entries.items()]
        for server_id, taken in [*kept, *self._ports.items()]:
            if taken == port and server_id != entry.model_id and self._is_active(server_id):
                raise StartFailed(f"Port {port} already in use by {server_id}. Stop it, or pin another port.")

    async def _claim_port(self, model_id: str, strangers: frozenset[int]) -> tuple[int, bool]:
        """Write the model's port into the registry; a port taken over leaves its old holder there.

        Answers the port, and whether it is pinned. What is there already is not waited for again.
        """
        entries = self._registry.entries
        kept = entries[model_id].choices
        if not kept.held and kept.port == self._plan_port(model_id, entries, strangers):
            self._beside(self._note_start(model_id))
            return kept.port, kept.port_is_pinned

        def claim(entries: Mapping[str, Entry]) -> dict[str, Choices]:
            port = self._plan_port(model_id, entries, strangers)
            own = entries[model_id].choices
            claimed = msgspec.structs.replace(own, port=port, last_started_at=self._clock(), held=False)
            return self._taken_over(entries, port) | {model_id: claimed}

        await self._registry.edit(claim)
        choices = self._registry.get(model_id).choices
        assert choices.port is not None
        return choices.port, choices.port_is_pinned

    async def _claim_further_port(self, server_id: str, strangers: frozenset[int]) -> int:
        """As `_claim_port`, for a further replica: kept for as long as the control plane runs."""

        def claim(entries: Mapping[str, Entry]) -> dict[str, Choices]:
            port = self._plan_port(server_id, entries, strangers)
            self._ports[server_id] = port
            return self._taken_over(entries, port)

        await self._registry.edit(claim)
        return self._ports[server_id]

    async def _note_start(self, model_id: str) -> None:
        """When it was last started: among many, the port of the one unused longest is given away."""

        def note(entries: Mapping[str, Entry]) -> dict[str, Choices]:
            choices = entries[model_id].choices
            return {model_id: msgspec.structs.replace(choices, last_started_at=self._clock())}

        try:
            await self._registry.edit(note)
        except (CouldNotSave, ModelNotFound) as error:
            log.warning("%s", error)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="note a start")
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    def _plan_port(self, server_id: str, entries: Mapping[str, Entry], strangers: frozenset[int]) -> int:
        return plan_port(server_id, self._holdings(entries), self._port_range, strangers)

    def _taken_over(self, entries: Mapping[str, Entry], port: int) -> dict[str, Choices]:
        """The choices of models that had the port and do not run."""
        return {
            model_id: msgspec.structs.replace(entry.choices, port=None)
            for model_id, entry in entries.items()
            if entry.choices.port == port and not self._is_active(model_id)
        }

    def _holdings(self, entries: Mapping[str, Entry]) -> list[Holding]:
        firsts = [
            Holding(
                model_id,
                entry.choices.port,
                entry.choices.port_is_pinned,
                self._is_active(model_id),
                entry.choices.last_started_at,
            )
            for model_id, entry in entries.items()
            if entry.choices.port is not None
        ]
        return firsts + [
            Holding(server_id, port, False, self._is_active(server_id), None)
            for server_id, port in self._ports.items()
        ]
