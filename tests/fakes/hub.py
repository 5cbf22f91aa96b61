"""A hub on 127.0.0.1 that answers as Hugging Face does, and another address that hands out the bytes."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from tests.fakes.ports import free_port

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER_COMMIT = "89abcdef0123456789abcdef0123456789abcdef"
CDN_PREFIX = "/xet-bridge/"
PIECE_BYTES = 16 << 10


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class FakeRepo:
    """files: content by path. promised: what its list says instead, by path. is_private, is_gated: what the
    token must be of. commit: of `main`.
    """

    name: str
    files: dict[str, bytes]
    promised: dict[str, dict[str, Any]] = field(default_factory=dict)
    token: str | None = None
    is_gated: bool = False
    commit: str = COMMIT
    page_size: int = 1000


@dataclass
class FakeHub:
    """Attributes to set: repos by name; cuts, after how many bytes the next answers break off; sends, instead
    of a file's content; knows_ranges; refuses, a status for everything; renamed. gate: no byte leaves while
    it is not set. Seen: asked, every request as (host's role, method, path, headers).
    """

    repos: dict[str, FakeRepo] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    sends: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str, dict[str, str]]] = field(default_factory=list)
    knows_ranges: bool = True
    refuses: int | None = None
    bytes_per_second: float | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    sent_bytes: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    endpoint: str = ""
    cdn: str = ""

    def add(self, name: str, files: dict[str, bytes], **facts: Any) -> FakeRepo:
        self.repos[name] = FakeRepo(name, files, **facts)
        return self.repos[name]

    def ranges(self) -> list[str]:
        """Of every request for bytes, in order; empty for the whole."""
        return [
            headers.get("Range", "")
            for role, method, _, headers in self.asked
            if role == "cdn" and method == "GET"
        ]

    async def info(self, request: web.Request) -> web.StreamResponse:
        repo, refusal = self._repo(request, "model")
        if refusal is not None or repo is None:
            return refusal or web.Response(status=500)
        if request.match_info["revision"] not in ("main", repo.commit):
            return refused(404, "RevisionNotFound", f"Invalid rev id: {request.match_info['revision']}")
        siblings = [{"rfilename": path} for path in repo.files]
        gated = "manual" if repo.is_gated else False
        return web.json_response(
            {"id": repo.name, "modelId": repo.name, "sha": repo.commit, "gated": gated, "siblings": siblings}
        )

    async def tree(self, request: web.Request) -> web.StreamResponse:
        repo, refusal = self._repo(request, "tree")
        if refusal is not None or repo is None:
            return refusal or web.Response(status=500)
        begin = int(request.query.get("cursor", "0"))
        entries = [{"type": "directory", "oid": "d" * 40, "size": 0, "path": "folder"}]
        for path in list(repo.files)[begin : begin + repo.page_size]:
            entries.append(self._entry(repo, path))
        response = web.json_response(entries)
        if begin + repo.page_size < len(repo.files):
            cursor = f"{self.endpoint}{request.path}?recursive=true&cursor={begin + repo.page_size}"
            response.headers["Link"] = f'<{cursor}>; rel="next"'
        return response

    def _entry(self, repo: FakeRepo, path: str) -> dict[str, Any]:
        content = repo.files[path]
        lfs = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 135}
        entry = {"type": "file", "oid": git_hash(content), "size": len(content), "path": path}
        if path.endswith(".gguf"):
            entry |= {"lfs": lfs, "xetHash": "e" * 64}
        return entry | repo.promised.get(path, {})

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        repo, refusal = self._repo(request, "resolve")
        if refusal is not None or repo is None:
            return refusal or web.Response(status=500)
        path = request.match_info["path"]
        if request.match_info["revision"] != repo.commit:
            return refused(404, "RevisionNotFound", "Invalid rev id")
        if path not in repo.files:
            return refused(404, "EntryNotFound", "Entry not found")
        if repo.is_gated and self._token(request) != repo.token:
            status = 403 if self._token(request) else 401
            return refused(status, "GatedRepo", f"Access to model {repo.name} is restricted")
        entry = self._entry(repo, path)
        headers = {
            "X-Repo-Commit": repo.commit,
            "X-Linked-Size": str(entry["size"]),
            "X-Linked-ETag": f'"{(entry.get("lfs") or entry)["oid"]}"',
            "Location": f"{self.cdn}{CDN_PREFIX}{repo.name}/{path}?X-Amz-Signature=abc%2Fdef",
        }
        return web.Response(status=302, headers=headers, text="Found. Redirecting")

    async def content(self, request: web.Request) -> web.StreamResponse:
        self._note("cdn", request)
        assert request.rel_url.raw_query_string == "X-Amz-Signature=abc%2Fdef"
        org, name, path = request.path.removeprefix(CDN_PREFIX).split("/", 2)
        content = self.sends.get(path, self.repos[f"{org}/{name}"].files[path])
        found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        first = int(found[1]) if found and self.knows_ranges else 0
        if first >= len(content) and first:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
        response = web.StreamResponse(status=206 if first else 200, headers={"ETag": '"of-the-cdn"'})
        response.content_length = len(content) - first
        if first:
            response.headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        await response.prepare(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._send(request, response, content[first:])
        finally:
            self.in_flight -= 1
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, content: bytes) -> None:
        cut = self.cuts.pop(0) if self.cuts else len(content)
        for begin in range(0, min(cut, len(content)), PIECE_BYTES):
            await self.gate.wait()
            piece = content[begin : min(begin + PIECE_BYTES, cut)]
            await response.write(piece)
            self.sent_bytes += len(piece)
            if self.bytes_per_second:
                await asyncio.sleep(len(piece) / self.bytes_per_second)
        if cut < len(content):
            assert request.transport is not None
            request.transport.close()

    def _repo(self, request: web.Request, role: str) -> tuple[FakeRepo | None, web.StreamResponse | None]:
        self._note(role, request)
        if self.refuses is not None:
            return None, refused(self.refuses, "", "Internal Error - We're working hard to fix this")
        if self._token(request) == "stale":
            return None, refused(401, "", "Invalid credentials in Authorization header")
        name = f"{request.match_info['org']}/{request.match_info['name']}"
        if name in self.renamed:
            target = request.path_qs.replace(name, self.renamed[name], 1)
            return None, web.Response(status=307, headers={"Location": target})
        repo = self.repos.get(name)
        is_hidden = repo is not None and repo.token is not None and not repo.is_gated
        if repo is None or (is_hidden and self._token(request) != repo.token):
            # What is private is not told from what is not there; without a token both are a 401.
            status = 404 if self._token(request) else 401
            return None, refused(status, "RepoNotFound", "Repository not found")
        return repo, None

    def _token(self, request: web.Request) -> str | None:
        return request.headers.get("Authorization", "").removeprefix("Bearer ") or None

    def _note(self, role: str, request: web.Request) -> None:
        self.asked.append((role, request.method, request.path, dict(request.headers)))


def refused(status: int, code: str, message: str) -> web.Response:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return web.json_response({"error": message}, status=status, headers=headers)


@asynccontextmanager
async def open_hub() -> AsyncIterator[FakeHub]:
    hub = FakeHub()
    hub.gate.set()
    front, behind = web.Application(), web.Application()
    front.router.add_get("/api/models/{org}/{name}/revision/{revision}", hub.info)
    front.router.add_get("/api/models/{org}/{name}/tree/{revision}", hub.tree)
    front.router.add_get("/{org}/{name}/resolve/{revision}/{path:.+}", hub.resolve)
    behind.router.add_get(CDN_PREFIX + "{path:.+}", hub.content)
    runners = []
    for application in (front, behind):
        runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        runners.append(runner)
        if application is front:
            hub.endpoint = f"http://127.0.0.1:{port}"
        else:
            hub.cdn = f"http://127.0.0.1:{port}"
    try:
        yield hub
    finally:
        hub.gate.set()
        for runner in runners:
            await runner.cleanup()


@contextmanager
def hub_aside() -> Iterator[FakeHub]:
    """In a thread of its own, for tests that wait for other processes. Its gate stays open."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    opened = open_hub()
    try:
        yield asyncio.run_coroutine_threadsafe(opened.__aenter__(), loop).result(10)
        asyncio.run_coroutine_threadsafe(opened.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
