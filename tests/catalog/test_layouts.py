from __future__ import annotations

from pathlib import Path

import pytest
from tests.catalog.model_files import only_model, put, put_mmproj

from synapse_engine.catalog.discovery import scan

# -- llama.cpp's flat cache ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "companion",
    [
        "manifest=me=Tiny-1B-GGUF=latest.json",
        "me_Tiny-1B-GGUF_tiny-1b-Q8_0.gguf.json",
        "me_Tiny-1B-GGUF_tiny-1b-Q8_0.gguf.etag",
    ],
)
def test_a_flat_name_tells_repository_and_file(tmp_path: Path, companion: str) -> None:
    path = put(tmp_path / "me_Tiny-1B-GGUF_tiny-1b-Q8_0.gguf")
    (tmp_path / companion).write_text("{}")
    model = only_model(scan([tmp_path]))
    assert (model.repo, model.stem, model.base_id) == ("me/Tiny-1B-GGUF", "tiny-1b-Q8_0", "tiny_1b_fast")
    assert model.identity == model.path == str(path)


def test_the_cache_is_known_by_its_name(tmp_path: Path) -> None:
    put(tmp_path / "llama.cpp" / "me_Tiny-1B-GGUF_tiny-1b-Q8_0.gguf")
    assert only_model(scan([tmp_path])).repo == "me/Tiny-1B-GGUF"


def test_a_manifest_settles_where_the_repository_ends(tmp_path: Path) -> None:
    put(tmp_path / "bartowski_google_gemma-3-4b-it-GGUF_google_gemma-3-4b-it-Q4_K_M.gguf")
    put(tmp_path / "me_odd_repo_x-7b.gguf")
    (tmp_path / "manifest=bartowski=google_gemma-3-4b-it-GGUF=Q4_K_M.json").write_text("{}")
    (tmp_path / "manifest=me=odd_repo=latest.json").write_text("{}")
    gemma, odd = scan([tmp_path]).models
    assert (gemma.repo, gemma.base_id) == ("bartowski/google_gemma-3-4b-it-GGUF", "gemma_3_4b_fast")
    assert (odd.repo, odd.base_id) == ("me/odd_repo", "x_7b_fast")


def test_shards_and_projectors_in_a_flat_cache_find_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "llama.cpp"
    for number in (1, 2):
        put(folder / f"me_See-7B-GGUF_see-7b-0000{number}-of-00002.gguf")
    put(folder / "me_Blind-7B-GGUF_blind-7b.gguf")
    put_mmproj(folder / "me_See-7B-GGUF_mmproj-model-f16.gguf")
    blind, seeing = scan([tmp_path]).models
    assert (blind.stem, blind.mmproj) == ("blind-7b", None)
    assert (seeing.stem, seeing.shard_count, seeing.problem) == ("see-7b", 2, None)
    assert str(seeing.mmproj).endswith("mmproj-model-f16.gguf")


def test_a_name_like_that_elsewhere_is_only_a_name(tmp_path: Path) -> None:
    put(tmp_path / "me_Tiny-1B-GGUF_tiny-1b-Q8_0.gguf")
    assert only_model(scan([tmp_path])).repo is None


def test_a_folder_that_happens_to_be_called_blobs_is_a_folder(tmp_path: Path) -> None:
    for place in ("a", "b"):
        put(tmp_path / place / "blobs" / "x.gguf")
    assert len(scan([tmp_path]).models) == 2


# -- ORG/REPO/FILE ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "repo"),
    [
        (".lmstudio/models/me/Tiny/x.gguf", "me/Tiny"),
        (".cache/lm-studio/models/me/Tiny-GGUF/x.gguf", "me/Tiny-GGUF"),
        ("anything/me/Tiny-GGUF/Q4/x.gguf", "me/Tiny-GGUF"),
        ("me/Tiny-gguf/x.gguf", "me/Tiny-gguf"),
        ("me/Tiny/x.gguf", None),
        ("Tiny-GGUF/x.gguf", None),
    ],
)
def test_a_folder_tells_the_repository(tmp_path: Path, place: str, repo: str | None) -> None:
    path = put(tmp_path / place)
    model = only_model(scan([tmp_path]))
    assert (model.repo, model.identity) == (repo, str(path))


def test_a_root_of_lm_studio_s_is_its_models_folder(tmp_path: Path) -> None:
    put(tmp_path / ".lmstudio" / "models" / "me" / "Tiny" / "x.gguf")
    assert only_model(scan([tmp_path / ".lmstudio" / "models"])).repo == "me/Tiny"


def test_a_repository_s_projector_serves_the_folders_in_it(tmp_path: Path) -> None:
    put(tmp_path / "me" / "Tiny-GGUF" / "Q4" / "tiny.gguf")
    put_mmproj(tmp_path / "me" / "Tiny-GGUF" / "mmproj-F16.gguf")
    assert only_model(scan([tmp_path])).mmproj is not None
