"""Downloads over real HTTP from a hub that cuts and lies, onto a disk that fills up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.downloads.bed import CONTENT, FILE, PLENTY, REPO, Bench, open_bench, some_bytes
from tests.fakes.hub import COMMIT, LATER_COMMIT, FakeHub
from tests.fakes.rig import until

from synapse_engine.catalog.walk import find_files
from synapse_engine.downloads.address import Address
from synapse_engine.downloads.download import Status
from synapse_engine.downloads.errors import (
    DownloadNotFound,
    NotEnoughDisk,
)
from synapse_engine.errors import CouldNotSave


async def test_a_model_comes_and_is_the_one_that_was_promised(bench: Bench) -> None:
    download = await bench.end(await bench.add(quantization="Q4_K_M"))
    assert (download.record.status, download.record.error) == (Status.DONE, None)
    assert (download.record.commit, download.record.model_id) == (COMMIT, "found")
    assert bench.files() == [f"{REPO}/{FILE}"]
    assert (bench.root / REPO / FILE).read_bytes() == CONTENT
    statuses = list(dict.fromkeys(status for _, status in bench.told))
    assert statuses == [Status.QUEUED, Status.DOWNLOADING, Status.VERIFYING, Status.DONE]
    assert download.done_bytes == download.total_bytes == len(CONTENT)


async def test_the_catalog_knows_whose_it_is(bench: Bench) -> None:
    bench.hub.add("org/plain", {"a-Q8_0.gguf": CONTENT})
    await bench.end(await bench.add("org/plain"))
    ((found,), skipped) = find_files([bench.models])
    assert (found.repo, skipped) == ("org/plain", [])


async def test_what_is_under_way_is_never_taken_for_a_model(bench: Bench) -> None:
    shards = {f"m-Q8_0-0000{n}-of-00003.gguf": some_bytes(50_000, n) for n in (1, 2, 3)}
    bench.hub.add("org/big", shards)
    bench.hub.gate.clear()
    download = await bench.add("org/big")
    bench.hub.bytes_per_second = 200_000
    bench.hub.gate.set()
    seen = 0
    while download.is_under_way:
        # At most in the moment in which all are put into their places is there a part of them.
        if download.record.status is Status.DOWNLOADING:
            seen += 1
            assert find_files([bench.models]) == ([], [])
        await asyncio.sleep(0.005)
    assert seen > 5
    assert bench.files() == [f"org/big/{path}" for path in shards]


async def test_a_projector_comes_along(bench: Bench) -> None:
    vision = {"BF16/see-4b-BF16.gguf": CONTENT, "mmproj-F16.gguf": some_bytes(1000), "mmproj-F32.gguf": b"x"}
    bench.hub.add("org/see", vision)
    await bench.end(await bench.add("org/see"))
    assert bench.files() == ["org/see/BF16/see-4b-BF16.gguf", "org/see/mmproj-F16.gguf"]


async def test_cuts_are_survived(bench: Bench) -> None:
    bench.hub.cuts = [100_000, 0, 70_000, 0]
    download = await bench.end(await bench.add())
    assert download.record.status is Status.DONE
    ranges = bench.hub.ranges()
    assert ranges[0] == ""
    assert len(ranges) == 5
    assert all(asked.startswith("bytes=") for asked in ranges[1:])
    # Nothing that had come was asked for again.
    assert bench.hub.sent_bytes == len(CONTENT)
    assert (bench.root / REPO / FILE).read_bytes() == CONTENT


async def test_a_connection_that_breaks_again_and_again(bench: Bench) -> None:
    bench.hub.cuts = [100_000, *([0] * 10)]
    download = await bench.end(await bench.add())
    assert (download.record.status, download.record.error) == (Status.FAILED, "Hugging Face did not answer")
    assert "again and again" in (download.record.detail or "")
    assert download.done_bytes == 100_000
    bench.hub.cuts = []
    assert (await bench.end(bench.downloads.resume(download.record.id))).record.status is Status.DONE
    assert bench.hub.ranges()[-1] == "bytes=100000-"
    assert download.record.error is None


async def test_a_hub_without_ranges(bench: Bench) -> None:
    bench.hub.knows_ranges = False
    bench.hub.cuts = [100_000]
    download = await bench.end(await bench.add())
    assert download.record.status is Status.DONE
    assert (bench.root / REPO / FILE).read_bytes() == CONTENT


async def test_a_pause_keeps_what_has_come_and_a_resume_goes_on(bench: Bench) -> None:
    bench.hub.bytes_per_second = 400_000
    download = await bench.add()
    await until(lambda: download.done_bytes > 0)
    await bench.downloads.pause(download.record.id)
    assert download.record.status is Status.PAUSED
    (part,) = bench.files()
    assert part == f"{REPO}/{FILE}.{download.record.id}.part"
    kept = (bench.root / part).stat().st_size
    assert 0 < kept < len(CONTENT)
    bench.hub.bytes_per_second = None
    again = await bench.add()
    assert again is download
    assert (await bench.end(download)).record.status is Status.DONE
    assert bench.hub.ranges()[-1] == f"bytes={kept}-"


async def test_a_later_run_goes_on_by_itself(tmp_path: Path, hub: FakeHub) -> None:
    async with open_bench(tmp_path, hub) as bench:
        hub.bytes_per_second = 400_000
        download = await bench.add()
        await until(lambda: download.done_bytes > 0)
    hub.bytes_per_second = None
    # What is at `main` by now is of no concern: it goes on with the commit that it began with.
    hub.repos[REPO].commit = LATER_COMMIT
    hub.repos[REPO].files[FILE] = some_bytes(300_000, 2)
    async with open_bench(tmp_path, hub) as bench:
        (again,) = bench.downloads.all
        assert (again.record.id, again.record.commit) == (download.record.id, COMMIT)
        await bench.end(again)
        assert (again.record.status, again.record.error) == (Status.FAILED, f"Repository not found: {REPO}")
        assert "not that revision" in (again.record.detail or "")
        hub.repos[REPO].commit = COMMIT
        hub.repos[REPO].files[FILE] = CONTENT
        assert (await bench.end(bench.downloads.resume(again.record.id))).record.status is Status.DONE
    async with open_bench(tmp_path, hub) as bench:
        (known,) = bench.downloads.all
        assert (known.record.status, known.record.model_id) == (Status.DONE, "found")


async def test_a_removed_one_leaves_nothing(bench: Bench) -> None:
    bench.hub.bytes_per_second = 400_000
    download = await bench.add()
    await until(lambda: download.done_bytes > 0)
    await bench.downloads.remove(download.record.id)
    assert (bench.files(), bench.downloads.all) == ([], [])
    assert bench.told[-1] == (download.record.id, Status.CANCELLED)
    for call in (bench.downloads.pause, bench.downloads.remove):
        with pytest.raises(DownloadNotFound):
            await call(download.record.id)
    with pytest.raises(DownloadNotFound):
        bench.downloads.resume(download.record.id)


async def test_a_whole_model_outlives_its_download(bench: Bench) -> None:
    download = await bench.end(await bench.add())
    assert (await bench.downloads.pause(download.record.id)).record.status is Status.DONE
    await bench.downloads.remove(download.record.id)
    assert bench.files() == [f"{REPO}/{FILE}"]
    # And is not fetched again, once it was found to be what it should be.
    fetched = len(bench.hub.ranges())
    assert (await bench.end(await bench.add())).record.status is Status.DONE
    assert len(bench.hub.ranges()) == fetched
    (bench.root / REPO / FILE).write_bytes(some_bytes(len(CONTENT), 3))
    await bench.end(await bench.add())
    assert (bench.root / REPO / FILE).read_bytes() == CONTENT


async def test_the_same_asked_for_twice_at_once_is_one(bench: Bench) -> None:
    bench.hub.gate.clear()
    first, second = await asyncio.gather(bench.add(), bench.add(file=FILE))
    assert first is second
    bench.hub.gate.set()
    await bench.end(first)
    assert bench.hub.ranges() == [""]


async def test_two_at_a_time(bench: Bench) -> None:
    for n in range(4):
        bench.hub.add(f"org/m{n}", {f"m{n}-Q8_0.gguf": some_bytes(100_000, n)})
    bench.hub.gate.clear()
    started = [await bench.add(f"org/m{n}") for n in range(4)]
    await until(lambda: bench.hub.in_flight == 2)
    assert [d.record.status for d in started] == [Status.DOWNLOADING] * 2 + [Status.QUEUED] * 2
    # One that waits can be taken from the line, too.
    await bench.downloads.remove(started[3].record.id)
    bench.hub.gate.set()
    assert [(await bench.end(d)).record.status for d in started[:3]] == [Status.DONE] * 3
    assert bench.hub.most_in_flight == 2
    assert len(bench.files()) == 3


async def test_two_of_one_repository_share_nothing_but_the_end(bench: Bench) -> None:
    files = {f"see-4b-{name}.gguf": some_bytes(90_000, n) for n, name in enumerate(("Q4_K_M", "Q8_0"))}
    bench.hub.add("org/see", {**files, "mmproj-F16.gguf": some_bytes(80_000, 9)})
    both = [await bench.add("org/see", quantization=name) for name in ("Q4_K_M", "Q8_0")]
    assert [(await bench.end(d)).record.status for d in both] == [Status.DONE] * 2
    for path, content in bench.hub.repos["org/see"].files.items():
        assert (bench.root / "org/see" / path).read_bytes() == content


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        (lambda hub: hub.sends.update({FILE: some_bytes(len(CONTENT), 2)}), "its SHA-256 is"),
        (lambda hub: hub.sends.update({FILE: CONTENT + b"more"}), "promised 300000 bytes, and has 300004"),
        (lambda hub: hub.sends.update({FILE: CONTENT[:-4]}), "promised 300000 bytes, and has 299996"),
    ],
)
async def test_other_bytes_than_promised(bench: Bench, lie: Callable[[FakeHub], None], says: str) -> None:
    lie(bench.hub)
    download = await bench.end(await bench.add())
    assert (download.record.status, download.record.error) == (Status.FAILED, "The download is broken")
    assert says in (download.record.detail or "")
    assert bench.files() == []
    bench.hub.sends.clear()
    assert (await bench.end(bench.downloads.resume(download.record.id))).record.status is Status.DONE


async def test_a_part_that_went_bad_on_the_disk(bench: Bench) -> None:
    bench.hub.cuts = [100_000, *([0] * 10)]
    download = await bench.end(await bench.add())
    (part,) = bench.files()
    content = (bench.root / part).read_bytes()
    (bench.root / part).write_bytes(b"garbage" + content[7:])
    bench.hub.cuts = []
    await bench.end(bench.downloads.resume(download.record.id))
    assert download.record.error == "The download is broken"
    assert bench.files() == []


async def test_a_part_longer_than_the_file(bench: Bench) -> None:
    bench.hub.cuts = [100_000, *([0] * 10)]
    download = await bench.end(await bench.add())
    (part,) = bench.files()
    (bench.root / part).write_bytes(CONTENT + b"more")
    await bench.end(bench.downloads.resume(download.record.id))
    assert "300004 bytes are there" in (download.record.detail or "")
    assert bench.files() == []


async def test_the_disk_is_looked_at_first(bench: Bench) -> None:
    bench.free_bytes = 500_000_000 + len(CONTENT) - 1
    with pytest.raises(NotEnoughDisk, match="0.3 MB|0 MB are needed"):
        await bench.add()
    assert (bench.downloads.all, bench.hub.ranges()) == ([], [])
    bench.free_bytes += 1
    await bench.end(await bench.add())


async def test_what_others_will_take_of_the_disk_counts(bench: Bench) -> None:
    bench.hub.add("org/other", {"other-Q8_0.gguf": CONTENT})
    bench.free_bytes = 500_000_000 + 2 * len(CONTENT) - 1
    bench.hub.gate.clear()
    first = await bench.add()
    with pytest.raises(NotEnoughDisk):
        await bench.add("org/other")
    await bench.downloads.remove(first.record.id)
    await bench.add("org/other")


async def test_a_disk_that_fills_up_meanwhile(bench: Bench) -> None:
    bench.hub.gate.clear()
    download = await bench.add()
    bench.free_bytes = 499_999_999
    bench.hub.gate.set()
    await bench.end(download)
    assert download.record.error == "Not enough room on the disk"
    with pytest.raises(NotEnoughDisk):
        bench.downloads.resume(download.record.id)
    bench.free_bytes = PLENTY
    assert (await bench.end(bench.downloads.resume(download.record.id))).record.status is Status.DONE


async def test_a_disk_that_is_full_to_the_last_byte(bench: Bench) -> None:
    bench.hub.gate.clear()
    download = await bench.add()
    part = download.part(download.record.files[0])
    part.parent.mkdir(parents=True, exist_ok=True)
    os.symlink("/dev/full", part)
    bench.hub.gate.set()
    await bench.end(download)
    assert (download.record.status, download.record.error) == (Status.FAILED, "Could not save")
    assert "No space left on device" in (download.record.detail or "")


async def test_a_folder_that_cannot_be_written(bench: Bench) -> None:
    bench.models.mkdir()
    (bench.models / "huggingface.co").write_text("in the way")
    with pytest.raises(CouldNotSave):
        await bench.add()


@pytest.mark.parametrize("path", ["../escaped-Q8_0.gguf", "/tmp/escaped-Q8_0.gguf", "a/../../x-Q8_0.gguf"])
async def test_paths_that_lead_elsewhere(bench: Bench, path: str) -> None:
    bench.hub.add("org/evil", {path: CONTENT, "fine-Q4_K_M.gguf": CONTENT})
    _, offers = await bench.downloads.look(Address("org/evil"))
    assert [offer.shards[0].path for offer in offers] == ["fine-Q4_K_M.gguf"]


async def test_a_saved_path_that_leads_elsewhere_is_dropped(tmp_path: Path, hub: FakeHub) -> None:
    async with open_bench(tmp_path, hub) as bench:
        await bench.end(await bench.add())
    saved = tmp_path / "downloads.json"
    kept = saved.read_bytes()
    saved.write_bytes(kept.replace(FILE.encode(), b"../../../escaped.gguf"))
    async with open_bench(tmp_path, hub) as bench:
        assert bench.downloads.all == []
    saved.write_bytes(kept.replace(FILE.encode(), b"\xff"))
    async with open_bench(tmp_path, hub) as bench:
        assert bench.downloads.all == []
    saved.write_text("{broken")
    async with open_bench(tmp_path, hub) as bench:
        assert bench.downloads.all == []
        await bench.end(await bench.add())
