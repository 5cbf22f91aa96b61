"""What a person writes or pastes, and what is wanted then."""

from __future__ import annotations

import pytest

from synapse_engine.downloads.address import Address, is_safe_path, parse_address
from synapse_engine.errors import InvalidChoice

REPO = "Qwen/Qwen2.5-0.5B-Instruct-GGUF"
FILE = "qwen2.5-0.5b-instruct-q4_k_m.gguf"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (REPO, Address(REPO)),
        (f"  {REPO}/ ", Address(REPO)),
        (f"{REPO}:Q4_K_M", Address(REPO, quantization="Q4_K_M")),
        (f"{REPO}:UD-Q4_K_XL", Address(REPO, quantization="UD-Q4_K_XL")),
        (f"{REPO}:", Address(REPO)),
        (f"hf.co/{REPO}:q8_0", Address(REPO, quantization="q8_0")),
        (f"huggingface.co/{REPO}", Address(REPO)),
        (f"https://huggingface.co/{REPO}", Address(REPO)),
        (f"https://huggingface.co/{REPO}.git", Address(REPO)),
        (f"https://huggingface.co/{REPO}?library=gguf#x", Address(REPO)),
        (f"https://huggingface.co/{REPO}/tree/main", Address(REPO)),
        (f"https://huggingface.co/{REPO}/tree/main/BF16", Address(REPO)),
        (f"https://huggingface.co/{REPO}/blob/main/{FILE}", Address(REPO, file=FILE)),
        (f"https://hf.co/{REPO}/resolve/v1.0/{FILE}?download=true", Address(REPO, "v1.0", FILE)),
        (f"https://hf.co/{REPO}/resolve/refs%2Fpr%2F1/{FILE}", Address(REPO, "refs/pr/1", FILE)),
        (f"https://hf.co/{REPO}/blob/main/a%20b/{FILE}", Address(REPO, file=f"a b/{FILE}")),
        (f"{REPO}/{FILE}", Address(REPO, file=FILE)),
        (f"{REPO}/BF16/{FILE}", Address(REPO, file=f"BF16/{FILE}")),
        (f"https://mirror.example:8443/{REPO}:Q8_0", Address(REPO, quantization="Q8_0")),
    ],
)
def test_what_is_understood(text: str, wanted: Address) -> None:
    assert parse_address(text, "https://mirror.example:8443") == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "qwen",
        "/",
        "a/",
        "../etc",
        "a/..",
        "a/b c",
        "-a/b",
        "a/b/c/d",
        "a/b\0",
        "ü/b",
        "a/b/../../x.gguf",
        f"a/b/{'x' * 5}\\..\\y.gguf",
        "https://huggingface.co/a/b/blob/main/..%2F..%2Fx.gguf",
        "https://huggingface.co/a/b/resolve/../x.gguf",
        "https://huggingface.co/datasets/a/b",
        "ftp://huggingface.co/a/b",
        "file:///etc/passwd",
    ],
)
def test_what_makes_no_sense(text: str) -> None:
    with pytest.raises(InvalidChoice, match="Not a repository"):
        parse_address(text)


def test_another_host() -> None:
    with pytest.raises(InvalidChoice, match="Not on Hugging Face"):
        parse_address("https://evil.example/a/b")
    with pytest.raises(InvalidChoice, match="Not on Hugging Face"):
        parse_address("http://huggingface.co.evil.example/a/b")


@pytest.mark.parametrize("path", ["", "/a", "a//b", "..", "a/../b", "./a", "a\\b", "a\nb", "a\0b", "a/"])
def test_paths_that_lead_elsewhere(path: str) -> None:
    assert not is_safe_path(path)
