"""Hugging Face over HTTP, or a hub that speaks as it does: what is in a repository, and a file's bytes.

Sources: the hub's own API (`/api/models/{repo}/revision/{rev}`, `/api/models/{repo}/tree/{rev}`), and
huggingface_hub for what its answers mean (`/{repo}/resolve/{rev}/{path}`, `X-Error-Code`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from synapse_engine.downloads.address import is_repo
from synapse_engine.downloads.errors import HubFailed, RepositoryNotFound, RepositoryRefused
from synapse_engine.downloads.offers import HubFile
from synapse_engine.errors import SynapseError

CONNECT_SECONDS = 15.0
SILENCE_SECONDS = 60.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5
MOST_PAGES = 50
SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}")

T = TypeVar("T")


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """commit: what the revision is now. is_gated: its files need an account that has accepted its terms."""

    repo: str
    commit: str
    is_gated: bool
    files: tuple[HubFile, ...]


class _Info(msgspec.Struct):
    id: str
    sha: str
    gated: bool | str = False


class _Lfs(msgspec.Struct):
    oid: str
    size: Annotated[int, msgspec.Meta(ge=0)]


class _Entry(msgspec.Struct):
    type: str
    path: str
    size: Annotated[int, msgspec.Meta(ge=0)] = 0
    lfs: _Lfs | None = None


def open_session() -> aiohttp.ClientSession:
    """To speak to the hub with: by the proxy that the environment names, if it does."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=True, read_bufsize=1 << 20
    )


class Hub:
    """token: sent to the endpoint alone, never to where it redirects."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: str, token: str | None) -> None:
        self.endpoint = endpoint
        self._session = session
        self._base = URL(endpoint)
        self._token = token

    async def repository(self, repo: str, revision: str) -> Repository:
        """What is there now. Raises RepositoryNotFound, RepositoryRefused, HubFailed."""
        info = await self._info(repo, revision)
        files: list[HubFile] = []
        url: URL | None = self._url(f"/api/models/{repo}/tree/{info.sha}") % {"recursive": "true"}
        for _ in range(MOST_PAGES):
            if url is None:
                break
            async with self._request("GET", url, repo) as response:
                entries = await _decoded(response, list[_Entry])
                following = response.links.get("next")
            files += [_file(entry) for entry in entries if entry.type == "file"]
            url = self._on_the_hub(following and following.get("url"))
        # As it is written there, or called by now; what was asked for was redirected to it.
        name = info.id if is_repo(info.id) else repo
        return Repository(repo=name, commit=info.sha, is_gated=bool(info.gated), files=tuple(files))

    async def check_access(self, repo: str, commit: str, path: str) -> None:
        """Whether the file would be handed out. Raises RepositoryNotFound, RepositoryRefused, HubFailed."""
        async with self._request("HEAD", self._file_url(repo, commit, path), repo, follows=False):
            pass

    @asynccontextmanager
    async def open(
        self, repo: str, commit: str, path: str, first_byte: int
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The file from a byte on (206), or the whole of it (200) from a hub that does not know ranges.

        Raises RepositoryNotFound, RepositoryRefused, HubFailed.
        """
        headers = {"Range": f"bytes={first_byte}-"} if first_byte else {}
        async with self._request("GET", self._file_url(repo, commit, path), repo, headers) as response:
            yield response

    async def _info(self, repo: str, revision: str) -> _Info:
        path = f"/api/models/{repo}/revision/{quote(revision, safe='')}"
        async with self._request("GET", self._url(path), repo) as response:
            info = await _decoded(response, _Info)
        if not COMMIT.fullmatch(info.sha):
            raise HubFailed(self.endpoint, f"it named a commit that is none: {info.sha[:80]}")
        return info

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        url: URL,
        repo: str,
        headers: Mapping[str, str] | None = None,
        *,
        follows: bool = True,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer at the end of all redirects, or the first; one that is good."""
        for _ in range(MOST_REDIRECTS + 1):
            async with await self._ask(method, url, headers or {}) as response:
                target = response.headers.get("Location") if response.status in REDIRECTS else None
                if target is None or not follows and not self._is_own(url.join(URL(target))):
                    if response.status >= 400:
                        raise self._refusal(response, repo)
                    yield response
                    return
                url = self._redirected(url, target)
        raise HubFailed(self.endpoint, "it redirects again and again")

    async def _ask(self, method: str, url: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        sent = {"Accept-Encoding": "identity", **headers}
        if self._token and self._is_own(url):
            sent["Authorization"] = f"Bearer {self._token}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        try:
            return await self._session.request(
                method, url, headers=sent, allow_redirects=False, timeout=timeout
            )
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise HubFailed(self.endpoint, str(error) or type(error).__name__) from error

    def _url(self, path: str) -> URL:
        return URL(f"{str(self._base).rstrip('/')}{path}", encoded=True)

    def _file_url(self, repo: str, commit: str, path: str) -> URL:
        return self._url(f"/{repo}/resolve/{commit}/{quote(path)}")

    def _is_own(self, url: URL) -> bool:
        return url.is_absolute() and url.origin() == self._base.origin()

    def _redirected(self, url: URL, target: str) -> URL:
        joined = url.join(URL(target, encoded=True))
        if joined.scheme not in ("https", url.scheme) or not joined.host:
            raise HubFailed(self.endpoint, f"it redirects to {joined.scheme}://{joined.host}")
        return joined

    def _on_the_hub(self, link: object) -> URL | None:
        """The next page, if it is the hub's own."""
        return link if isinstance(link, URL) and self._is_own(link) else None

    def _refusal(self, response: aiohttp.ClientResponse, repo: str) -> SynapseError:
        code = response.headers.get("X-Error-Code", "")
        said = response.headers.get("X-Error-Message", "")
        page = f"{self.endpoint}/{repo}"
        if code == "GatedRepo":
            return RepositoryRefused(
                f"{repo} is gated",
                f"Accept its terms at {page}, then set HF_TOKEN to a token of that account and start the "
                "control plane again.",
            )
        if response.status == 401 and self._token and "credential" in said.lower():
            return RepositoryRefused(
                "HF_TOKEN was not accepted", f"{self.endpoint} says: {said}. Make a new one in its settings."
            )
        if response.status == 403:
            return RepositoryRefused(
                f"{repo} may not be read",
                f"{said or 'The hub forbids it'}. HF_TOKEN must be of an account, and have the scope, to "
                "read it.",
            )
        if response.status in (401, 404):
            return _not_found(repo, code, page, has_token=self._token is not None)
        if response.status == 429:
            return HubFailed(self.endpoint, "it answers no more requests for now (429); HF_TOKEN allows more")
        return HubFailed(self.endpoint, f"it answered {response.status} {said}".strip())


def _not_found(repo: str, code: str, page: str, *, has_token: bool) -> RepositoryNotFound:
    if code == "RevisionNotFound":
        return RepositoryNotFound(repo, f"{page} is there, but not that revision of it.")
    if code == "EntryNotFound":
        return RepositoryNotFound(repo, f"{page} is there, but not that file.")
    advice = (
        "its account may not see it: HF_TOKEN is set, and was sent"
        if has_token
        else "set HF_TOKEN to a token of an account that may read it, and start the control plane again"
    )
    return RepositoryNotFound(
        repo, f"There is no {page}, or it is private. Check the spelling; else {advice}."
    )


def _file(entry: _Entry) -> HubFile:
    if entry.lfs is None:
        return HubFile(path=entry.path, size_bytes=entry.size)
    sha256 = entry.lfs.oid.removeprefix("sha256:")
    return HubFile(
        path=entry.path,
        size_bytes=entry.lfs.size,
        sha256=sha256 if SHA256.fullmatch(sha256) else None,
    )


async def _decoded(response: aiohttp.ClientResponse, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await response.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HubFailed(str(response.url.origin()), f"its answer makes no sense: {error}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise HubFailed(str(response.url.origin()), str(error) or "it fell silent") from error
