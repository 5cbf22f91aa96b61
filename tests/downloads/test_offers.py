"""Which models a repository's files are."""

from __future__ import annotations

import pytest

from synapse_engine.downloads.address import Address
from synapse_engine.downloads.errors import FileNotOffered
from synapse_engine.downloads.offers import HubFile, Offer, choose_offer, plan_need_bytes, plan_offers

MB = 1_000_000


def files(*paths: str, size_bytes: int = MB) -> list[HubFile]:
    return [HubFile(path=path, size_bytes=size_bytes) for path in paths]


def described(offers: list[Offer]) -> list[tuple[str | None, list[str]]]:
    return [(offer.quantization, [file.path for file in offer.files]) for offer in offers]


def test_one_for_each_quantization_smallest_first() -> None:
    found = [
        HubFile(path="m-7B-Q8_0.gguf", size_bytes=8 * MB),
        HubFile(path="m-7B-Q4_K_M.gguf", size_bytes=4 * MB),
        HubFile(path="m-7B-UD-Q4_K_XL.GGUF", size_bytes=5 * MB),
        HubFile(path="README.md", size_bytes=1),
        HubFile(path="imatrix_unsloth.gguf", size_bytes=1),
        HubFile(path="m-7B-Q2_K.gguf", size_bytes=0),
    ]
    assert described(plan_offers(found)) == [
        ("Q4_K_M", ["m-7B-Q4_K_M.gguf"]),
        ("UD-Q4_K_XL", ["m-7B-UD-Q4_K_XL.GGUF"]),
        ("Q8_0", ["m-7B-Q8_0.gguf"]),
    ]


def test_shards_are_one_and_all_or_nothing() -> None:
    whole = [f"BF16/m-BF16-0000{n}-of-00002.gguf" for n in (2, 1)]
    cut = ["m-Q8_0-00001-of-00003.gguf", "m-Q8_0-00003-of-00003.gguf"]
    assert described(plan_offers(files(*whole, *cut))) == [("BF16", sorted(whole))]
    (offer,) = plan_offers(files(*whole))
    assert offer.size_bytes == 2 * MB


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        (["mmproj-F32.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf"], "mmproj-F16.gguf"),
        (["mmproj-model-Q8_0.gguf", "mmproj-F32.gguf"], "mmproj-model-Q8_0.gguf"),
        (["mmproj-llava-13B-F16.gguf", "mmproj-gemma-4b-BF16.gguf"], "mmproj-gemma-4b-BF16.gguf"),
        (["other/mmproj-F16.gguf"], None),
        ([], None),
    ],
)
def test_the_projector_that_comes_along(others: list[str], chosen: str | None) -> None:
    (offer,) = plan_offers(files("gemma-4b-it-Q4_K_M.gguf", *others))
    assert (offer.projector.path if offer.projector else None) == chosen


def test_a_projector_at_the_top_is_for_folders_too() -> None:
    (offer,) = plan_offers(files("BF16/gemma-4b-BF16.gguf", "mmproj-F16.gguf"))
    assert [file.path for file in offer.files] == ["BF16/gemma-4b-BF16.gguf", "mmproj-F16.gguf"]


def test_paths_that_lead_elsewhere_are_not_offered() -> None:
    assert plan_offers(files("../m-Q4_K_M.gguf", "/m-Q4_K_M.gguf", "a/../../m-Q4_K_M.gguf")) == []


def choice(paths: list[str], wanted: Address) -> str:
    return choose_offer(plan_offers(files(*paths)), wanted).shards[0].path


def test_which_is_taken() -> None:
    paths = ["m-Q2_K.gguf", "m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-UD-Q4_K_XL.gguf", "m-UD-Q4_K_M.gguf"]
    assert choice(paths, Address("a/b")) == "m-Q4_K_M.gguf"
    assert choice(paths, Address("a/b", quantization="latest")) == "m-Q4_K_M.gguf"
    assert choice(paths, Address("a/b", quantization="q8_0")) == "m-Q8_0.gguf"
    assert choice(paths, Address("a/b", quantization="Q4_K_XL")) == "m-UD-Q4_K_XL.gguf"
    assert choice(paths, Address("a/b", quantization="ud-q4_k_m")) == "m-UD-Q4_K_M.gguf"
    assert choice(paths, Address("a/b", file="m-Q2_K.gguf")) == "m-Q2_K.gguf"
    assert choice(["m-Q2_K.gguf", "m-IQ1_S.gguf"], Address("a/b")) == "m-IQ1_S.gguf"
    shards = ["m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf"]
    assert choice(shards, Address("a/b", file=shards[1])) == shards[0]


@pytest.mark.parametrize(
    ("paths", "wanted", "says"),
    [
        (["m-Q4_K_M.gguf"], Address("a/b", quantization="Q8_0"), "It has: Q4_K_M (m-Q4_K_M.gguf)"),
        (["m-Q8_0.gguf", "n-Q8_0.gguf"], Address("a/b", quantization="Q8_0"), "Q8_0 (n-Q8_0.gguf). Name one"),
        (["m-Q8_0.gguf"], Address("a/b", file="x.gguf"), "It has: Q8_0 (m-Q8_0.gguf)"),
        ([], Address("a/b"), "no GGUF files"),
    ],
)
def test_what_is_not_offered(paths: list[str], wanted: Address, says: str) -> None:
    with pytest.raises(FileNotOffered) as raised:
        choice(paths, wanted)
    assert says in raised.value.detail


def test_the_rough_of_its_memory() -> None:
    (offer,) = plan_offers(files("m-8B-Q4_K_M.gguf", size_bytes=4_920 * MB))
    # Llama 3.1 8B with 8,192 tokens: 4,920 MB of weights, 1,074 MB of KV cache, some hundreds beside.
    assert 5_990 * MB < plan_need_bytes(offer) < 6_600 * MB
