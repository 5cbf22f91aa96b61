"""Whether a request may start a model. Pure."""

from __future__ import annotations

from synapse_engine.catalog.registry import Entry

HELD = "it is held: somebody stopped it, so requests do not start it until a START or a release"


def why_not_started(entry: Entry, on_demand: bool) -> str | None:
    """Why a request must not start it, in words; None where it may."""
    if entry.missing:
        return "its file is gone, so that requests cannot start it"
    if entry.choices.held:
        return HELD
    if not entry.choices.enabled:
        return "it is not enabled, so that requests do not start it"
    if not on_demand:
        return "SYNAPSE_ON_DEMAND is off, so that requests do not start models"
    return None
