"""Who of those that wait is next. Pure.

First by priority, then each client in turn, then who came first: one client's hundred requests do not go
before another's one. Whoever has waited long enough goes first whatever its priority: nobody starves.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Generic, TypeVar

PRIORITIES = 3
AGED_SECONDS = 30.0

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Ticket(Generic[T]):
    """One that waits. since: of the monotonic clock. priority: 0 is first."""

    client: str
    priority: int
    since: float
    what: T


class FairQueue(Generic[T]):
    """Attribute to read: count, of all that wait."""

    def __init__(self) -> None:
        self.count = 0
        self._turns: list[OrderedDict[str, deque[Ticket[T]]]] = [OrderedDict() for _ in range(PRIORITIES)]
        self._in_order: OrderedDict[int, Ticket[T]] = OrderedDict()

    def __len__(self) -> int:
        return self.count

    @property
    def tickets(self) -> list[Ticket[T]]:
        """Everyone, first come first."""
        return list(self._in_order.values())

    @property
    def oldest(self) -> Ticket[T] | None:
        return next(iter(self._in_order.values()), None)

    def add(self, ticket: Ticket[T]) -> None:
        self.count += 1
        self._in_order[id(ticket)] = ticket
        self._turns[ticket.priority].setdefault(ticket.client, deque()).append(ticket)

    def remove(self, ticket: Ticket[T]) -> None:
        """Harmless for one that does not wait any more."""
        if self._in_order.pop(id(ticket), None) is None:
            return
        self.count -= 1
        turns = self._turns[ticket.priority]
        own = turns[ticket.client]
        own.remove(ticket)
        if not own:
            del turns[ticket.client]

    def peek(self, now: float) -> Ticket[T] | None:
        """Whose turn it is; None where nobody waits."""
        oldest = self.oldest
        if oldest is None or now - oldest.since >= AGED_SECONDS:
            return oldest
        turns = next(turns for turns in self._turns if turns)
        return next(iter(turns.values()))[0]

    def take(self, ticket: Ticket[T]) -> None:
        """It has had its turn: its client's next one comes after everybody else's."""
        self.remove(ticket)
        turns = self._turns[ticket.priority]
        if ticket.client in turns:
            turns.move_to_end(ticket.client)
