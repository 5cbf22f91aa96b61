"""One disk with every store on it: exactly the right models, and what was chosen for them survives."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.catalog.model_files import (
    LLAMA,
    put,
    put_in_cache,
    put_in_ollama,
    put_manifest,
    put_mmproj,
    reasons,
    set_main,
)

from synapse_engine.catalog.discovery import Scan, scan
from synapse_engine.catalog.registry import Registry
from synapse_engine.catalog.stores import default_roots

OWN = "registry.ollama.ai/library"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with something in every store."""
    fill_hub(tmp_path / ".cache" / "huggingface" / "hub")
    fill_llama_cpp(tmp_path / ".cache" / "llama.cpp")
    put(tmp_path / ".lmstudio" / "models" / "me" / "Studio-3B" / "studio-3b-Q6_K.gguf")
    put(tmp_path / ".cache" / "lm-studio" / "models" / "me" / "Older-3B-GGUF" / "older-3b.gguf")
    fill_ollama(tmp_path / ".ollama" / "models")
    fill_plain(tmp_path / "plain")
    # The same files by other paths.
    (tmp_path / "plain" / "linked.gguf").symlink_to(tmp_path / "plain" / "big" / "plain-7b.gguf")
    (tmp_path / "plain" / "up").symlink_to(tmp_path)
    blob = next((tmp_path / ".ollama" / "models" / "blobs").glob("sha256-*"))
    os.link(blob, tmp_path / "plain" / "same-as-ollama-s.gguf")
    return tmp_path


def fill_hub(hub: Path) -> None:
    """Two revisions with one blob in common, a projector, a partial download."""
    for revision in ("old", "new"):
        put_in_cache(hub, "me/Hub-1B-GGUF", revision, "hub-1b-Q4_K_M.gguf", blob="0" * 64)
    put_in_cache(hub, "me/Hub-1B-GGUF", "old", "gone-in-new.gguf")
    set_main(hub, "me/Hub-1B-GGUF", "new")
    put_in_cache(hub, "you/See-4B", "one", "see-4b.gguf")
    vision = put_mmproj(hub / "models--you--See-4B" / "blobs" / "vision")
    (hub / "models--you--See-4B" / "snapshots" / "one" / "mmproj.gguf").symlink_to(vision)
    put(hub / "models--you--See-4B" / "blobs" / "half.incomplete")


def fill_llama_cpp(cache: Path) -> None:
    put(cache / "me_Flat-2B-GGUF_flat-2b-Q8_0.gguf")
    (cache / "manifest=me=Flat-2B-GGUF=latest.json").write_text("{}")
    (cache / "me_Flat-2B-GGUF_flat-2b-Q8_0.gguf.etag").write_text('"etag"')
    put(cache / "me_Flat-2B-GGUF_half-2b.gguf.downloadInProgress")


def fill_ollama(store: Path) -> None:
    blob = put_in_ollama(store, f"{OWN}/llama3.2/3b")
    put_manifest(store, f"{OWN}/llama3.2/latest", model=blob)
    put_in_ollama(store, f"{OWN}/llama3.2-vision/11b", {"general.architecture": "mllama"})
    (store / "blobs" / f"sha256-{'b' * 64}-partial").write_bytes(b"GGUF")


def fill_plain(folder: Path) -> None:
    put(folder / "big" / "plain-7b.gguf")
    for number in (1, 2, 3):
        put(folder / "shards" / f"split-70b-0000{number}-of-00003.gguf")
    put(folder / "draft" / "drafted-8b.gguf")
    put(folder / "draft" / "eagle3-drafted-8b.gguf", {"general.architecture": "eagle3"})
    put(folder / "lora.gguf", LLAMA | {"general.type": "adapter"})
    put(folder / "imatrix.gguf", {"general.type": "imatrix"})
    put(folder / "half.gguf.part")
    (folder / "broken.gguf").write_bytes(b"GGUF")


def scan_all(home: Path) -> Scan:
    roots = default_roots({"HOME": str(home)}, ollama_services=())
    return scan([home / "plain", *roots, *reversed(roots)])


EXPECTED = {
    "hf:me/Hub-1B-GGUF/hub-1b-Q4_K_M.gguf": "hub_1b_fast",
    "hf:you/See-4B/see-4b.gguf": "see_4b_fast",
    ".cache/llama.cpp/me_Flat-2B-GGUF_flat-2b-Q8_0.gguf": "flat_2b_fast",
    ".lmstudio/models/me/Studio-3B/studio-3b-Q6_K.gguf": "studio_3b_fast",
    ".cache/lm-studio/models/me/Older-3B-GGUF/older-3b.gguf": "older_3b_fast",
    "ollama:llama3.2:3b": "llama3.2_3b_fast",
    "ollama:llama3.2-vision:11b": "llama3.2_vision_11b_balanced",
    "plain/big/plain-7b.gguf": "plain_7b_fast",
    "plain/shards/split-70b-00001-of-00003.gguf": "split_70b_powerful",
    "plain/draft/drafted-8b.gguf": "drafted_8b_balanced",
}


def test_every_model_is_there_once(home: Path) -> None:
    found = scan_all(home)
    ids = {model.identity.removeprefix(f"{home}/"): model.base_id for model in found.models}
    assert ids == EXPECTED
    assert len(found.models) == len(EXPECTED)
    assert reasons(found) == {"broken.gguf": "is cut short: it has 4 bytes, not even a header's beginning"}


def test_every_part_is_where_it_belongs(home: Path) -> None:
    models = {model.base_id: model for model in scan_all(home).models}
    assert {name for name, model in models.items() if model.mmproj} == {"see_4b_fast"}
    assert {name for name, model in models.items() if model.draft} == {"drafted_8b_balanced"}
    assert {name for name, model in models.items() if model.problem} == {"llama3.2_vision_11b_balanced"}
    assert models["split_70b_powerful"].shard_count == 3


# -- what survives ---------------------------------------------------------------------------------


def touch_all(home: Path) -> None:
    for path in home.rglob("*.gguf"):
        if path.is_file():
            os.utime(path)


def download_again(home: Path) -> None:
    shutil.rmtree(home / ".cache" / "huggingface" / "hub")
    fill_hub(home / ".cache" / "huggingface" / "hub")


def take_a_new_revision(home: Path) -> None:
    hub = home / ".cache" / "huggingface" / "hub"
    put_in_cache(hub, "me/Hub-1B-GGUF", "newest", "hub-1b-Q4_K_M.gguf")
    set_main(hub, "me/Hub-1B-GGUF", "newest")


def pull_again(home: Path) -> None:
    """Both tags, and no other name: one that is left behind would go on naming the old model."""
    (home / "plain" / "same-as-ollama-s.gguf").unlink()
    store = home / ".ollama" / "models"
    blob = put_in_ollama(store, f"{OWN}/llama3.2/3b", LLAMA | {"llama.context_length": 9})
    put_manifest(store, f"{OWN}/llama3.2/latest", model=blob)


def move(home: Path) -> None:
    """Each file that is known by its path, with a header like no other, to another place."""
    (home / "plain" / "shards").rename(home / "plain" / "moved")


DEEDS: list[Callable[[Path], None]] = [
    lambda home: None, touch_all, download_again, take_a_new_revision, pull_again, move,
]  # fmt: skip


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__.strip("<>"))
async def test_choices_ids_and_ports_survive(home: Path, deed: Callable[[Path], None]) -> None:
    unlike = LLAMA | {"general.name": "like no other"}
    put(home / "plain" / "shards" / "split-70b-00001-of-00003.gguf", unlike)
    registry = await chosen(home)
    before = choices(registry)
    deed(home)
    await registry.record_scan(scan_all(home))
    registry = Registry.open(home / "model_registry.json")
    assert choices(registry) == before
    assert [entry.model_id for entry in registry.entries.values() if entry.missing] == []


async def test_all_that_vanishes_comes_back_as_it_was(home: Path) -> None:
    registry = await chosen(home)
    before = choices(registry)
    stores = [home / name for name in (".cache", ".lmstudio", ".ollama", "plain")]
    for store in stores:
        store.rename(home.parent / f"away-{store.name}")
    await registry.record_scan(scan_all(home))
    assert all(entry.missing for entry in registry.entries.values())
    for store in stores:
        (home.parent / f"away-{store.name}").rename(store)
    await registry.record_scan(scan_all(home))
    assert choices(registry) == before
    assert not any(entry.missing for entry in registry.entries.values())


async def chosen(home: Path) -> Registry:
    """A registry of all models, each with a port of its own."""
    registry = Registry.open(home / "model_registry.json")
    await registry.record_scan(scan_all(home))

    def choose(entries: Any) -> Any:
        return {
            model_id: msgspec.structs.replace(entry.choices, enabled=True, port=9000 + number)
            for number, (model_id, entry) in enumerate(entries.items())
        }

    await registry.edit(choose)
    return registry


def choices(registry: Registry) -> dict[str, Any]:
    return {model_id: entry.choices for model_id, entry in registry.entries.items()}
