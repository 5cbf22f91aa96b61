"""How many tokens one request may have: its share of the context, not what the model was trained for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from synapse_engine.catalog.registry import Entry
from synapse_engine.errors import SynapseError, UpstreamFailed
from synapse_engine.fleet.cache import request_tokens
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.leases import Lease
from synapse_engine.gateway.fields import NOT_JSON
from synapse_engine.gateway.lines import Lines
from synapse_engine.gateway.reply import Reply
from synapse_engine.gateway.upstream import Pool

ASK_SECONDS = 1.0
KNOWN_MAX = 1000


class _Generation(msgspec.Struct):
    n_ctx: int


class _Props(msgspec.Struct):
    default_generation_settings: _Generation


class Contexts:
    """A server is asked once after each of its starts; for one that does not run it is worked out."""

    def __init__(self, fleet: Fleet, lines: Lines, pool: Pool) -> None:
        self._fleet = fleet
        self._lines = lines
        self._pool = pool
        # By the server's key, which is new with each start; None where it would not say.
        self._known: dict[str, int | None] = {}
        # By the same; whoever else wants to know meanwhile waits with the first.
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def learn(self, model_ids: Iterable[str]) -> None:
        """Ask those that have come up since; a model's replicas are all alike."""
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        found = {model_id: self._lease(model_id) for model_id in model_ids}
        asking = [
            self._ensure_asked(model_id, lease)
            for model_id, lease in found.items()
            if lease is not None and lease.api_key not in self._known
        ]
        await asyncio.gather(*map(asyncio.shield, asking))

    def per_request(self, entry: Entry) -> int | None:
        """Tokens of the prompt and of the answer together; None where nothing says how many."""
        lease = self._lease(entry.model_id)
        told = None if lease is None else self._known.get(lease.api_key)
        return self._planned(entry) if told is None else told

    def _lease(self, model_id: str) -> Lease | None:
        """Not entered: only for where the server is."""
        try:
            return self._fleet.lease(model_id)
        except SynapseError:
            return None

    def _planned(self, entry: Entry) -> int | None:
        demand = self._fleet.budget.demand(entry)
        if demand.model.context_length is None and "ctx_size" not in demand.options:
            return None
        return request_tokens(demand.model, demand.options)

    def _ensure_asked(self, model_id: str, lease: Lease) -> asyncio.Task[None]:
        """Done once it has answered whoever asked first."""
        key = lease.api_key
        if key not in self._asking:
            task = self._asking[key] = asyncio.create_task(self._ask(model_id, lease), name=f"ask {model_id}")
            task.add_done_callback(lambda _: self._asking.pop(key))
        return self._asking[key]

    async def _ask(self, model_id: str, lease: Lease) -> None:
        reply = Reply(self._pool, self._lines.place_of(model_id, lease))
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await reply.ask(b"GET", b"/props")
                props = msgspec.json.decode(await reply.whole(), type=_Props)
                self._known[lease.api_key] = props.default_generation_settings.n_ctx
        except (TimeoutError, UpstreamFailed):
            # It is busy, or just ending: another time.
            return
        except NOT_JSON:
            self._known[lease.api_key] = None
        finally:
            reply.close()
