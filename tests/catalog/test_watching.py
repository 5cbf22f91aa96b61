"""The scanner beside a disk that changes, with the real watch."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.catalog.model_files import put, put_in_cache, put_in_ollama
from tests.fakes.rig import until
from tests.gguf_files import write_llama

from synapse_engine.catalog.registry import Registry
from synapse_engine.catalog.scanner import Scanner
from synapse_engine.catalog.watching import Watch, may_matter, watch_folders


@asynccontextmanager
async def watched(
    *folders: Path, watch: Watch = watch_folders, rescan_seconds: float = 60.0
) -> AsyncIterator[tuple[Scanner, Registry]]:
    """A scanner that watches, once it does."""
    registry = Registry.open(folders[0].parent / "model_registry.json")
    begun = asyncio.Event()

    def on_change() -> None:
        if scanner.first_scan.is_set():
            begun.set()

    scanner = Scanner(registry, lambda: folders, on_change, watch, rescan_seconds)
    async with scanner.watching():
        await scanner.rescan()
        begun.clear()
        await begun.wait()
        yield scanner, registry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def stems(registry: Registry) -> list[str]:
    return [entry.model.stem for entry in registry.entries.values() if not entry.missing]


async def test_models_appear_and_vanish_by_themselves(folder: Path) -> None:
    async with watched(folder) as (_, registry):
        put(folder / "new" / "deep" / "x.gguf")
        await until(lambda: stems(registry) == ["x"])
        (folder / "new").rename(folder.parent / "elsewhere")
        await until(lambda: stems(registry) == [])


async def test_stores_are_watched_too(folder: Path) -> None:
    async with watched(folder) as (_, registry):
        put_in_cache(folder, "me/Tiny", "r", "tiny.gguf")
        await until(lambda: stems(registry) == ["tiny"])
        put_in_ollama(folder / "ollama", "registry.ollama.ai/library/llama3.2/3b")
        await until(lambda: stems(registry) == ["tiny", "llama3.2-3b"])


def copy_slowly(source: Path, target: Path, look: Callable[[], None] = lambda: None) -> None:
    content = source.read_bytes()
    with open(target, "wb") as file:
        for start in range(0, len(content), len(content) // 20):
            file.write(content[start : start + len(content) // 20])
            file.flush()
            look()
            time.sleep(0.1)


async def test_a_file_copied_slowly_appears_once_whole_and_never_as_broken(
    folder: Path, tmp_path: Path
) -> None:
    source = write_llama(tmp_path / "source.gguf")
    async with watched(folder) as (scanner, registry):

        def look() -> None:
            assert list(registry.entries) == []
            assert registry.skipped == ()

        slow = asyncio.create_task(asyncio.to_thread(copy_slowly, source, folder / "x-1b.gguf", look))
        await until((folder / "x-1b.gguf").exists)
        await scanner.rescan()
        await slow
        ended = time.perf_counter()
        await until(lambda: list(registry.entries) == ["x_1b_fast"])
        assert time.perf_counter() - ended < 2
        entry = registry.get("x_1b_fast")
        assert (entry.model.problem, entry.model.file_size_bytes) == (None, source.stat().st_size)
        assert registry.skipped == ()


async def test_another_file_does_not_wait_for_one_that_is_being_written(folder: Path, tmp_path: Path) -> None:
    source = write_llama(tmp_path / "source.gguf")
    async with watched(folder) as (_, registry):
        slow = asyncio.create_task(asyncio.to_thread(copy_slowly, source, folder / "slow.gguf"))
        put(folder / "quick.gguf")
        began = time.perf_counter()
        await until(lambda: stems(registry) == ["quick"])
        assert time.perf_counter() - began < 2
        assert not slow.done()
        await slow
        await until(lambda: stems(registry) == ["quick", "slow"])


async def test_a_broken_file_is_listed_after_all(folder: Path) -> None:
    async with watched(folder) as (_, registry):
        (folder / "x.gguf").write_bytes(b"no model")
        await until(lambda: [skipped.path for skipped in registry.skipped] == [str(folder / "x.gguf")])


async def test_where_watching_fails_it_is_said_and_the_rest_goes_on(folder: Path) -> None:
    def refuse(folders: Sequence[Path], stop: threading.Event) -> Iterator[Iterable[str]]:
        raise OSError(28, "OS file watch limit reached")
        yield ()

    async with watched(folder, watch=refuse) as (scanner, registry):
        assert "OS file watch limit reached" in scanner.notices[0]
        put(folder / "x.gguf")
        await scanner.rescan()
        assert stems(registry) == ["x"]


async def test_what_the_system_does_not_tell_is_found_all_the_same(folder: Path) -> None:
    def say_nothing(folders: Sequence[Path], stop: threading.Event) -> Iterator[Iterable[str]]:
        yield ()
        stop.wait()

    async with watched(folder, watch=say_nothing, rescan_seconds=0.1) as (scanner, registry):
        assert scanner.notices == []
        put(folder / "x.gguf")
        await until(lambda: stems(registry) == ["x"])
        await until(lambda: "fs.inotify.max_user_watches" in "".join(scanner.notices))


async def test_a_disk_at_rest_is_not_written_to(folder: Path) -> None:
    async with watched(folder) as (scanner, registry):
        before = (folder.parent / "model_registry.json").stat().st_mtime_ns
        last_scan = registry.last_scan
        await scanner.rescan()
        assert registry.last_scan != last_scan
        assert (folder.parent / "model_registry.json").stat().st_mtime_ns == before


async def test_a_folder_made_later_is_scanned(tmp_path: Path) -> None:
    later = tmp_path / "later"
    registry = Registry.open(tmp_path / "model_registry.json")
    scanner = Scanner(registry, lambda: (later,) if later.is_dir() else ())
    await scanner.rescan()
    put(later / "x.gguf")
    await scanner.rescan()
    assert (stems(registry), scanner.roots) == (["x"], (later,))


@pytest.mark.parametrize(
    ("path", "is_written", "matters"),
    [
        ("/m/x.gguf", True, True),
        ("/m/x.GGUF", False, True),
        ("/m/folder", False, True),
        ("/m/models--a--b/refs/main", True, True),
        ("/m/manifests/registry.ollama.ai/library/x/latest", True, True),
        ("/m/app.log", True, False),
        ("/m/blobs/abc.incomplete", False, False),
    ],
)
def test_what_may_matter(path: str, is_written: bool, matters: bool) -> None:
    assert may_matter(path, is_written=is_written) is matters
