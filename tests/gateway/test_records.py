"""From calls to records, and what is asked of them; in a database of the test's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from synapse_engine.gateway.activity import Activity, Call, Outcome
from synapse_engine.gateway.records import Record, Wanted, insert, last_id, newest, record_of
from synapse_engine.gateway.summary import BUCKETS_MAX, Figures, bucket_seconds, summarize
from synapse_engine.store import MIGRATIONS

NOW = 1_800_000_000.0
USAGE = b'"usage":{"prompt_tokens":33,"completion_tokens":5}'


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for script in MIGRATIONS:
        connection.executescript(script)
    yield connection
    connection.close()


def ended(outcome: Outcome = Outcome.OK, **facts: Any) -> Call:
    """A call that took from 100.0 to 110.0."""
    activity = Activity()
    call = activity.begin("/v1/chat/completions", "openai", "127.0.0.1", lambda: None)
    activity.end(call, outcome)
    for name, value in {"began_at": NOW, "began": 100.0, "ended": 110.0, "model_id": "m", **facts}.items():
        setattr(call, name, value)
    return call


def record(number: int, **facts: Any) -> Record:
    return record_of(ended(id=number, **facts))


def test_the_times_of_a_call() -> None:
    found = record_of(ended(seated=104.0, load_seconds=3.0, first_byte=106.0))
    assert (found.queue_seconds, found.load_seconds) == (1.0, 3.0)
    assert (found.first_byte_seconds, found.total_seconds) == (6.0, 10.0)


def test_one_that_was_never_given_to_a_server_has_waited_all_its_time() -> None:
    found = record_of(
        ended(Outcome.REFUSED, model_id=None, load_seconds=4.0, status=404, error="no such model")
    )
    assert (found.queue_seconds, found.first_byte_seconds, found.total_seconds) == (6.0, None, 10.0)
    assert (found.outcome, found.model_id, found.status, found.error) == (
        "refused",
        None,
        404,
        "no such model",
    )


@pytest.mark.parametrize(
    ("facts", "speed"),
    [
        ({"is_stream": True, "first_byte": 108.0, "tail": USAGE}, 2.0),
        ({"is_stream": True, "first_byte": 110.0, "tail": USAGE}, None),
        ({"is_stream": False, "first_byte": 108.0, "tail": USAGE}, None),
        ({"is_stream": True, "tail": USAGE}, None),
        ({"is_stream": True, "first_byte": 108.0}, None),
        ({"is_stream": True, "first_byte": 108.0, "tail": b'"timings":{"predicted_per_second":7.5}'}, 7.5),
    ],
)
def test_the_speed_is_the_servers_word_or_the_streams_pace(
    facts: dict[str, Any], speed: float | None
) -> None:
    assert record_of(ended(**facts)).output_per_second == speed


def test_the_servers_words_are_kept_with_its_errors() -> None:
    tail = b'{"error":{"message":"the prompt is too long"}}'
    assert record_of(ended(Outcome.ERROR, tail=tail)).error == "the prompt is too long"
    assert record_of(ended(Outcome.ERROR, tail=tail, error="ours")).error == "ours"
    assert record_of(ended(Outcome.OK, tail=tail)).error is None


def test_what_a_client_sent_is_kept_short_and_whole(database: sqlite3.Connection) -> None:
    insert(database, [record(1, asked="\ud800" + "x" * 10_000, path="/" + "\udcff" * 9_999)], 10)
    (found,) = newest(database, Wanted(), 10)
    assert found.asked == "?" + "x" * 299
    assert len(found.path) == 300


def test_a_record_comes_back_as_it_was(database: sqlite3.Connection) -> None:
    records = [
        record(
            1, is_stream=True, first_byte=103.0, seated=101.0, tail=USAGE, status=200, variant="v", bytes_in=9
        ),
        record(2, outcome=Outcome.REFUSED, model_id=None, error="no"),
    ]
    assert last_id(database) == 0
    insert(database, records, 10)
    assert newest(database, Wanted(), 10) == records[::-1]
    assert last_id(database) == 2


def test_the_oldest_go_first(database: sqlite3.Connection) -> None:
    for first in range(0, 40, 8):
        insert(database, [record(number) for number in range(first, first + 8)], 10)
    assert [found.id for found in newest(database, Wanted(), 100)] == list(range(39, 29, -1))
    insert(database, [record(40)], 0)
    assert newest(database, Wanted(), 100) == []


def test_what_is_wanted_page_by_page(database: sqlite3.Connection) -> None:
    outcomes = (Outcome.OK, Outcome.ERROR, Outcome.CLIENT_LEFT)
    records = [
        record(n, outcome=outcomes[n % 3], model_id="ab"[n % 2], dialect=("openai", "ollama")[n // 6])
        for n in range(12)
    ]
    insert(database, records, 100)

    def ids(limit: int = 100, **wanted: Any) -> list[int]:
        return [found.id for found in newest(database, Wanted(**wanted), limit)]

    assert ids(4) == [11, 10, 9, 8]
    assert ids(4, before=8) == [7, 6, 5, 4]
    assert ids(before=0) == []
    assert ids(model_id="a") == [10, 8, 6, 4, 2, 0]
    assert ids(outcome=Outcome.ERROR) == [10, 7, 4, 1]
    assert ids(dialect="ollama", model_id="b") == [11, 9, 7]
    assert ids(2, dialect="openai", outcome=Outcome.OK, before=3) == [0]
    assert ids(model_id="' OR 1 --") == []


@pytest.mark.parametrize(
    ("minutes", "seconds"),
    [(1, 1), (2, 1), (3, 5), (10, 5), (30, 15), (60, 60), (1440, 900), (525_600, 86_400)],
)
def test_the_step_is_as_fine_as_can_be(minutes: int, seconds: int) -> None:
    assert bucket_seconds(minutes) == seconds
    assert minutes * 60 / seconds <= BUCKETS_MAX or seconds == 86_400


def test_figures_by_time(database: sqlite3.Connection) -> None:
    rows: list[dict[str, Any]] = [
        {"began_at": NOW - 7, "first_byte": 101.0, "tail": USAGE},
        {"began_at": NOW - 6, "first_byte": 103.0, "tail": USAGE},
        {"began_at": NOW - 6, "outcome": Outcome.ERROR},
        {"began_at": NOW - 6, "outcome": Outcome.CLIENT_LEFT},
        {"began_at": NOW, "outcome": Outcome.REFUSED, "model_id": None},
        {"began_at": NOW - 9_999},
    ]
    insert(database, [record(n, **facts) for n, facts in enumerate(rows)], 100)
    summary = summarize(database, 10, NOW)
    assert summary.bucket_seconds == 5
    assert list(summary.buckets) == list(range(int(NOW) - 595, int(NOW) + 1, 5))
    busy = {time: figures for time, figures in summary.buckets.items() if figures.requests}
    assert busy == {
        NOW - 10: Figures(4, 1, 66, 10, None, 2.0, 3.0),
        NOW: Figures(1, 1, 0, 0, None, None, None),
    }
    assert summary.models == {"m": Figures(4, 1, 66, 10, None, 2.0, 3.0), None: Figures(1, 1)}


@pytest.mark.parametrize(("values", "expected"), [(1, 1), (19, 19), (20, 19), (21, 20), (100, 95), (101, 96)])
def test_the_95th_percentile(database: sqlite3.Connection, values: int, expected: int) -> None:
    insert(database, [record(n, first_byte=100.0 + n) for n in range(values, 0, -1)], 1000)
    (figures,) = summarize(database, 1, NOW).models.values()
    assert figures.first_byte_p95_seconds == expected


def test_no_records_are_no_figures(database: sqlite3.Connection) -> None:
    summary = summarize(database, 1, NOW)
    assert summary.models == {}
    assert set(summary.buckets.values()) == {Figures()}
    assert len(summary.buckets) == 60
