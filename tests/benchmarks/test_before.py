"""What has to be done for the fleet to be as it was."""

from __future__ import annotations

import pytest

from synapse_engine.benchmarks.before import Before, Ran, Restoring, plan_restoring


@pytest.mark.parametrize(
    ("ran", "held_before", "runs", "by_hand", "held", "plan"),
    [
        # What it had stopped comes back, as what it was.
        ("a! b", "", "", "", "", (" ", "a", "b", "")),
        # What it had started goes, and is held again if it was.
        ("", "x", "x", "", "", ("x", "", "", "x")),
        ("", "x", "", "", "", ("", "", "", "x")),
        ("", "", "x", "", "", ("x", "", "", "")),
        # What ran before and runs still is left alone, though it was asked.
        ("x", "", "x", "", "", ("", "", "", "")),
        # A person's later word: stopped stays stopped, started goes on, and is not held any more.
        ("a!", "", "", "", "a", ("", "", "", "")),
        ("", "x", "x", "x", "", ("", "", "", "")),
        # What others have started meanwhile is theirs.
        ("", "", "c", "", "", ("", "", "", "")),
        # All at once.
        ("a! b x", "y", "c y", "", "", ("y", "a", "b x", "y")),
    ],
)
def test_plan_restoring(
    ran: str, held_before: str, runs: str, by_hand: str, held: str, plan: tuple[str, str, str, str]
) -> None:
    before = Before(
        tuple(Ran(name.rstrip("!"), name.endswith("!")) for name in ran.split()),
        tuple(held_before.split()),
        "boot",
    )
    found = plan_restoring(before, ["x", "y", "x"], runs.split(), by_hand.split(), held.split())
    assert found == Restoring(*(tuple(part.split()) for part in plan))
