"""Benchmarks in the store. What a running one has stopped is kept with it until it is put back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from synapse_engine.benchmarks.before import Before
from synapse_engine.benchmarks.record import ACTIVE, Benchmark, BenchmarkStatus, Kept, Sample

_COLUMNS = "id, created_at, began_at, ended_at, status, total, kept"
_OPEN = f"status IN ({', '.join(repr(status.value) for status in ACTIVE)})"


def insert(connection: sqlite3.Connection, benchmark: Benchmark) -> int:
    """A new one; answers its id, which no other ever has."""
    cursor = connection.execute(
        "INSERT INTO benchmarks (created_at, status, total, kept) VALUES (?, ?, ?, ?)",
        (benchmark.created_at, benchmark.status, benchmark.total, _json(benchmark.kept())),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def update(connection: sqlite3.Connection, benchmark: Benchmark, before: Before | None) -> None:
    """All but its samples. before: what is still to be put back."""
    connection.execute(
        "UPDATE benchmarks SET began_at = ?, ended_at = ?, status = ?, total = ?, kept = ?, fleet = ? "
        "WHERE id = ?",
        (
            benchmark.began_at,
            benchmark.ended_at,
            benchmark.status,
            benchmark.total,
            _json(benchmark.kept()),
            None if before is None else _json(before),
            benchmark.id,
        ),
    )


def add_samples(connection: sqlite3.Connection, benchmark_id: int, first: int, samples: list[Sample]) -> None:
    """first: the place of the first of them among its samples, from 0."""
    connection.executemany(
        "INSERT OR REPLACE INTO benchmark_samples (benchmark_id, number, failed, sample) VALUES (?, ?, ?, ?)",
        [
            (benchmark_id, number, sample.problem is not None, _json(sample))
            for number, sample in enumerate(samples, first)
        ],
    )


def find(connection: sqlite3.Connection, benchmark_id: int) -> Benchmark | None:
    """With its samples."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM benchmarks WHERE id = ?", (benchmark_id,)).fetchone()
    return None if row is None else _with_samples(connection, _read(row))


def newest(connection: sqlite3.Connection, before: int | None, limit: int) -> list[Benchmark]:
    """Without samples, but with their number; those of lower ids than `before`, highest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS}, (SELECT count(*) FROM benchmark_samples WHERE benchmark_id = id), "
        "(SELECT coalesce(sum(failed), 0) FROM benchmark_samples WHERE benchmark_id = id) "
        "FROM benchmarks WHERE ? IS NULL OR id < ? ORDER BY id DESC LIMIT ?",
        (before, before, limit),
    ).fetchall()
    return [_counted(_read(row[:-2]), *row[-2:]) for row in rows]


def left_open(connection: sqlite3.Connection) -> list[tuple[Benchmark, Before | None]]:
    """Those that had not ended, and those whose fleet is not put back yet; with their samples."""
    rows = connection.execute(
        f"SELECT {_COLUMNS}, fleet FROM benchmarks WHERE {_OPEN} OR fleet IS NOT NULL ORDER BY id"
    ).fetchall()
    return [
        (
            _with_samples(connection, _read(row[:-1])),
            None if row[-1] is None else msgspec.json.decode(row[-1], type=Before),
        )
        for row in rows
    ]


def delete(connection: sqlite3.Connection, benchmark_ids: Iterable[int]) -> None:
    ids = [(benchmark_id,) for benchmark_id in benchmark_ids]
    connection.executemany("DELETE FROM benchmark_samples WHERE benchmark_id = ?", ids)
    connection.executemany("DELETE FROM benchmarks WHERE id = ?", ids)


def prune(connection: sqlite3.Connection, kept: int) -> None:
    """Drop the oldest that have ended, beyond the number to be kept."""
    ended = connection.execute(
        f"SELECT id FROM benchmarks WHERE NOT {_OPEN} AND fleet IS NULL ORDER BY id DESC LIMIT -1 OFFSET ?",
        (kept,),
    )
    delete(connection, [benchmark_id for (benchmark_id,) in ended.fetchall()])


def _read(row: tuple[int, float, float | None, float | None, str, int, str]) -> Benchmark:
    benchmark_id, created_at, began_at, ended_at, status, total, kept_json = row
    kept = msgspec.json.decode(kept_json, type=Kept)
    return Benchmark(
        benchmark_id,
        kept.wanted,
        created_at,
        total,
        status=BenchmarkStatus(status),
        began_at=began_at,
        ended_at=ended_at,
        loaded=kept.loaded,
        notes=kept.notes,
        machine=kept.machine,
        judgement=kept.judgement,
        problem=kept.problem,
    )


def _with_samples(connection: sqlite3.Connection, benchmark: Benchmark) -> Benchmark:
    benchmark.samples = list(_samples(connection, benchmark.id))
    failed = sum(sample.problem is not None for sample in benchmark.samples)
    return _counted(benchmark, len(benchmark.samples), failed)


def _samples(connection: sqlite3.Connection, benchmark_id: int) -> Iterator[Sample]:
    rows = connection.execute(
        "SELECT sample FROM benchmark_samples WHERE benchmark_id = ? ORDER BY number", (benchmark_id,)
    )
    for (text,) in rows:
        yield msgspec.json.decode(text, type=Sample)


def _counted(benchmark: Benchmark, samples: int, failed: int) -> Benchmark:
    judged = 2 * len(benchmark.judgement.comparisons) if benchmark.judgement else 0
    benchmark.done, benchmark.failed = samples + judged, failed
    return benchmark


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
