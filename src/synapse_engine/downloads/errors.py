"""What can go wrong with a download.

SynapseError
  RepositoryNotFound       404
  RepositoryRefused        403
  FileNotOffered           404
  HubFailed                502
  DownloadBroken           502
  DownloadNotFound         404
  NotEnoughDisk            507
"""

from __future__ import annotations

from synapse_engine.errors import SynapseError


class RepositoryNotFound(SynapseError):
    """Hugging Face does not have it, or does not tell: private ones look the same."""

    code = "repository_not_found"
    status = 404

    def __init__(self, repo: str, detail: str) -> None:
        super().__init__(f"Repository not found: {repo}", detail)


class RepositoryRefused(SynapseError):
    """Hugging Face has it, and does not hand it out to whoever asks."""

    code = "repository_refused"
    status = 403


class FileNotOffered(SynapseError):
    """What was asked for is not in the repository, or means several."""

    code = "file_not_offered"
    status = 404

    def __init__(self, repo: str, asked: str, offered: list[str]) -> None:
        if offered:
            detail = f"It has: {', '.join(offered)}. Name one of them."
        else:
            detail = "It has no GGUF files. Look for a repository whose name ends in GGUF."
        super().__init__(f"No such model in {repo}" + (f": {asked}" if asked else ""), detail)


class HubFailed(SynapseError):
    """Hugging Face cannot be reached, or answers with nothing that could be used. It may pass."""

    code = "hub_failed"
    status = 502

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(
            "Hugging Face did not answer",
            f"{endpoint}: {reason}. Try again; HF_ENDPOINT names another hub.",
        )


class DownloadNotFound(SynapseError):
    code = "download_not_found"
    status = 404

    def __init__(self, download_id: str) -> None:
        super().__init__(f"Download not found: {download_id}", "GET /api/downloads lists them.")


class DownloadBroken(SynapseError):
    """What came is not what the repository says it has."""

    code = "download_broken"
    status = 502

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            "The download is broken", f"{path}: {reason}. What was fetched of it is thrown away; try again."
        )


class NotEnoughDisk(SynapseError):
    code = "not_enough_disk"
    status = 507

    def __init__(self, folder: str, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            "Not enough room on the disk",
            f"{folder} has {free_bytes / 1e6:,.0f} MB free, and {needed_bytes / 1e6:,.0f} MB are needed. "
            "Make room and resume, or keep models elsewhere with SYNAPSE_DATA_DIR.",
        )
