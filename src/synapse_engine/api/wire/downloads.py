"""Downloads: what a repository offers, and what is being fetched."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from synapse_engine.api.wire.base import Ask, LastError, Mb, Seconds
from synapse_engine.downloads.download import Status


class DownloadAsk(Ask):
    """Which model of which repository. Where nothing says which, the recommended one is taken."""

    repo: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        description="a repository's name, that name and a quantization, or a page's or a file's address",
        examples=["org/repo", "org/repo:Q4_K_M", "hf.co/org/repo", "https://huggingface.co/org/repo"],
    )
    file: str | None = Field(None, description="its path in the repository; of several shards any one")
    quantization: str | None = Field(None, examples=["Q4_K_M", "UD-Q4_K_XL"])


class OfferedFile(BaseModel):
    path: str
    size_mb: Mb


class OfferOut(BaseModel):
    """A model of a repository: all that would be fetched."""

    file: str = Field(description="its path in the repository; the first shard's")
    quantization: str | None = Field(description="by the file's name")
    files: list[OfferedFile] = Field(description="all shards, and the projector that it sees with")
    size_mb: Mb
    shards: int
    has_projector: bool = Field(description="a projector (mmproj) comes with it, so it can see or hear")
    estimated_memory_mb: Mb = Field(description="a rough by its size, for a context of 8,192 tokens, in MB")
    fits: bool = Field(description="into all the memory for servers")
    fits_now: bool = Field(description="into what is free of it now")
    fits_gpu: bool | None = Field(description="into the GPUs alone; null where there is none")
    fits_disk: bool
    is_recommended: bool = Field(description="what is taken where nothing says which")
    is_here: bool = Field(description="it was downloaded before")
    download_id: str | None = Field(description="of a download of it that has not ended well yet")


class RepositoryOut(BaseModel):
    repo: str = Field(description="as the hub writes it")
    revision: str = Field(description="the commit that was found")
    url: str
    gated: bool = Field(description="its files need HF_TOKEN, of an account that has accepted its terms")
    offers: list[OfferOut] = Field(description="smallest first; empty where it has no GGUF files")
    disk_free_mb: Mb = Field(description="for one more download, in MB")


class DownloadOut(BaseModel):
    id: str
    repo: str
    revision: str = Field(description="the commit that it is of")
    quantization: str | None
    files: list[OfferedFile]
    folder: str = Field(description="where they come to")
    status: Status = Field(
        description="queued: two are fetched at a time; paused: until it is resumed; "
        "cancelled: gone from the list"
    )
    total_mb: Mb
    done_mb: Mb = Field(description="fetched so far, or while verifying, verified, in MB")
    progress: float = Field(description="of the step that status names, 0 to 1")
    mb_per_second: float | None = Field(description="of the last seconds; null where nothing comes")
    eta_seconds: Seconds | None = Field(description="of the step that status names, in seconds")
    error: LastError | None = Field(description="why it failed, and what to do")
    added_at: datetime
    ended_at: datetime | None
    model_id: str | None = Field(description="the model that it has become")


class DownloadList(BaseModel):
    downloads: list[DownloadOut] = Field(description="oldest first")
    folder: str = Field(description="where models come to")
    disk_free_mb: Mb = Field(description="for one more download, in MB")
