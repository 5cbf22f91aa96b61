"""Whose turn it is among those that wait."""

from __future__ import annotations

import random

import pytest

from synapse_engine.gateway.fairness import AGED_SECONDS, FairQueue, Ticket

HIGH, NORMAL, LOW = range(3)


def order(tickets: list[tuple[str, int, str]], now: float = 0.0) -> str:
    """Of (client, priority, name), in the order of coming, the names in the order of their turns."""
    queue: FairQueue[str] = FairQueue()
    for client, priority, name in tickets:
        queue.add(Ticket(client, priority, 0.0, name))
    names = []
    while (ticket := queue.peek(now)) is not None:
        queue.take(ticket)
        names.append(ticket.what)
    assert len(queue) == 0 and queue.oldest is None
    return " ".join(names)


CASES = {
    "nobody": ([], ""),
    "first come first": ([("a", NORMAL, "1"), ("a", NORMAL, "2"), ("a", NORMAL, "3")], "1 2 3"),
    "each client in turn": (
        [
            ("a", NORMAL, "a1"),
            ("a", NORMAL, "a2"),
            ("a", NORMAL, "a3"),
            ("b", NORMAL, "b1"),
            ("c", NORMAL, "c1"),
        ],
        "a1 b1 c1 a2 a3",
    ),
    "priority first": ([("a", LOW, "l"), ("a", NORMAL, "n"), ("b", HIGH, "h")], "h n l"),
    "clients in turn within a priority": (
        [("a", HIGH, "a1"), ("a", HIGH, "a2"), ("b", HIGH, "b1"), ("b", LOW, "b2")],
        "a1 b1 a2 b2",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_order(case: str) -> None:
    tickets, expected = CASES[case]
    assert order(tickets) == expected


def test_who_has_waited_long_goes_first() -> None:
    tickets = [("a", LOW, "low"), ("b", HIGH, "high")]
    assert order(tickets, now=AGED_SECONDS - 1) == "high low"
    assert order(tickets, now=AGED_SECONDS) == "low high"


def test_one_that_leaves_is_not_met() -> None:
    queue: FairQueue[int] = FairQueue()
    tickets = [Ticket("a", NORMAL, 0.0, number) for number in range(3)]
    for ticket in tickets:
        queue.add(ticket)
    queue.remove(tickets[1])
    queue.remove(tickets[1])
    assert [ticket.what for ticket in queue.tickets] == [0, 2]


def test_nobody_is_lost_or_met_twice() -> None:
    """Whatever comes, leaves and is taken."""
    chance = random.Random(1)
    queue: FairQueue[int] = FairQueue()
    inside: dict[int, Ticket[int]] = {}
    for number in range(3000):
        what = chance.random()
        if what < 0.5:
            ticket = Ticket(chance.choice("abcd"), chance.randrange(3), float(number), number)
            inside[number] = ticket
            queue.add(ticket)
        elif what < 0.7 and inside:
            queue.remove(inside.pop(chance.choice(list(inside))))
        elif (taken := queue.peek(float(number))) is not None:
            queue.take(taken)
            del inside[taken.what]
        assert {ticket.what for ticket in queue.tickets} == set(inside)
