from __future__ import annotations

from pathlib import Path

from tests.catalog.model_files import only_model, put, put_in_cache, put_mmproj

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
