"""Calls that have ended, as they are kept: from a call to its record, and the records' place in the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from synapse_engine.gateway.activity import Call, Outcome
from synapse_engine.gateway.usage import Usage, read_error, read_usage

TEXT_MAX = 300


class Record(msgspec.Struct, frozen=True):
    """One call that has ended; the columns of `activity`, in their order.

    began_at: unix seconds. queue_seconds: until it was given to its server (or gave up), without
    load_seconds, in which that server was loading. first_byte_seconds and total_seconds: from its arrival.
    Tokens as in `Usage`. output_per_second: where the server did not say, a stream's own pace.
    """

    id: int
    began_at: float
    model_id: str | None
    asked: str
    variant: str | None
    server_id: str | None
    dialect: str
    path: str
    client: str
    is_stream: bool
    outcome: str
    status: int | None
    error: str | None
    queue_seconds: float
    load_seconds: float
    first_byte_seconds: float | None
    total_seconds: float
    prompt_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    prompt_per_second: float | None
    output_per_second: float | None
    bytes_in: int
    bytes_out: int


COLUMNS = ", ".join(Record.__struct_fields__)
_INSERT = f"INSERT INTO activity ({COLUMNS}) VALUES ({', '.join('?' * len(Record.__struct_fields__))})"


def record_of(call: Call) -> Record:
    """The record of a call that has ended."""
    usage = read_usage(call.tail, call.head)
    ended = call.began if call.ended is None else call.ended
    seated = ended if call.seated is None else call.seated
    error = call.error
    if error is None and call.outcome is Outcome.ERROR:
        error = read_error(call.tail)
    return Record(
        call.id,
        call.began_at,
        call.model_id,
        _kept(call.asked),
        call.variant,
        call.server_id,
        call.dialect,
        _kept(call.path),
        call.client,
        call.is_stream,
        str(call.outcome),
        call.status,
        None if error is None else _kept(error),
        max(0.0, seated - call.began - call.load_seconds),
        call.load_seconds,
        None if call.first_byte is None else call.first_byte - call.began,
        ended - call.began,
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.output_tokens,
        usage.prompt_per_second,
        _output_per_second(call, usage, ended),
        call.bytes_in,
        call.bytes_out,
    )


def _output_per_second(call: Call, usage: Usage, ended: float) -> float | None:
    if usage.output_per_second is not None or not call.is_stream or call.first_byte is None:
        return usage.output_per_second
    further, seconds = (usage.output_tokens or 0) - 1, ended - call.first_byte
    return further / seconds if further > 0 and seconds > 0 else None


def _kept(text: str) -> str:
    """What a client sent, short and fit for a file: half a surrogate pair is none."""
    return text[:TEXT_MAX].encode("utf-8", "replace").decode()


def insert(connection: sqlite3.Connection, records: Sequence[Record], kept: int) -> None:
    """Add them, and drop the oldest beyond the number to be kept."""
    connection.executemany(_INSERT, map(msgspec.structs.astuple, records))
    (total,) = connection.execute("SELECT count(*) FROM activity").fetchone()
    if total > kept:
        oldest = "SELECT id FROM activity ORDER BY id LIMIT ?"
        connection.execute(f"DELETE FROM activity WHERE id IN ({oldest})", (total - kept,))


def last_id(connection: sqlite3.Connection) -> int:
    """The highest id; 0 where there is no record."""
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM activity").fetchone()
    return int(last)


@dataclass(frozen=True)
class Wanted:
    """Which records: older than the id `before`, and of this model, outcome and dialect; None: any."""

    before: int | None = None
    model_id: str | None = None
    outcome: Outcome | None = None
    dialect: str | None = None


def newest(connection: sqlite3.Connection, wanted: Wanted, limit: int) -> list[Record]:
    """The wanted records, newest arrival first."""
    conditions = {
        "id < ?": wanted.before,
        "model_id = ?": wanted.model_id,
        "outcome = ?": wanted.outcome,
        "dialect = ?": wanted.dialect,
    }
    held = {condition: value for condition, value in conditions.items() if value is not None}
    where = f"WHERE {' AND '.join(held)}" if held else ""
    statement = f"SELECT {COLUMNS} FROM activity {where} ORDER BY id DESC LIMIT ?"
    rows = connection.execute(statement, (*held.values(), limit))
    return [Record(*row) for row in rows]
