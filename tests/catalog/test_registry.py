from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.catalog.saved_models import model, registry_of, scan_of

from synapse_engine.catalog.found import Skipped
from synapse_engine.catalog.model import Model, Tier, Weights
from synapse_engine.catalog.registry import Choices, Entry, Registry, RegistryRefused
from synapse_engine.errors import AmbiguousModelName, CouldNotSave, InvalidChoice, ModelNotFound


def enable(*model_ids: str) -> Any:
    def change(entries: Mapping[str, Entry]) -> dict[str, Choices]:
        return {
            model_id: msgspec.structs.replace(entries[model_id].choices, enabled=True)
            for model_id in model_ids
        }

    return change


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model_registry.json"


# -- choices ---------------------------------------------------------------------------------------


async def test_choices_and_the_last_scan_survive_a_restart(path: Path) -> None:
    registry = Registry.open(path)
    assert (dict(registry.entries), registry.last_scan, registry.notices) == ({}, None, [])
    skipped = (Skipped("/m/bad.gguf", "is empty"),)
    await registry.record_scan(scan_of(model(), skipped=skipped))
    choices = Choices(
        enabled=True,
        tier=Tier.POWERFUL,
        port=8081,
        port_is_pinned=True,
        aliases=("q",),
        settings={"ctx_size": 4096, "extra_args": ["--x"]},
        last_started_at=1.5,
    )
    await registry.edit(lambda entries: {"qwen_7b_fast": choices})
    again = Registry.open(path)
    assert again.entries == registry.entries
    assert again.get("qwen_7b_fast").choices == choices
    assert again.get("qwen_7b_fast").tier is Tier.POWERFUL
    assert (again.scan_seconds, again.scan_paths, again.skipped) == (0.5, ("/m",), skipped)
    assert again.last_scan == registry.last_scan
    assert again.last_scan is not None and (datetime.now(UTC) - again.last_scan).total_seconds() < 60


async def test_an_edit_without_news_writes_nothing(path: Path) -> None:
    registry = await registry_of(path, model())
    await registry.edit(enable("qwen_7b_fast"))
    before = path.stat().st_mtime_ns
    await registry.edit(enable("qwen_7b_fast"))
    await registry.edit(lambda entries: {})
    assert path.stat().st_mtime_ns == before


async def test_an_edit_may_be_refused(path: Path) -> None:
    registry = await registry_of(path, model())

    def refuse(entries: Mapping[str, Entry]) -> Mapping[str, Choices]:
        raise InvalidChoice("No", "no")

    with pytest.raises(InvalidChoice):
        await registry.edit(refuse)
    with pytest.raises(ModelNotFound):
        await registry.edit(lambda entries: {"nobody": Choices()})
    assert registry.get("qwen_7b_fast").choices == Choices()


async def test_entries_cannot_be_changed_in_place(path: Path) -> None:
    registry = await registry_of(path, model())
    before = registry.entries
    with pytest.raises(TypeError):
        before["x"] = before["qwen_7b_fast"]  # type: ignore[index]
    await registry.edit(enable("qwen_7b_fast"))
    assert not before["qwen_7b_fast"].choices.enabled


async def test_concurrent_edits_all_count(path: Path) -> None:
    registry = await registry_of(path, model())

    def count_up(entries: Mapping[str, Entry]) -> Mapping[str, Choices]:
        choices = entries["qwen_7b_fast"].choices
        return {"qwen_7b_fast": Choices(last_started_at=(choices.last_started_at or 0) + 1)}

    async with asyncio.TaskGroup() as group:
        for _ in range(25):
            group.create_task(registry.edit(count_up))
    assert Registry.open(path).get("qwen_7b_fast").choices.last_started_at == 25


async def test_a_cancelled_edit_leaves_memory_and_disk_alike(path: Path) -> None:
    registry = await registry_of(path, model())
    edit = asyncio.create_task(registry.edit(enable("qwen_7b_fast")))
    await asyncio.sleep(0)
    edit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await edit
    await registry.edit(lambda entries: {})
    assert registry.entries == Registry.open(path).entries


# -- the file --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"entries": []}', b'{"version": 1, "entries": 3}', b"\xff\xfe", b'{"version": "1"}'],
)
async def test_a_corrupt_file_is_set_aside_and_begun_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    registry = Registry.open(path)
    assert dict(registry.entries) == {}
    (aside,) = path.parent.glob("model_registry.json.corrupt-*")
    assert aside.read_bytes() == content
    assert len(registry.notices) == 1 and str(aside) in registry.notices[0]
    await registry.record_scan(scan_of(model()))
    assert Registry.open(path).notices == []


def test_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    path.write_text('{"version": 2, "entries": "who knows"}')
    before = path.read_bytes()
    with pytest.raises(RegistryRefused, match="has version 2") as caught:
        Registry.open(path)
    assert caught.value.status == 500
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_file_that_cannot_be_read_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(RegistryRefused, match="Could not read"):
        Registry.open(path)


async def test_the_file_is_versioned_json(path: Path) -> None:
    await registry_of(path, model())
    assert next(iter(json.loads(path.read_bytes()).items())) == ("version", 1)
    assert os.listdir(path.parent) == [path.name]


@contextmanager
def full_disk(free_bytes: int) -> Iterator[None]:
    """Files that grow beyond `free_bytes` fail, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_changes_nothing_and_says_so(path: Path) -> None:
    registry = await registry_of(path, model())
    before = path.read_bytes()
    with full_disk(100), pytest.raises(CouldNotSave) as caught:
        await registry.edit(enable("qwen_7b_fast"))
    with full_disk(100), pytest.raises(CouldNotSave):
        await registry.record_scan(scan_of())
    assert caught.value.status == 507
    assert str(path) in caught.value.detail
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    assert registry.get("qwen_7b_fast") == Entry(model_id="qwen_7b_fast", model=model())
    await registry.edit(enable("qwen_7b_fast"))
    assert Registry.open(path).get("qwen_7b_fast").choices.enabled


async def test_a_folder_that_cannot_be_synced_leaves_memory_and_disk_alike(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry = await registry_of(path, model())
    sync = os.fsync

    def sync_no_folder(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", sync_no_folder)
    await registry.edit(enable("qwen_7b_fast"))
    assert registry.get("qwen_7b_fast").choices.enabled
    assert registry.entries == Registry.open(path).entries
    assert "a power cut may undo it" in caplog.text


async def test_a_registry_of_the_first_release_is_read_whole(path: Path) -> None:
    shutil.copy(Path(__file__).with_name("model_registry_v1.json"), path)
    registry = Registry.open(path)
    assert registry.notices == []
    entry = registry.get("qwen_7b_fast")
    assert entry.choices == Choices(
        enabled=True,
        tier=Tier.POWERFUL,
        port=8085,
        port_is_pinned=True,
        aliases=("q",),
        settings={"ctx_size": 4096, "extra_args": ["--x"]},
        last_started_at=1.5,
    )
    assert entry.model.geometry.head_count_kv == [2, 4]
    assert registry.get("tiny_1b_fast").model.repo == "me/Tiny-1B-GGUF"
    assert [skipped.reason for skipped in registry.skipped] == ["is empty"]
    # The first scan of a later release brings facts that the first one did not know.
    known = [one.model for one in registry.entries.values()]
    weighed = [msgspec.structs.replace(one, weights=Weights(total_bytes=9)) for one in known]
    changes = await registry.record_scan(scan_of(*weighed))
    assert (changes.added, changes.removed, changes.changed) == (0, 0, 2)
    again = Registry.open(path).resolve("q")
    assert (again.choices, again.model.weights.total_bytes) == (entry.choices, 9)


# -- scans joined ----------------------------------------------------------------------------------


async def test_newcomers_are_counted_and_get_ids(path: Path) -> None:
    registry = Registry.open(path)
    changes = await registry.record_scan(
        scan_of(
            model("/m/a.gguf", quantization="Q8_0"),
            model("/m/b.gguf", quantization="Q2_K"),
            model("/m/c.gguf", base_id="phi_fast"),
        )
    )
    assert (changes.found, changes.added, changes.removed, changes.changed) == (3, 3, 0, 0)
    assert list(registry.entries) == ["qwen_7b_q8_0_fast", "qwen_7b_q2_k_fast", "phi_fast"]


async def test_an_id_given_once_stays_and_is_never_given_again(path: Path) -> None:
    registry = await registry_of(path, model("/m/a.gguf"))
    await registry.record_scan(scan_of(model("/m/a.gguf"), model("/m/b.gguf")))
    await registry.record_scan(scan_of(model("/m/c.gguf")))
    paths = {model_id: entry.model.path for model_id, entry in registry.entries.items()}
    assert paths == {
        "qwen_7b_fast": "/m/a.gguf",
        "qwen_7b_q4_k_m_fast": "/m/b.gguf",
        "qwen_7b_q4_k_m_fast_2": "/m/c.gguf",
    }


async def test_a_vanished_model_is_missing_and_comes_back_as_it_was(path: Path) -> None:
    registry = await registry_of(path, model())
    await registry.edit(lambda entries: {"qwen_7b_fast": Choices(enabled=True, port=8085)})
    gone = await registry.record_scan(scan_of())
    assert (gone.removed, registry.get("qwen_7b_fast").missing) == (1, True)
    still_gone = await registry.record_scan(scan_of())
    assert (still_gone.removed, still_gone.changed) == (0, 0)
    registry = Registry.open(path)
    back = await registry.record_scan(scan_of(model()))
    assert (back.added, back.changed) == (0, 1)
    entry = registry.get("qwen_7b_fast")
    assert (entry.missing, entry.choices) == (False, Choices(enabled=True, port=8085))


async def test_a_new_revision_keeps_choices_and_brings_new_facts(path: Path) -> None:
    registry = await registry_of(path, model("/s/old/x.gguf", identity="hf:me/x/x.gguf"))
    await registry.edit(enable("qwen_7b_fast"))
    newer = model("/s/new/x.gguf", identity="hf:me/x/x.gguf", file_size_bytes=2000)
    changes = await registry.record_scan(scan_of(newer))
    assert (changes.added, changes.removed, changes.changed) == (0, 0, 1)
    entry = registry.get("qwen_7b_fast")
    assert entry.choices.enabled
    assert entry.model == newer


async def test_a_moved_file_takes_its_id_and_choices_along(path: Path) -> None:
    registry = await registry_of(path, model("/m/a.gguf", header_digest="same"))
    await registry.edit(enable("qwen_7b_fast"))
    changes = await registry.record_scan(scan_of(model("/n/a.gguf", header_digest="same")))
    assert (changes.added, changes.removed, changes.changed) == (0, 0, 1)
    entry = registry.get("qwen_7b_fast")
    assert (entry.model.path, entry.choices.enabled, entry.missing) == ("/n/a.gguf", True, False)


@pytest.mark.parametrize(
    "found",
    [
        [model("/n/a.gguf", header_digest="same"), model("/n/b.gguf", header_digest="same")],
        [model("/n/a.gguf", header_digest="same", file_size_bytes=1)],
        [model("/m/a.gguf", header_digest="same"), model("/n/a.gguf", header_digest="same")],
        [model("/n/a.gguf", header_digest="")],
    ],
    ids=["two alike", "another size", "a copy", "no digest"],
)
async def test_what_is_no_move(path: Path, found: list[Model]) -> None:
    registry = await registry_of(path, model("/m/a.gguf", header_digest="same"))
    await registry.record_scan(scan_of(*found))
    assert registry.get("qwen_7b_fast").model.path == "/m/a.gguf"


# -- names -----------------------------------------------------------------------------------------


async def named(path: Path) -> Registry:
    repo = "me/Qwen-GGUF"
    registry = await registry_of(
        path,
        model("/m/Qwen-7B-Q2_K.gguf", quantization="Q2_K", repo=repo, display_name="Qwen 7B (Q2_K)"),
        model("/m/Qwen-7B-UD-Q4_K_XL.gguf", quantization="Q4_K_XL", repo=repo, is_dynamic_quant=True),
        model("/m/phi.gguf", base_id="phi_fast", repo="me/Phi-GGUF", names=("phi:latest",)),
    )
    await registry.edit(lambda entries: {"phi_fast": Choices(aliases=("Small",))})
    return registry


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("phi_fast", "phi_fast"),
        ("small", "phi_fast"),
        ("PHI", "phi_fast"),
        ("phi.gguf", "phi_fast"),
        ("me/phi-gguf", "phi_fast"),
        ("me/Phi-GGUF:Q4_K_M", "phi_fast"),
        ("qwen-7b-q2_k", "qwen_7b_q2_k_fast"),
        ("me/Qwen-GGUF:q2_k", "qwen_7b_q2_k_fast"),
        ("me/Qwen-GGUF:Q4_K_XL", "qwen_7b_q4_k_xl_fast"),
        ("me/Qwen-GGUF:UD-Q4_K_XL", "qwen_7b_q4_k_xl_fast"),
        ("qwen 7b (q2_k)", "qwen_7b_q2_k_fast"),
        ("Phi:latest", "phi_fast"),
    ],
)
async def test_a_model_answers_to_many_names(path: Path, name: str, model_id: str) -> None:
    assert (await named(path)).resolve(name).model_id == model_id


@pytest.mark.parametrize("name", ["qwen_7b_fast", "me/Qwen-GGUF"])
async def test_a_name_that_means_several_lists_them(path: Path, name: str) -> None:
    with pytest.raises(AmbiguousModelName, match="qwen_7b_q2_k_fast, qwen_7b_q4_k_xl_fast"):
        (await named(path)).resolve(name)


async def test_a_name_that_nobody_has_is_not_found(path: Path) -> None:
    registry = await named(path)
    for ask in (registry.resolve, registry.get):
        with pytest.raises(ModelNotFound, match="nobody"):
            ask("nobody")
    with pytest.raises(ModelNotFound):
        registry.get("small")


async def test_a_model_that_is_there_comes_before_a_missing_one(path: Path) -> None:
    registry = await named(path)
    present = [entry.model for entry in registry.entries.values() if entry.model_id != "qwen_7b_q2_k_fast"]
    await registry.record_scan(scan_of(*present))
    assert registry.resolve("qwen_7b_fast").model_id == "qwen_7b_q4_k_xl_fast"
