"""How far a load has come: planned from what was seen and learned, and told while it loads."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.fakes.rig import Rig, until
from tests.fakes.stage import Behaviour

from synapse_engine.fleet.loading import GIB, Load, Pace, Paces, Progress, Seen, learned, plan_progress
from synapse_engine.launch.base import Command

UNKNOWN = Pace()
KNOWN = Pace(read_bytes_per_second=GIB, finish_seconds_per_gib=2.0, models={"m": 6.0})

CASES = {
    "nothing known, nothing read": ("m", Seen(0.1, 0, None), UNKNOWN, Progress(0.0, None)),
    "nothing known, half read": ("m", Seen(2.0, 2 * GIB, None), UNKNOWN, Progress(0.45, 2.0)),
    "nothing known, all read": ("m", Seen(5.0, 4 * GIB, 4.0), UNKNOWN, Progress(0.9, None)),
    "nothing read yet": ("m", Seen(2.5, 0, None), KNOWN, Progress(0.2, 10.0)),
    "half read": ("m", Seen(2.0, 2 * GIB, None), KNOWN, Progress(0.2, 8.0)),
    "half read, slower than ever": ("m", Seen(10.0, 2 * GIB, None), KNOWN, Progress(10 / 26, 16.0)),
    "all read": ("m", Seen(4.0, 4 * GIB, 4.0), KNOWN, Progress(0.4, 6.0)),
    "warming up": ("m", Seen(7.0, 4 * GIB, 4.0), KNOWN, Progress(0.7, 3.0)),
    "overdue": ("m", Seen(90.0, 4 * GIB, 4.0), KNOWN, Progress(0.99, 0.0)),
    "another model": ("other", Seen(4.0, 4 * GIB, 4.0), KNOWN, Progress(4 / 12, 8.0)),
}


@pytest.mark.parametrize("case", CASES)
def test_plan(case: str) -> None:
    model_id, seen, pace, expected = CASES[case]
    progress = plan_progress(model_id, 4 * GIB, seen, pace)
    assert progress.share == pytest.approx(expected.share)
    assert progress.eta_seconds == pytest.approx(expected.eta_seconds)


def test_more_loads_teach_more() -> None:
    once = learned(UNKNOWN, "m", GIB, 2.0, 4.0)
    assert once == Pace(GIB / 2, 4.0, {"m": 4.0})
    assert learned(once, "m", GIB, 2.0, 6.0).models == {"m": 5.0}
    assert set(learned(once, "n", GIB, 2.0, 6.0).models) == {"m", "n"}


def test_what_was_learned_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "loading.json"
    Paces(path).learn("m", GIB, 2.0, 4.0)
    assert Paces(path).pace == Pace(GIB / 2, 4.0, {"m": 4.0})
    path.write_text("{")
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
