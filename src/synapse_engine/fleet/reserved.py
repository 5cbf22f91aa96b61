"""Who alone may start servers, while somebody needs the machine for himself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from synapse_engine.errors import MachineReserved


class Reserved:
    """Attribute to read: holder, what the others are told; None where everybody may."""

    def __init__(self) -> None:
        self.holder: str | None = None

    @contextmanager
    def by(self, holder: str) -> Iterator[None]:
        """For the holder alone, for as long as it is entered. What runs goes on. Raises MachineReserved."""
        self.check(holder)
        before, self.holder = self.holder, holder
        try:
            yield
        finally:
            self.holder = before

    def check(self, whose: str | None, *, by_request: bool = False) -> None:
        """Whether a start is allowed. Raises MachineReserved."""
        if self.holder is not None and whose != self.holder:
            raise MachineReserved(self.holder, by_request=by_request)
