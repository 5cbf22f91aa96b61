"""No layer on a GPU that is there is said aloud."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_engine.fleet.degraded import plan_degradation
from synapse_engine.launch.base import Device

RAM = Device(name="RAM", kind="ram", total_bytes=32 << 30, free_bytes=16 << 30)
GPU = Device(name="Vulkan0", kind="gpu", total_bytes=8 << 30, free_bytes=1 << 30)
NONE = "load_tensors: offloaded 0/29 layers to GPU"
SOME = "load_tensors: offloaded 12/29 layers to GPU"


@pytest.mark.parametrize(
    ("lines", "settings", "devices", "is_degraded"),
    [
        ([NONE], {}, [RAM, GPU], True),
        ([SOME], {}, [RAM, GPU], False),
        ([NONE], {}, [RAM], False),
        ([], {}, [RAM, GPU], False),
        ([NONE], {"devices": "cpu"}, [RAM, GPU], False),
        ([NONE], {"n_gpu_layers": 0}, [RAM, GPU], False),
        ([SOME, NONE], {"n_gpu_layers": 99}, [RAM, GPU], True),
    ],
)
def test_when_it_is(
    lines: list[str], settings: dict[str, Any], devices: list[Device], is_degraded: bool
) -> None:
    said = plan_degradation(lines, settings, devices)
    assert (said is not None) is is_degraded
    if said is not None:
        assert "29 layers" in said and "Vulkan0" in said
