"""What a person writes or pastes -> a repository, and what is wanted of it. Pure text."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from synapse_engine.errors import InvalidChoice

DEFAULT_REVISION = "main"
HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
# What stands between a repository and a revision in the address of one of its pages or files.
VIEWS = frozenset({"blob", "resolve", "raw", "tree"})
EXTENSION = ".gguf"


class Address(NamedTuple):
    """repo: `org/name`. file: its path in the repository. quantization: as it was written, such as Q4_K_M."""

    repo: str
    revision: str = DEFAULT_REVISION
    file: str | None = None
    quantization: str | None = None


def parse_address(text: str, endpoint: str = "") -> Address:
    """`org/repo`, `org/repo:Q4_K_M`, `org/repo/file.gguf`, and the same behind `hf.co/` or as a page's or a
    file's address. endpoint: a hub whose addresses are understood too. Raises InvalidChoice.
    """
    segments = _segments(text.strip(), endpoint)
    if len(segments) < 2:
        raise _senseless(text)
    name, _, quantization = segments[1].partition(":")
    repo, revision, file = f"{segments[0]}/{name.removesuffix('.git')}", DEFAULT_REVISION, segments[2:]
    if file and file[0] in VIEWS:
        revision, file = file[1] if len(file) > 1 else DEFAULT_REVISION, file[2:]
    path = "/".join(file)
    if not path.lower().endswith(EXTENSION):
        if path and revision == DEFAULT_REVISION and segments[2] not in VIEWS:
            raise _senseless(text)
        path = ""
    if not (is_repo(repo) and is_revision(revision) and (not path or is_safe_path(path))):
        raise _senseless(text)
    return Address(repo, revision, path or None, quantization or None)


def is_repo(repo: str) -> bool:
    """Whether it is `org/name`, and nothing that could lead elsewhere."""
    parts = repo.split("/")
    return len(parts) == 2 and all(NAME.fullmatch(part) and ".." not in part for part in parts)


def is_revision(revision: str) -> bool:
    return REVISION.fullmatch(revision) is not None and ".." not in revision


def is_safe_path(path: str) -> bool:
    """Whether a path in a repository stays in its folder, whoever wrote it."""
    return "\\" not in path and all(
        segment not in ("", ".", "..") and segment.isprintable() for segment in path.split("/")
    )


def _segments(text: str, endpoint: str) -> list[str]:
    """Of the path, without what asks for a view of it; percent signs are read where it was an address."""
    hosts = HOSTS | {urlsplit(endpoint).netloc}
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() not in ("http", "https"):
        raise _senseless(text)
    host, _, path = (rest if separator else text).partition("/")
    if host.lower() in hosts:
        return [unquote(segment) for segment in re.split(r"[?#]", path)[0].strip("/").split("/")]
    if separator:
        raise InvalidChoice(
            f"Not on Hugging Face: {text}",
            "Models are fetched from Hugging Face alone, or from the hub that HF_ENDPOINT names.",
        )
    return text.strip("/").split("/")


def _senseless(text: str) -> InvalidChoice:
    return InvalidChoice(
        f"Not a repository: {text}",
        "Write org/repo, org/repo:Q4_K_M, org/repo/file.gguf, or paste a page's address from Hugging Face.",
    )
