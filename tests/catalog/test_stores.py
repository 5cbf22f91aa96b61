from __future__ import annotations

import sys
from pathlib import Path

import pytest

from synapse_engine.catalog.stores import default_roots

LLAMA_CPP = "Library/Caches/llama.cpp" if sys.platform == "darwin" else ".cache/llama.cpp"


def roots(environ: dict[str, str]) -> list[Path]:
    """Without the places of system services: what this machine has there is not what is tested."""
    return default_roots(environ, ollama_services=())


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HF_HUB_CACHE": "{}/one", "HUGGINGFACE_HUB_CACHE": "{}/two", "HF_HOME": "{}/three"}, "one"),
        ({"HUGGINGFACE_HUB_CACHE": "{}/two", "HF_HOME": "{}/three"}, "two"),
        ({"HF_HOME": "{}/three", "XDG_CACHE_HOME": "{}/four"}, "three/hub"),
        ({"XDG_CACHE_HOME": "{}/four", "HOME": "{}/home"}, "four/huggingface/hub"),
        ({"HOME": "{}/home"}, "home/.cache/huggingface/hub"),
        ({"LLAMA_CACHE": "{}/six", "HOME": "{}/home"}, "six"),
        ({"HOME": "{}/home"}, f"home/{LLAMA_CPP}"),
        ({"HOME": "{}/home"}, "home/.lmstudio/models"),
        ({"HOME": "{}/home"}, "home/.cache/lm-studio/models"),
        ({"OLLAMA_MODELS": "{}/seven", "HOME": "{}/home"}, "seven"),
        ({"HOME": "{}/home"}, "home/.ollama/models"),
    ],
)
def test_where_stores_are(tmp_path: Path, environ: dict[str, str], expected: str) -> None:
    given = {"HOME": str(tmp_path)} | {name: value.format(tmp_path) for name, value in environ.items()}
    assert roots(given) == []
    (tmp_path / expected).mkdir(parents=True)
    assert roots(given) == [tmp_path / expected]


def test_lm_studio_s_pointer_is_followed(tmp_path: Path) -> None:
    (tmp_path / "big" / "models").mkdir(parents=True)
    (tmp_path / ".lmstudio-home-pointer").write_text(f"{tmp_path}/big\n")
    assert roots({"HOME": str(tmp_path)}) == [tmp_path / "big" / "models"]


def test_one_folder_by_two_variables_is_one(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path), "LLAMA_CACHE": str(tmp_path)}
    assert roots(environ) == [tmp_path]
