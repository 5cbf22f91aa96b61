"""Calls, from arrival to end."""

from __future__ import annotations

import weakref

import pytest

from synapse_engine.gateway.activity import ENDED_MAX, Activity, Call, Outcome, Stage


def nothing() -> None:
    pass


def begun(activity: Activity, model_id: str | None = "m") -> Call:
    call = activity.begin("/v1/chat/completions", "openai", "127.0.0.1", nothing)
    call.model_id = model_id
    return call


def test_a_call_is_live_until_it_ends() -> None:
    activity = Activity(first_id=7)
    call = begun(activity)
    assert (call.id, call.stage, call.ended) == (7, Stage.QUEUED, None)
    assert activity.live == {7: call}
    activity.end(call, Outcome.OK)
    assert activity.live == {}
    assert list(activity.ended) == [call]
    assert call.outcome is Outcome.OK
    assert call.ended is not None and call.ended >= call.began


def test_an_ended_call_keeps_nothing_of_its_exchange() -> None:
    class Exchange:
        def cancel(self) -> None: ...

    activity, exchange = Activity(), Exchange()
    call = activity.begin("/v1/embeddings", "openai", "127.0.0.1", exchange.cancel)
    gone = weakref.ref(exchange)
    activity.end(call, Outcome.OK)
    del exchange
    assert gone() is None


def test_ids_grow() -> None:
    activity = Activity()
    assert [begun(activity).id for _ in range(3)] == [1, 2, 3]


def test_a_call_ends_once() -> None:
    activity = Activity()
    call = begun(activity)
    activity.end(call, Outcome.OK)
    with pytest.raises(KeyError):
        activity.end(call, Outcome.CLIENT_LEFT)
    assert sum(activity.counts.values()) == 1


def test_counts_are_by_model_dialect_and_outcome() -> None:
    activity = Activity()
    for model_id, outcome in (
        ("a", Outcome.OK),
        ("a", Outcome.OK),
        ("a", Outcome.ERROR),
        (None, Outcome.REFUSED),
    ):
        activity.end(begun(activity, model_id), outcome)
    assert activity.counts == {
        ("a", "openai", Outcome.OK): 2,
        ("a", "openai", Outcome.ERROR): 1,
        (None, "openai", Outcome.REFUSED): 1,
    }


def test_the_newest_are_kept_and_all_are_counted() -> None:
    activity = Activity()
    for _ in range(ENDED_MAX + 10):
        activity.end(begun(activity), Outcome.OK)
    assert len(activity.ended) == ENDED_MAX
    assert activity.ended[-1].id == ENDED_MAX + 10
    assert activity.counts["m", "openai", Outcome.OK] == ENDED_MAX + 10


def test_cancel_reaches_live_calls_only() -> None:
    activity, cancelled = Activity(), []
    call = activity.begin("/v1/embeddings", "openai", "127.0.0.1", lambda: cancelled.append(True))
    assert activity.cancel(call.id)
    assert cancelled == [True]
    activity.end(call, Outcome.CANCELLED)
    assert not activity.cancel(call.id)
    assert not activity.cancel(99)
