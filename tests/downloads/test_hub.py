"""A hub that forbids, redirects, fails and makes no sense, over real HTTP."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.downloads.bed import CONTENT, REPO, Bench, open_bench, some_bytes
from tests.fakes.hub import FakeHub
from tests.fakes.rig import until

from synapse_engine.downloads.address import Address
from synapse_engine.downloads.download import Status
from synapse_engine.downloads.errors import (
    HubFailed,
    RepositoryNotFound,
    RepositoryRefused,
)


async def test_the_token_goes_to_the_hub_alone(tmp_path: Path, hub: FakeHub) -> None:
    hub.add("org/private", {"p-Q8_0.gguf": CONTENT}, token="hf_secret")
    async with open_bench(tmp_path, hub, "hf_secret") as bench:
        download = await bench.end(await bench.add("org/private"))
        assert download.record.status is Status.DONE
    sent = {role: headers.get("Authorization") for role, _, _, headers in hub.asked}
    assert sent == {
        "model": "Bearer hf_secret",
        "tree": "Bearer hf_secret",
        "resolve": "Bearer hf_secret",
        "cdn": None,
    }


@pytest.mark.parametrize(
    ("name", "token", "kind", "says"),
    [
        ("org/nothing", None, RepositoryNotFound, "or it is private. Check the spelling; else set HF_TOKEN"),
        ("org/nothing", "hf_mine", RepositoryNotFound, "its account may not see it"),
        ("org/private", None, RepositoryNotFound, "set HF_TOKEN"),
        ("org/gated", None, RepositoryRefused, "Accept its terms at"),
        ("org/gated", "hf_mine", RepositoryRefused, "then set HF_TOKEN"),
        ("org/private", "stale", RepositoryRefused, "Invalid credentials"),
    ],
)
async def test_what_the_hub_does_not_hand_out(
    tmp_path: Path, hub: FakeHub, name: str, token: str | None, kind: type[Exception], says: str
) -> None:
    hub.add("org/private", {"p-Q8_0.gguf": CONTENT}, token="hf_right")
    hub.add("org/gated", {"g-Q8_0.gguf": CONTENT}, token="hf_right", is_gated=True)
    async with open_bench(tmp_path, hub, token) as bench:
        with pytest.raises(kind, match=says):
            await bench.add(name)
        assert bench.downloads.all == []


async def test_a_gated_repository_with_the_right_token(tmp_path: Path, hub: FakeHub) -> None:
    hub.add("org/gated", {"g-Q8_0.gguf": CONTENT}, token="hf_right", is_gated=True)
    async with open_bench(tmp_path, hub, "hf_right") as bench:
        repository, offers = await bench.downloads.look(Address("org/gated"))
        assert (repository.is_gated, len(offers)) == (True, 1)
        assert (await bench.end(await bench.add("org/gated"))).record.status is Status.DONE


@pytest.mark.parametrize(("status", "says"), [(500, "answered 500"), (503, "503"), (429, "HF_TOKEN allows")])
async def test_a_hub_in_trouble(bench: Bench, status: int, says: str) -> None:
    bench.hub.refuses = status
    with pytest.raises(HubFailed, match=says):
        await bench.add()


async def test_a_hub_in_trouble_meanwhile_is_waited_for(bench: Bench) -> None:
    bench.hub.gate.clear()
    bench.hub.cuts = [100_000]
    download = await bench.add()
    bench.hub.refuses = 503
    bench.hub.gate.set()
    await until(lambda: sum(role == "resolve" for role, *_ in bench.hub.asked) >= 3)
    bench.hub.refuses = None
    assert (await bench.end(download)).record.status is Status.DONE


async def test_a_hub_that_is_not_there(tmp_path: Path, hub: FakeHub) -> None:
    hub.endpoint = "http://127.0.0.1:9"
    async with open_bench(tmp_path, hub) as bench:
        with pytest.raises(HubFailed, match="HF_ENDPOINT"):
            await bench.add()


async def test_a_renamed_repository_is_known_by_its_new_name(bench: Bench) -> None:
    bench.hub.renamed["org/old-name"] = REPO
    download = await bench.end(await bench.add("org/old-name"))
    assert (download.record.repo, download.record.status) == (REPO, Status.DONE)


async def test_a_long_list_comes_in_pages(bench: Bench) -> None:
    files = {f"m-{n}B-Q8_0.gguf": some_bytes(100 + n, n) for n in range(1, 26)}
    bench.hub.add("org/many", files, page_size=10)
    _, offers = await bench.downloads.look(Address("org/many"))
    assert len(offers) == 25


async def test_a_file_without_a_hash_is_held_against_its_size(bench: Bench) -> None:
    bench.hub.add("org/small", {"s-Q8_0.gguf": CONTENT}, promised={"s-Q8_0.gguf": {"lfs": None}})
    download = await bench.end(await bench.add("org/small"))
    assert download.record.files[0].sha256 is None
    assert download.record.status is Status.DONE
    assert hashlib.sha256((bench.root / "org/small/s-Q8_0.gguf").read_bytes()).digest()


async def test_answers_that_make_no_sense(bench: Bench) -> None:
    bench.hub.add("org/odd", {"o-Q8_0.gguf": CONTENT}, promised={"o-Q8_0.gguf": {"size": -1}})
    with pytest.raises(HubFailed, match="makes no sense"):
        await bench.add("org/odd")
    bench.hub.add("org/odd2", {"o-Q8_0.gguf": CONTENT}, commit="../../etc")
    with pytest.raises(HubFailed, match="a commit that is none"):
        await bench.add("org/odd2")
