from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.catalog.model_files import LLAMA, only_model, put, put_in_cache, put_mmproj
from tests.gguf_files import Tensor, build_file

from synapse_engine.catalog.discovery import Scan, scan


def projectors(found: Scan) -> dict[str, str | None]:
    return {model.stem: model.mmproj and Path(model.mmproj).name for model in found.models}


def test_the_most_precise_mmproj_beside_a_model_is_its_own(tmp_path: Path) -> None:
    put(tmp_path / "x-4b.gguf")
    for precision in ("Q8_0", "F16", "BF16"):
        put_mmproj(tmp_path / f"mmproj-{precision}.gguf")
    model = only_model(scan([tmp_path]))
    assert str(model.mmproj).endswith("mmproj-F16.gguf")
    assert "vision" in model.capabilities


def test_an_mmproj_serves_its_whole_repository(tmp_path: Path) -> None:
    put_in_cache(tmp_path, "me/Tiny", "r", "Q4/tiny.gguf")
    blob = put_mmproj(tmp_path / "models--me--Tiny" / "blobs" / "vision")
    (tmp_path / "models--me--Tiny" / "snapshots" / "r" / "mmproj-F16.gguf").symlink_to(blob)
    assert str(only_model(scan([tmp_path])).mmproj).endswith("/snapshots/r/mmproj-F16.gguf")


def test_in_a_folder_of_many_models_an_mmproj_is_known_by_name(tmp_path: Path) -> None:
    put(tmp_path / "gemma-3-4b-it-Q4_K_M.gguf")
    put(tmp_path / "gemma-3-4b-it-Q8_0.gguf")
    put(tmp_path / "qwen2-7b.gguf")
    put_mmproj(tmp_path / "mmproj-gemma-3-4b-it-f16.gguf")
    put_mmproj(tmp_path / "mmproj-model-f16.gguf")
    own = "mmproj-gemma-3-4b-it-f16.gguf"
    assert projectors(scan([tmp_path])) == {
        "gemma-3-4b-it-Q4_K_M": own, "gemma-3-4b-it-Q8_0": own, "qwen2-7b": None,
    }  # fmt: skip


def test_an_mmproj_of_the_model_s_width_comes_first(tmp_path: Path) -> None:
    put(tmp_path / "x-4b.gguf")
    put_mmproj(tmp_path / "mmproj-a-f32.gguf", width=9999)
    put_mmproj(tmp_path / "mmproj-x-f16.gguf", width=64)
    assert projectors(scan([tmp_path])) == {"x-4b": "mmproj-x-f16.gguf"}


@pytest.mark.parametrize(
    ("keys", "senses"),
    [
        ({"clip.has_vision_encoder": True}, ("vision",)),
        ({"clip.has_audio_encoder": True}, ("audio",)),
        ({"clip.has_vision_encoder": True, "clip.has_audio_encoder": True}, ("vision", "audio")),
        ({}, ("vision",)),
    ],
)
def test_what_a_projector_makes_of_a_model(
    tmp_path: Path, keys: dict[str, Any], senses: tuple[str, ...]
) -> None:
    put(tmp_path / "x-4b.gguf")
    put(tmp_path / "mmproj-x.gguf", {"general.architecture": "clip"} | keys)
    assert only_model(scan([tmp_path])).capabilities == senses


# -- drafts ----------------------------------------------------------------------------------------


def drafts(found: Scan) -> dict[str, str | None]:
    return {model.stem: model.draft and Path(model.draft).name for model in found.models}


def put_sized(path: Path, parameters: int, vocabulary: int = 1000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = LLAMA | {"llama.vocab_size": vocabulary}
    path.write_bytes(build_file(keys, [Tensor("a", (32, parameters // 32))], data_bytes=4 * parameters))
    return path


def test_a_head_beside_its_only_model_is_its_draft(tmp_path: Path) -> None:
    put(tmp_path / "qwen3-8b-Q4_K_M.gguf")
    put(tmp_path / "qwen3-8b-Q8_0.gguf")
    put(tmp_path / "head-F16.gguf", {"general.architecture": "eagle3"})
    found = scan([tmp_path])
    assert all(model.draft_model is None for model in found.models)
    assert drafts(found) == {
        "qwen3-8b-Q4_K_M": "head-F16.gguf", "qwen3-8b-Q8_0": "head-F16.gguf",
    }  # fmt: skip


def test_among_many_models_a_head_is_known_by_name(tmp_path: Path) -> None:
    put(tmp_path / "glm-4.5-air-Q4_K_M.gguf")
    put(tmp_path / "qwen3-8b.gguf")
    put(tmp_path / "mtp-glm-4.5-air.gguf")
    assert drafts(scan([tmp_path])) == {"glm-4.5-air-Q4_K_M": "mtp-glm-4.5-air.gguf", "qwen3-8b": None}


def test_two_heads_that_could_be_meant_are_nobody_s(tmp_path: Path) -> None:
    put(tmp_path / "qwen3-8b.gguf")
    for name in ("one", "two"):
        put(tmp_path / f"{name}.gguf", {"general.architecture": "eagle3"})
    assert drafts(scan([tmp_path])) == {"qwen3-8b": None}


def test_a_small_model_that_calls_itself_a_draft_is_one(tmp_path: Path) -> None:
    put_sized(tmp_path / "Qwen2.5-Coder-32B-Instruct-Q4_K_M.gguf", 3200)
    put_sized(tmp_path / "Qwen2.5-Coder-DRAFT-0.5B-Q4_0.gguf", 320, vocabulary=1064)
    put_sized(tmp_path / "Llama-3.1-70B.gguf", 6400)
    found = scan([tmp_path])
    drafting = [model.draft_model.parameter_count for model in found.models if model.draft_model]
    assert drafting == [320]
    assert drafts(found) == {
        "Qwen2.5-Coder-32B-Instruct-Q4_K_M": "Qwen2.5-Coder-DRAFT-0.5B-Q4_0.gguf", "Llama-3.1-70B": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("target", "parameters", "vocabulary"),
    [("Qwen2.5-32B", 3200, 5000), ("Qwen2.5-0.6B", 384, 1000), ("Llama-70B", 3200, 1000)],
    ids=["another vocabulary", "hardly larger", "another name"],
)
def test_a_draft_without_a_target_is_a_model(
    tmp_path: Path, target: str, parameters: int, vocabulary: int
) -> None:
    put_sized(tmp_path / f"{target}.gguf", parameters, vocabulary)
    put_sized(tmp_path / "Qwen2.5-DRAFT-0.5B.gguf", 320)
    assert drafts(scan([tmp_path])) == {target: None, "Qwen2.5-DRAFT-0.5B": None}
