"""The data of server-sent events, out of bytes cut anywhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator

DATA = b"data:"
END = b"[DONE]"


class Events:
    """One line of data for each event, as all servers here send them; comments and names are passed over."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The data of events that have become whole."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(DATA) and (content := line[len(DATA) :].strip()) != END:
                yield content
