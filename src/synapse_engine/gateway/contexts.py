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
from synapse_engine.gateway.reply import Reply
from synapse_engine.gateway.upstream import Pool, place_of

ASK_SECONDS = 1.0
KNOWN_MAX = 1000


class _Generation(msgspec.Struct):
    n_ctx: int


class _Props(msgspec.Struct):
    default_generation_settings: _Generation


class Contexts:
    """A server is asked once after each of its starts; for one that does not run it is worked out."""

    def __init__(self, fleet: Fleet, pool: Pool) -> None:
        self._fleet = fleet
        self._pool = pool
        # By the server's key, which is new with each start; None where it would not say.
        self._known: dict[str, int | None] = {}

    async def learn(self, model_ids: Iterable[str]) -> None:
        """Ask those that have come up since; a model's replicas are all alike."""
        leases = [self._lease(model_id) for model_id in model_ids]
        new = [lease for lease in leases if lease is not None and lease.api_key not in self._known]
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        await asyncio.gather(*map(self._ask, new))

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

    async def _ask(self, lease: Lease) -> None:
        reply = Reply(self._pool, place_of(lease.url, lease.api_key))
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
