"""Models as JSON. There may be thousands, and all are asked for at once: each is written anew only once it
has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pydantic import BaseModel

from synapse_engine.api.services import Services
from synapse_engine.api.views import is_verified, model_out, registry_out, status_of
from synapse_engine.catalog.registry import Entry

NO_MODELS = b'"models":[]'


def model_json(services: Services, entry: Entry) -> bytes:
    """A model as `model_out` shows it."""
    server = services.fleet.server_of(entry.model_id)
    state = (
        entry,
        services.fleet.budget.demand(entry),
        is_verified(services, entry.choices),
        status_of(server),
        server.failure if server else None,
        services.fleet.restart_required(entry),
    )
    known = services.rows.get(entry.model_id)
    if known is None or known[0] != state:
        known = state, model_out(services, entry).model_dump_json().encode()
        services.rows[entry.model_id] = known
    return known[1]


def registry_json(services: Services) -> bytes:
    """The whole registry, as `/api/models/registry` answers it."""
    return with_models(services, registry_out(services), services.registry.entries.values())


def with_models(services: Services, around: BaseModel, entries: Iterable[Entry]) -> bytes:
    """`around` as JSON, with the models in its `models`, which is empty and the only one of that name."""
    models = b",".join(model_json(services, entry) for entry in entries)
    return around.model_dump_json().encode().replace(NO_MODELS, b'"models":[%b]' % models, 1)


async def warm(services: Services) -> None:
    """Write every model beforehand, so that the first who asks for thousands need not wait."""
    for entry in list(services.registry.entries.values()):
        model_json(services, entry)
        await asyncio.sleep(0)
