from __future__ import annotations

import os
from pathlib import Path

from tests.catalog.model_files import only_model, put_in_cache, reasons, set_main

from synapse_engine.catalog.discovery import scan


def test_only_the_snapshot_that_main_names_counts(tmp_path: Path) -> None:
    put_in_cache(tmp_path, "me/Tiny-GGUF", "new", "tiny.gguf")
    kept = put_in_cache(tmp_path, "me/Tiny-GGUF", "old", "Q4/tiny.gguf")
    set_main(tmp_path, "me/Tiny-GGUF", "old")
    model = only_model(scan([tmp_path]))
    assert (model.path, model.repo) == (str(kept), "me/Tiny-GGUF")
    assert model.identity == "hf:me/Tiny-GGUF/Q4/tiny.gguf"


def test_without_main_the_newest_snapshot_counts(tmp_path: Path) -> None:
    newest = put_in_cache(tmp_path, "me/Tiny", "a", "tiny.gguf")
    older = put_in_cache(tmp_path, "me/Tiny", "b", "tiny.gguf")
    os.utime(older.parent, (1, 1))
    assert only_model(scan([tmp_path])).path == str(newest)


def test_a_new_revision_keeps_the_identity(tmp_path: Path) -> None:
    identities = []
    for revision in ("one", "two"):
        put_in_cache(tmp_path, "me/Tiny", revision, "tiny.gguf")
        set_main(tmp_path, "me/Tiny", revision)
        identities.append(only_model(scan([tmp_path])).identity)
    assert identities[0] == identities[1]


def test_a_repository_is_one_wherever_it_is_met_and_however_it_is_linked(tmp_path: Path) -> None:
    link = put_in_cache(tmp_path / "z" / "deep", "me/Tiny", "r", "tiny.gguf")
    (tmp_path / "a.gguf").symlink_to(link)
    (tmp_path / "b").symlink_to(link.parent)
    assert only_model(scan([tmp_path])).identity == "hf:me/Tiny/tiny.gguf"


def test_one_blob_in_two_caches_is_one_model(tmp_path: Path) -> None:
    for cache in ("a", "b"):
        put_in_cache(tmp_path / cache, "me/Tiny", "r", "tiny.gguf", blob="0" * 64)
    only_model(scan([tmp_path]))


def test_two_revisions_in_two_caches_are_one_model_and_the_other_is_listed(tmp_path: Path) -> None:
    for cache in ("a", "b"):
        put_in_cache(tmp_path / cache, "me/Tiny", f"r{cache}", "tiny.gguf")
    found = scan([tmp_path / "a", tmp_path / "b"])
    assert len(found.models) == 1
    assert "is another copy of" in reasons(found)["tiny.gguf"]
