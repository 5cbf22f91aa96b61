"""Heads that offer to speak another protocol (`Upgrade`), as Java's client does with every first request.

The parser takes what follows such a head for that protocol's. So another parser takes its place, and is told
the head again, as far as it frames the body; whoever listens has heard it already.
"""

from __future__ import annotations

from typing import Protocol


class Listening(Protocol):
    """What a parser of requests tells."""

    def on_message_begin(self) -> None: ...

    def on_url(self, url: bytes) -> None: ...

    def on_header(self, name: bytes, value: bytes) -> None: ...

    def on_headers_complete(self) -> None: ...

    def on_body(self, body: bytes) -> None: ...

    def on_message_complete(self) -> None: ...


class HeadAgain:
    """Passes on what a parser tells, except for the head that it was told again."""

    def __init__(self, listening: Listening) -> None:
        self._listening = listening
        self._is_over = False
        self.on_body = listening.on_body
        self.on_message_complete = listening.on_message_complete

    def on_message_begin(self) -> None:
        if self._is_over:
            self._listening.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._is_over:
            self._listening.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_over:
            self._listening.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._is_over:
            self._listening.on_headers_complete()
        self._is_over = True
