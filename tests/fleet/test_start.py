"""Starting one server: what is answered, joined, cancelled and told."""

from __future__ import annotations

from tests.fakes.rig import Rig

from synapse_engine.fleet.state import State


async def test_starts_and_is_ready(rig: Rig) -> None:
    model_id = await rig.add("alpha")
    started = await rig.fleet.start(model_id)
    assert (started.port, started.was_running) == (rig.ports.start, False)
    assert started.seconds > 0
    assert rig.server(model_id).state is State.READY
    actor = await rig.enter(model_id)
    assert actor.pid == rig.server(model_id).process.pid  # type: ignore[union-attr]
