"""Models fetched from Hugging Face: what a repository offers, and what is under way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from synapse_engine.api.errors import documented
from synapse_engine.api.services import Services, Wired
from synapse_engine.api.views import megabytes
from synapse_engine.api.wire.base import LastError
from synapse_engine.api.wire.downloads import (
    DownloadAsk,
    DownloadList,
    DownloadOut,
    OfferedFile,
    OfferOut,
    RepositoryOut,
)
from synapse_engine.downloads.address import Address, parse_address
from synapse_engine.downloads.download import Download, Status
from synapse_engine.downloads.offers import HubFile, Offer, plan_need_bytes, recommended
from synapse_engine.events import Bus
from synapse_engine.fleet.room import Space

# Their next one says as much.
TOLD_AGAIN = frozenset({Status.DOWNLOADING, Status.VERIFYING})

router = APIRouter(prefix="/api/downloads", tags=["downloads"])


@router.get("", responses=documented(507))
async def list_downloads(services: Wired) -> DownloadList:
    """Every download that was not removed."""
    return DownloadList(
        downloads=[download_out(download) for download in services.downloads.all],
        folder=str(services.settings.own_models),
        disk_free_mb=megabytes(max(0, services.downloads.room_bytes())),
    )


@router.get("/search", responses=documented(404, 502, 507))
async def search(
    services: Wired,
    repo: Annotated[str, Query(min_length=1, max_length=1000, description="as for a download")],
) -> RepositoryOut:
    """The models that a repository offers, each with whether this machine could run it. Fetches nothing."""
    repository, offers = await services.downloads.look(parse_address(repo, services.settings.hf_endpoint))
    spaces = await services.fleet.budget.admission.spaces()
    room_bytes = services.downloads.room_bytes()
    best = recommended(offers, repository.repo) if offers else None
    return RepositoryOut(
        repo=repository.repo,
        revision=repository.commit,
        url=f"{services.settings.hf_endpoint}/{repository.repo}",
        gated=repository.is_gated,
        offers=[
            _offer_out(services, repository.repo, offer, spaces, room_bytes, is_best=offer is best)
            for offer in offers
        ],
        disk_free_mb=megabytes(max(0, room_bytes)),
    )


@router.post("", status_code=202, responses=documented(404, 502, 507))
async def begin(services: Wired, ask: DownloadAsk) -> DownloadOut:
    """Begin to fetch a model, or go on with it: the same asked for twice is one download."""
    address = parse_address(ask.repo, services.settings.hf_endpoint)
    wanted = Address(
        address.repo,
        address.revision,
        ask.file or address.file,
        ask.quantization or address.quantization,
    )
    return download_out(await services.downloads.add(wanted))


@router.post("/{download_id}/resume", status_code=202, responses=documented(404, 507))
async def resume(services: Wired, download_id: str) -> DownloadOut:
    """Go on with one that was paused or has failed."""
    return download_out(services.downloads.resume(download_id))


@router.delete("/{download_id}", responses=documented(404))
async def remove(
    services: Wired,
    download_id: str,
    keep: Annotated[bool, Query(description="true: only pause it, to be resumed")] = False,
) -> DownloadOut:
    """Break it off, throw away what is not whole, and take it from the list. A model that is whole stays."""
    downloads = services.downloads
    return download_out(await (downloads.pause(download_id) if keep else downloads.remove(download_id)))


def tell_download(bus: Bus, download: Download) -> None:
    """As a `download` event; progress is not kept for those who come back."""
    data = download_out(download).model_dump_json().encode()
    bus.publish("download", data, is_kept=download.record.status not in TOLD_AGAIN)


def download_out(download: Download) -> DownloadOut:
    record, total_bytes = download.record, download.total_bytes
    done_bytes = total_bytes if record.status is Status.DONE else min(download.done_bytes, total_bytes)
    speed = download.speed.per_second(time.monotonic()) if record.status in TOLD_AGAIN else None
    ended_at = None if record.ended_at is None else datetime.fromtimestamp(record.ended_at, UTC)
    error = None
    if record.error is not None:
        error = LastError(error=record.error, detail=record.detail or "", at=ended_at or datetime.now(UTC))
    return DownloadOut(
        id=record.id,
        repo=record.repo,
        revision=record.commit,
        quantization=record.quantization,
        files=_files_out(record.files),
        folder=str(download.folder),
        status=record.status,
        total_mb=megabytes(total_bytes),
        done_mb=megabytes(done_bytes),
        progress=round(done_bytes / total_bytes, 4),
        mb_per_second=None if speed is None else megabytes(round(speed)),
        eta_seconds=round((total_bytes - done_bytes) / speed, 1) if speed else None,
        error=error,
        added_at=datetime.fromtimestamp(record.added_at, UTC),
        ended_at=ended_at,
        model_id=record.model_id,
    )


def _offer_out(
    services: Services, repo: str, offer: Offer, spaces: Sequence[Space], room_bytes: int, *, is_best: bool
) -> OfferOut:
    need_bytes = plan_need_bytes(offer)
    gpus = [space for space in spaces if space.kind == "gpu"]
    known = services.downloads.known(repo, offer)
    is_here = services.downloads.is_here(repo, offer)
    return OfferOut(
        file=offer.shards[0].path,
        quantization=offer.quantization,
        files=_files_out(offer.files),
        size_mb=megabytes(offer.size_bytes),
        shards=len(offer.shards),
        has_projector=offer.projector is not None,
        estimated_memory_mb=megabytes(need_bytes),
        fits=need_bytes <= sum(space.limit_bytes for space in spaces),
        fits_now=need_bytes <= sum(space.free_bytes for space in spaces),
        fits_gpu=need_bytes <= sum(space.limit_bytes for space in gpus) if gpus else None,
        fits_disk=is_here or (known.left_bytes() if known else offer.size_bytes) <= room_bytes,
        is_recommended=is_best,
        is_here=is_here,
        download_id=None if known is None or known.record.status is Status.DONE else known.record.id,
    )


def _files_out(files: Sequence[HubFile]) -> list[OfferedFile]:
    return [OfferedFile(path=file.path, size_mb=megabytes(file.size_bytes)) for file in files]
