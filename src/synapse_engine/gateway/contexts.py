"""How many tokens one request may have: its share of the context, not what the model was trained for."""

from __future__ import annotations

import asyncio

import msgspec

from synapse_engine.catalog.registry import Entry
from synapse_engine.errors import SynapseError, UpstreamFailed
from synapse_engine.fleet.cache import plan_slots
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.gateway.reply import Reply
from synapse_engine.gateway.upstream import Pool, place_of

ASK_SECONDS = 1.0


class _Generation(msgspec.Struct):
    n_ctx: int


class _Props(msgspec.Struct):
    default_generation_settings: _Generation


class Contexts:
    """A server is asked once after each of its starts; for one that does not run it is worked out."""

    def __init__(self, fleet: Fleet, pool: Pool) -> None:
        self._fleet = fleet
        self._pool = pool
        # By the server's key, which is new with each start.
        self._known: dict[str, int] = {}

    async def per_request(self, entry: Entry) -> int | None:
        """Tokens of the prompt and of the answer together; None where nothing says how many."""
        try:
            lease = self._fleet.lease(entry.model_id)
        except SynapseError:
            return self._planned(entry)
        tokens = self._known.get(lease.api_key)
        if tokens is None:
            tokens = await self._ask(lease.url, lease.api_key)
            if tokens is None:
                return self._planned(entry)
            # Those of earlier starts are of no use any more.
            known = dict(list(self._known.items())[-1000:])
            self._known = {**known, lease.api_key: tokens}
        return tokens

    def _planned(self, entry: Entry) -> int | None:
        demand = self._fleet.budget.demand(entry)
        trained = demand.model.context_length
        if trained is None and "ctx_size" not in demand.options:
            return None
        cells = plan_slots(demand.model, demand.options).cells
        # llama-server gives no slot more than the model was trained for.
        return min(cells, trained or cells)

    async def _ask(self, url: str, api_key: str) -> int | None:
        reply = Reply(self._pool, place_of(url, api_key))
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await reply.ask(b"GET", b"/props")
                return msgspec.json.decode(await reply.whole(), type=_Props).default_generation_settings.n_ctx
        except (TimeoutError, UpstreamFailed, msgspec.DecodeError):
            return None
        finally:
            reply.close()
