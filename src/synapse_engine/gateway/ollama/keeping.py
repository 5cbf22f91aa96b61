"""How long a model is kept after a request, as Ollama's clients say it. Pure."""

from __future__ import annotations

import math
import re

from synapse_engine.gateway.errors import BadRequest

SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def keep_alive_seconds(value: str | float | None) -> float | None:
    """`5m`, `1h30m`, 300, `300`; below 0 is for ever (math.inf), 0 not at all; None where nothing is said.

    Raises BadRequest.
    """
    if value is None:
        return None
    seconds = _number(value)
    if seconds is None:
        text = str(value)
        sign = -1.0 if text.startswith("-") else 1.0
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text.lstrip("+-"):
            raise BadRequest(
                f"Bad keep_alive: {value}", "It takes seconds, or a duration such as 5m or 1h30m."
            )
        seconds = sign * sum(float(number) * SECONDS[unit] for number, unit in parts)
    return math.inf if seconds < 0 else seconds


def _number(value: str | float) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return None if math.isnan(seconds) else seconds
