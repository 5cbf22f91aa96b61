from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.model_files import (
    LLAMA,
    only_model,
    put,
    put_in_cache,
    put_in_ollama,
    put_manifest,
    put_mmproj,
    reasons,
)
from tests.gguf_files import Tensor, build_file

from synapse_engine.catalog.discovery import scan

OWN = "registry.ollama.ai/library"
TINY = "me/Tiny-1B-GGUF"


@pytest.mark.parametrize(
    ("place", "identity", "base_id", "repo"),
    [
        (f"{OWN}/llama3.2/3b", "ollama:llama3.2:3b", "llama3.2_3b_fast", None),
        (f"{OWN}/llama3.1/8b-chat-q4_0", "ollama:llama3.1:8b-chat-q4_0", "llama3.1_8b_balanced", None),
        (f"{OWN}/tinyllama/latest", "ollama:tinyllama:latest", "tinyllama_1m_fast", None),
        ("registry.ollama.ai/me/tuned/7b", "ollama:me/tuned:7b", "tuned_7b_fast", None),
        ("hf.co/me/Tiny-1B-GGUF/Q8_0", "ollama:hf.co/me/Tiny-1B-GGUF:Q8_0", "tiny_1b_fast", TINY),
    ],
)  # fmt: skip
def test_a_manifest_names_a_model(
    tmp_path: Path, place: str, identity: str, base_id: str, repo: str | None
) -> None:
    blob = put_in_ollama(tmp_path, place)
    model = only_model(scan([tmp_path]))
    assert (model.path, model.identity, model.base_id, model.repo) == (str(blob), identity, base_id, repo)
    assert model.problem is None


def test_a_store_is_known_wherever_it_is_met_and_files_beside_it_too(tmp_path: Path) -> None:
    put_in_ollama(tmp_path / "deep" / "models", f"{OWN}/llama3.2/3b")
    put(tmp_path / "deep" / "models" / "other" / "x.gguf")
    assert [model.stem for model in scan([tmp_path]).models] == ["llama3.2-3b", "x"]


def test_several_tags_of_one_blob_are_one_model_with_their_names(tmp_path: Path) -> None:
    blob = put_in_ollama(tmp_path, f"{OWN}/llama3.2/latest")
    put_manifest(tmp_path, f"{OWN}/llama3.2/3b", model=blob)
    model = only_model(scan([tmp_path]))
    assert model.identity == "ollama:llama3.2:3b"
    assert model.names == ("llama3.2:3b", "llama3.2:latest", "llama3.2")


def test_a_blob_that_is_linked_elsewhere_is_one_model(tmp_path: Path) -> None:
    blob = put_in_ollama(tmp_path / "ollama", f"{OWN}/tiny/1b")
    (tmp_path / "plain").mkdir()
    os.link(blob, tmp_path / "plain" / "tiny-1b.gguf")
    only_model(scan([tmp_path / "ollama", tmp_path / "plain"]))


def test_the_same_content_in_the_hugging_face_cache_is_one_model(tmp_path: Path) -> None:
    blob = put_in_ollama(tmp_path / "ollama", f"{OWN}/tiny/1b")
    put_in_cache(tmp_path / "hub", "me/Tiny", "r", "tiny.gguf", blob=blob.name.removeprefix("sha256-"))
    assert only_model(scan([tmp_path])).identity == "hf:me/Tiny/tiny.gguf"


def test_a_projector_serves_its_own_models_only(tmp_path: Path) -> None:
    projector = put_mmproj(tmp_path / "projector")
    put_in_ollama(tmp_path, f"{OWN}/llava/7b", projector=projector)
    put_in_ollama(tmp_path, f"{OWN}/llama3.2/3b")
    blind, seeing = sorted(scan([tmp_path]).models, key=lambda model: model.identity)
    assert (blind.mmproj, blind.capabilities) == (None, ())
    assert "sha256-" in str(seeing.mmproj)
    assert seeing.capabilities == ("vision",)


def test_an_adapter_makes_another_model_of_the_same_weights(tmp_path: Path) -> None:
    blob = put_in_ollama(tmp_path, f"{OWN}/llama3.2/3b")
    adapter = put(tmp_path / "blobs" / f"sha256-{'a' * 64}", **{"general.type": "adapter"})
    put_manifest(tmp_path, f"{OWN}/mine/latest", model=blob, adapter=adapter)
    plain, tuned = sorted(scan([tmp_path]).models, key=lambda model: model.identity)
    assert (plain.path, plain.adapters) == (str(blob), ())
    assert (tuned.path, tuned.adapters, tuned.stem) == (str(blob), (str(adapter),), "mine")


VISION = Tensor("v.blk.0.attn_q.weight")


@pytest.mark.parametrize(
    ("keys", "tensors"),
    [
        ({"general.architecture": "mllama"}, [Tensor("a")]),
        ({"general.architecture": "qwen25vl"}, [Tensor("a")]),
        ({"general.architecture": "gptoss"}, [Tensor("a")]),
        ({"general.architecture": "gemma3"}, [Tensor("a"), VISION]),
    ],
)
def test_what_only_ollama_loads_says_so(tmp_path: Path, keys: dict[str, Any], tensors: list[Tensor]) -> None:
    (tmp_path / "x.gguf").write_bytes(build_file(keys, tensors, data_bytes=256))
    assert "only Ollama's own engine loads" in str(only_model(scan([tmp_path])).problem)


def test_what_is_not_to_be_served_is_said(tmp_path: Path) -> None:
    blob = put_in_ollama(tmp_path, f"{OWN}/gone/1b")
    blob.unlink()
    cloud = tmp_path / "manifests" / OWN / "big" / "cloud"
    cloud.parent.mkdir(parents=True)
    cloud.write_text('{"schemaVersion": 2, "layers": null}')
    broken = tmp_path / "manifests" / OWN / "broken" / "1b"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    evil = tmp_path / "manifests" / OWN / "evil" / "latest"
    evil.parent.mkdir(parents=True)
    evil.write_text(
        '{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../x"}]}'
    )
    found = scan([tmp_path])
    assert found.models == ()
    told = reasons(found)
    assert "Ollama's gone:1b needs it" in told[blob.name]
    assert "names no file of weights" in told["cloud"]
    assert "names no file of weights" in told["latest"]
    assert "is not a manifest that can be read" in told["1b"]


def test_partial_pulls_are_left_alone(tmp_path: Path) -> None:
    put_in_ollama(tmp_path, f"{OWN}/tiny/1b", LLAMA)
    (tmp_path / "blobs" / f"sha256-{'b' * 64}-partial").write_bytes(b"GGUF")
    (tmp_path / "blobs" / f"sha256-{'b' * 64}-partial-0").write_bytes(b"{}")
    only_model(scan([tmp_path]))
