"""How far a load has come: planned from what was seen and learned, and told while it loads."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
from tests.fakes.rig import Rig, until
from tests.fakes.stage import Behaviour

from synapse_engine.fleet.loading import (
    ALL_READ,
    GIB,
    SAMPLE_SECONDS,
    Load,
    Look,
    Pace,
    Paces,
    Progress,
    learned,
    plan_progress,
)
from synapse_engine.launch.base import Command

UNKNOWN = Pace()
KNOWN = Pace(read_bytes_per_second=(GIB,), finish_seconds_per_gib=(2.0,), models={"m": (6.0,)})
NOTHING = [Look(0.0, 0)]
HALF = [Look(0.0, 0), Look(2.0, 2 * GIB)]
ALL = [Look(0.0, 0), Look(4.0, 4 * GIB)]

# model, looks, when all was read, what is known, what is told
CASES: dict[str, tuple[str, list[Look], float | None, Pace, Progress]] = {
    "nothing known, nothing read": ("m", [*NOTHING, Look(0.1, 0)], None, UNKNOWN, Progress(0.0, None)),
    "nothing known, half read": ("m", HALF, None, UNKNOWN, Progress(0.45, 2.0)),
    "nothing known, all read": ("m", ALL, 4.0, UNKNOWN, Progress(0.9, None)),
    "nothing read yet": ("m", [*NOTHING, Look(2.5, 0)], None, KNOWN, Progress(0.2, 10.0)),
    "half read": ("m", HALF, None, KNOWN, Progress(0.2, 8.0)),
    "slower than ever": ("m", [*NOTHING, Look(10.0, 2 * GIB)], None, KNOWN, Progress(10 / 26, 16.0)),
    "slower of late": ("m", [*HALF, Look(4.0, 3 * GIB)], None, KNOWN, Progress(4 / 12, 8.0)),
    "the disk stalls": ("m", [*HALF, Look(4.0, 2 * GIB)], None, KNOWN, Progress(0.0, None)),
    "first seen late": ("m", [Look(5.0, GIB)], None, KNOWN, Progress(0.0, None)),
    "all read": ("m", ALL, 4.0, KNOWN, Progress(0.4, 6.0)),
    "warming up": ("m", [*ALL, Look(7.0, 4 * GIB)], 4.0, KNOWN, Progress(0.7, 3.0)),
    "overdue": ("m", [*ALL, Look(90.0, 4 * GIB)], 4.0, KNOWN, Progress(0.99, None)),
    "another model": ("other", ALL, 4.0, KNOWN, Progress(4 / 12, 8.0)),
}


@pytest.mark.parametrize("case", CASES)
def test_plan(case: str) -> None:
    model_id, looks, read_at_seconds, pace, expected = CASES[case]
    progress = plan_progress(model_id, 4 * GIB, looks, read_at_seconds, pace)
    assert progress.share == pytest.approx(expected.share)
    assert progress.eta_seconds == pytest.approx(expected.eta_seconds)


FAST, DISK, SLOW = 3 * GIB, GIB // 5, GIB // 50

# How it is read (for how many seconds at which rate, the last one to the end), and seconds from then on
LOADS = {
    "fast": ([(0.0, FAST)], 0.5),
    "a disk": ([(0.0, DISK)], 0.5),
    "slow": ([(0.0, SLOW)], 2.0),
    "an engine that takes a while to begin": ([(3.0, 0), (0.0, DISK)], 0.5),
    "half from the cache": ([(0.3, FAST), (0.0, DISK)], 0.5),
    "a disk that stalled": ([(1.0, DISK), (2.0, 0), (0.0, DISK)], 0.5),
    "a disk that was kept busy": ([(2.0, SLOW), (0.0, DISK)], 0.5),
    "long to warm up": ([(0.0, FAST)], 5.0),
}
# Learned paces of reading, as shares of the true one; and of the rest, in as many loads
LEARNED = {
    "right": (1.0, [1.0]),
    "that the disk is slow": (0.1, [1.0]),
    "that the disk is quick": (10.0, [1.0]),
    "with other work at the first": (1.0, [10.0, 1.0]),
    "with other work since": (1.0, [1.0, 10.0]),
    "with other work now and then": (0.2, [1.0, 4.0, 1.0, 10.0, 1.0]),
}


@pytest.mark.parametrize("taught", LEARNED)
@pytest.mark.parametrize("case", LOADS)
def test_the_eta_of_a_steady_load_is_within_30_percent_from_halfway_on(case: str, taught: str) -> None:
    segments, finish_seconds = LOADS[case]
    rate_share, finish_shares = LEARNED[taught]
    finishes = tuple(share * finish_seconds for share in finish_shares)
    pace = Pace((rate_share * segments[-1][1],), models={"m": finishes})
    looks, read_at_seconds = reading(segments, 2 * GIB)
    ready = read_at_seconds + finish_seconds
    looks += [Look(at, 2 * GIB) for at in ticks(read_at_seconds, ready)]
    for number, now in enumerate(looks, 1):
        left = ready - now.seconds
        if now.seconds >= ready / 2 and left > 0.5:
            read_at = read_at_seconds if now.read_bytes >= ALL_READ * 2 * GIB else None
            progress = plan_progress("m", 2 * GIB, looks[:number], read_at, pace)
            assert progress.eta_seconds == pytest.approx(left, rel=0.3), now


def reading(segments: list[tuple[float, int]], weights_bytes: int) -> tuple[list[Look], float]:
    """What is seen until all is read, and when that is."""
    looks, begin, read = [Look(0.0, 0)], 0.0, 0
    *first, (_, last_rate) = segments
    for seconds, rate in first:
        looks += [Look(at, int(read + rate * (at - begin))) for at in ticks(begin, begin + seconds)]
        begin, read = begin + seconds, int(read + rate * seconds)
    end = begin + (weights_bytes - read) / last_rate
    return looks + [Look(at, int(read + last_rate * (at - begin))) for at in ticks(begin, end)], end


def ticks(begin: float, end: float) -> list[float]:
    """The moments in between at which a load is looked at."""
    first, after = math.floor(begin / SAMPLE_SECONDS) + 1, math.ceil(end / SAMPLE_SECONDS)
    return [number * SAMPLE_SECONDS for number in range(first, after)]


def test_more_loads_teach_more() -> None:
    once = learned(UNKNOWN, "m", GIB, 2.0, 4.0)
    assert once == Pace((GIB / 2,), (4.0,), {"m": (4.0,)})
    assert learned(once, "m", GIB, 2.0, 6.0).models == {"m": (4.0, 6.0)}
    assert set(learned(once, "n", GIB, 2.0, 6.0).models) == {"m", "n"}


def test_only_the_latest_loads_count() -> None:
    pace = UNKNOWN
    for seconds in (1.0, 1.0, 1.0, 7.0, 5.0, 5.0, 6.0):
        pace = learned(pace, "m", GIB, 2.0, seconds)
    assert pace.models == {"m": (1.0, 7.0, 5.0, 5.0, 6.0)}
    assert pace.finish_seconds("m", GIB) == 5.0


def test_what_was_learned_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "loading.json"
    Paces(path).learn("m", GIB, 2.0, 4.0)
    assert Paces(path).pace == Pace((GIB / 2,), (4.0,), {"m": (4.0,)})
    for content in (b"{", b'{"models": {"\xff": []}}'):
        path.write_bytes(content)
        assert Paces(path).pace == Pace()


async def test_the_share_never_falls(tmp_path: Path) -> None:
    paces = Paces(tmp_path / "loading.json")
    command = Command(
        model_id="m",
        argv=(),
        env={},
        port=1,
        port_is_pinned=False,
        api_key="",
        weights_bytes=1000,
        settings={},
    )
    load = Load(command, paces)
    shares = []
    for loaded in (0, 500, 400, 900, 1000, 200):
        load.observe(loaded)
        shares.append(load.progress.share)
    assert shares == sorted(shares) and shares[-1] > 0.8
    load.finish()
    assert "m" in paces.pace.models
    late = Load(command, Paces(tmp_path / "other.json"), begun_seconds_ago=5.0)
    late.observe(1000)
    late.finish()
    assert not (tmp_path / "other.json").exists()


async def test_it_is_seen_while_it_loads_and_gone_when_it_is_ready(rig: Rig) -> None:
    model_id = await rig.add("alpha", Behaviour(loads_when_told=True))
    start = asyncio.create_task(rig.fleet.start(model_id))
    actor = await rig.enter(model_id)
    await until(lambda: (load := rig.server(model_id).load) is not None and load.progress.share > 0.5)
    actor.tell("ready")
    await start
    assert rig.server(model_id).load is None
    await rig.fleet.stop(model_id)
    assert rig.server(model_id).load is None
