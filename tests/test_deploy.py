"""The systemd units keep models loaded through the control plane's end."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import pytest

from synapse_engine.settings import Settings

UNITS = sorted((Path(__file__).parent.parent / "deploy" / "systemd").glob("*/synapse.service"))


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.parent.name)
def test_unit(path: Path) -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    service = unit["Service"]
    assert service["ExecStart"].endswith("/synapse serve")
    assert (service["KillMode"], service["OOMPolicy"]) == ("process", "continue")
    drain_seconds = Settings.model_fields["drain_seconds"].default
    assert int(service["TimeoutStopSec"]) > drain_seconds
    assert unit["Install"]["WantedBy"]


def test_there_is_one_for_a_person_and_one_for_a_machine() -> None:
    assert [path.parent.name for path in UNITS] == ["system", "user"]
