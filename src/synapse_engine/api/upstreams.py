"""`/api/upstreams`: servers that others run, by URL."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter

from synapse_engine.api.errors import documented
from synapse_engine.api.services import Wired
from synapse_engine.api.wire.upstreams import UpstreamAsk, UpstreamList, UpstreamOut, UpstreamRemoved
from synapse_engine.gateway.remote import Remote, check_remote
from synapse_engine.gateway.remotes import Known

router = APIRouter(prefix="/api/upstreams", tags=["upstreams"])


@router.get("", responses=documented())
async def list_upstreams(services: Wired) -> UpstreamList:
    """Every upstream, as it was when it was last asked: at boot, when it was put, and once a minute."""
    return upstream_list(services.gateway.remotes.known.values())


@router.put("/{name}", responses=documented(404, 409, 507))
async def put_upstream(services: Wired, name: str, ask: UpstreamAsk) -> UpstreamOut:
    """Add or replace one, and ask it for 5 s at most which models it has. Not reachable, it is kept too."""

    def change(before: Remote | None) -> Remote:
        remote = _remote(name, ask, before)
        check_remote(remote)
        services.gateway.names.check_upstream(name)
        return remote

    return upstream_out(await services.gateway.remotes.put(name, change))


@router.delete("/{name}", responses=documented(404, 507))
async def remove_upstream(services: Wired, name: str) -> UpstreamRemoved:
    """Forget it and its key. What it is answering goes on."""
    await services.gateway.remotes.remove(name)
    return UpstreamRemoved(message=f"Upstream removed: {name}", name=name)


def upstream_list(known: Iterable[Known]) -> UpstreamList:
    return UpstreamList(upstreams=[upstream_out(each) for each in known])


def upstream_out(known: Known) -> UpstreamOut:
    remote, check = known.remote, known.check
    return UpstreamOut(
        name=remote.name,
        url=remote.url,
        has_key=remote.api_key is not None,
        key_header=remote.key_header,
        model=remote.model,
        reachable=check.is_reachable if check else None,
        models=list(known.models),
        problem=check.problem if check else None,
        checked_at=check.at if check else None,
    )


def _remote(name: str, ask: UpstreamAsk, before: Remote | None) -> Remote:
    key = ask.api_key.get_secret_value().strip() if ask.api_key is not None else ""
    remote = Remote(name, ask.url, key or None, ask.key_header, ask.model)
    if "api_key" in ask.model_fields_set or before is None or before.api_key is None:
        return remote
    # A key is never sent to whom it was not given for.
    check_remote(remote)
    if remote.origin != before.origin:
        return remote
    return Remote(name, ask.url, before.api_key, ask.key_header, ask.model)
