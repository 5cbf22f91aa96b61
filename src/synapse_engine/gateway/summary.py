"""The records of the last minutes in figures: by time, for charts, and by model."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from synapse_engine.gateway.activity import Outcome

STEPS_SECONDS = (1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400)
BUCKETS_MAX = 120
ERRORS = (Outcome.ERROR, Outcome.REFUSED, Outcome.SERVER_LOST)


class Figures(msgspec.Struct, frozen=True):
    """Of some calls. errors: what the server answered, what we refused, and answers that broke off.

    output_per_second: the mean of the answers' own speeds. first_byte_seconds: the mean of those that were
    answered.
    """

    requests: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    output_per_second: float | None = None
    first_byte_seconds: float | None = None
    first_byte_p95_seconds: float | None = None


class Summary(msgspec.Struct, frozen=True):
    """buckets: by when they begin, in unix seconds, without a gap. models: None for names that meant none."""

    bucket_seconds: int
    buckets: dict[int, Figures]
    models: dict[str | None, Figures]


# A mode tells the tokens of its models as its own, and these have been counted.
# The first bytes come out as one list for each group: SQL's windows take ten times as long to rank them.
_FIGURES = """
    SELECT {key}, count(*), sum(outcome IN ({errors})),
        coalesce(sum(prompt_tokens) FILTER (WHERE model_id IS NOT NULL), 0),
        coalesce(sum(output_tokens) FILTER (WHERE model_id IS NOT NULL), 0), avg(output_per_second),
        json_group_array(first_byte_seconds) FILTER (WHERE first_byte_seconds IS NOT NULL)
    FROM activity WHERE began_at >= ? GROUP BY 1
"""


def bucket_seconds(minutes: int) -> int:
    """The finest step that divides so many minutes into at most BUCKETS_MAX."""
    fine = (step for step in STEPS_SECONDS if minutes * 60 <= step * BUCKETS_MAX)
    return next(fine, STEPS_SECONDS[-1])


def summarize(connection: sqlite3.Connection, minutes: int, now: float) -> Summary:
    """Of the calls that arrived in the last minutes, as far as they are still kept. now: unix seconds."""
    step = bucket_seconds(minutes)
    last = int(now) // step
    first = last - minutes * 60 // step + 1
    since = first * step
    filled = _figures(connection, f"CAST(began_at / {step} AS INTEGER)", since)
    buckets = {bucket * step: filled.get(bucket, Figures()) for bucket in range(first, last + 1)}
    return Summary(step, buckets, _figures(connection, "model_id", since))


def _figures(connection: sqlite3.Connection, key: str, since: int) -> dict[Any, Figures]:
    errors = ", ".join(f"'{outcome}'" for outcome in ERRORS)
    rows = connection.execute(_FIGURES.format(key=key, errors=errors), (since,))
    return {found: _of(counted, waits) for found, *counted, waits in rows}


def _of(counted: list[Any], waits: str) -> Figures:
    figures, ranked = Figures(*counted), sorted(msgspec.json.decode(waits, type=list[float]))
    if not ranked:
        return figures
    # The smallest value that at least 95 of 100 do not exceed.
    p95 = ranked[(len(ranked) * 95 + 99) // 100 - 1]
    mean = sum(ranked) / len(ranked)
    return msgspec.structs.replace(figures, first_byte_seconds=mean, first_byte_p95_seconds=p95)
