"""256 streams at once, read as fast as they come, and afterwards what each token went through."""

from __future__ import annotations

import gc
import json
import select
import socket
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.gateway.token_server import PERIOD_NS, STREAMS

# Until then connections are still being opened; such tokens must arrive too, but nobody times them.
UNTIMED_TOKENS = 25
GRACE_SECONDS = 15.0
RECEIVE_BYTES = 65_536
END = b"0\r\n\r\n"


@dataclass(frozen=True)
class Token:
    """Instants on this machine's monotonic clock."""

    number: int
    sent_ns: int
    received_ns: int


@dataclass(frozen=True)
class Stream:
    """One answer as it came. is_whole: it ended as it should."""

    tokens: tuple[Token, ...]
    is_whole: bool


@dataclass
class Reading:
    """The bytes of one connection, each piece with the instant of its arrival."""

    connection: socket.socket
    times_ns: list[int] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    tail: bytes = b""

    def read(self) -> bool:
        """Take what is there; whether the answer has ended."""
        try:
            piece = self.connection.recv(RECEIVE_BYTES)
        except ConnectionError:
            piece = b""
        self.times_ns.append(time.monotonic_ns())
        self.pieces.append(piece)
        self.tail = (self.tail + piece[-len(END) :])[-len(END) :]
        return not piece or self.tail == END


def run_streams(port: int, path: str, model: str, tokens: int) -> list[Stream]:
    """All at once, from the first request to the last byte, or until they are long overdue."""
    body = json.dumps({"messages": [{"role": "user", "content": "Count."}], "model": model, "stream": True})
    content = body[:-1].encode() + b', "max_tokens": %d}' % tokens
    request = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    poll = select.epoll()
    readings: dict[int, Reading] = {}
    deadline = time.monotonic() + tokens * PERIOD_NS / 1e9 + GRACE_SECONDS
    # A collection would look like a slow relay.
    gc.collect()
    gc.disable()
    try:
        for _ in range(STREAMS):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request.encode() + content)
            readings[connection.fileno()] = Reading(connection)
            poll.register(connection, select.EPOLLIN)
        read_all(poll, readings, deadline)
    finally:
        gc.enable()
        poll.close()
        for reading in readings.values():
            reading.connection.close()
    return [parse_stream(reading.times_ns, reading.pieces) for reading in readings.values()]


def read_all(poll: select.epoll, readings: dict[int, Reading], deadline: float) -> None:
    unended = len(readings)
    while unended and (left := deadline - time.monotonic()) > 0:
        for number, _ in poll.poll(left):
            if readings[number].read():
                poll.unregister(number)
                unended -= 1


def parse_stream(times_ns: Sequence[int], pieces: Sequence[bytes]) -> Stream:
    """A token arrives with the piece that brings the end of its chunk."""
    raw = b"".join(pieces)
    ends: list[int] = []
    for piece in pieces:
        ends.append((ends[-1] if ends else 0) + len(piece))
    head, _, _ = raw.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0] + b" " or b"chunked" not in head.lower():
        raise SystemExit(f"a stream was answered with: {raw[:300].decode(errors='replace')}")
    tokens, body, is_done = [], b"", False
    for chunk, end in dechunk(raw, len(head) + 4):
        body += chunk
        *events, body = body.split(b"\n\n")
        for event in events:
            is_done = event == b"data: [DONE]"
            if event.startswith(b"data: {"):
                told = json.loads(event[6:])
                if "number" in told:
                    received_ns = times_ns[bisect_left(ends, end)]
                    tokens.append(Token(told["number"], told["sent_ns"], received_ns))
    return Stream(tuple(tokens), is_done and raw.endswith(b"\r\n" + END))


def dechunk(raw: bytes, position: int) -> Iterator[tuple[bytes, int]]:
    """Each chunk's content, and where it ends; nothing after the last whole one."""
    while (line_end := raw.find(b"\r\n", position)) >= 0:
        size = int(raw[position:line_end].partition(b";")[0], 16)
        end = line_end + 2 + size
        if not size or end > len(raw):
            return
        yield raw[line_end + 2 : end], end
        position = end + 2


def stream_figures(streams: Sequence[Stream], tokens: int) -> dict[str, float]:
    """Milliseconds between neighbours at the client (gap), by how much more than at the server (stretch), and
    from server to client (delay); and what went wrong."""
    gaps, stretches, delays, lost, misplaced = [], [], [], 0, 0
    for stream in streams:
        lost += tokens - len({token.number for token in stream.tokens})
        misplaced += sum(b.number <= a.number for a, b in zip(stream.tokens, stream.tokens[1:], strict=False))
        timed = stream.tokens[UNTIMED_TOKENS:]
        delays += [(token.received_ns - token.sent_ns) / 1e6 for token in timed]
        for before, after in zip(timed, timed[1:], strict=False):
            gap_ns = after.received_ns - before.received_ns
            gaps.append(gap_ns / 1e6)
            stretches.append((gap_ns - (after.sent_ns - before.sent_ns)) / 1e6)
    return {
        "gap p50 ms": percentile(gaps, 0.5),
        "gap p99 ms": percentile(gaps, 0.99),
        "stretch p99 ms": percentile(stretches, 0.99),
        "delay p50 ms": percentile(delays, 0.5),
        "delay p99 ms": percentile(delays, 0.99),
        "lost": float(lost),
        "out of place": float(misplaced),
        "cut short": float(sum(not stream.is_whole for stream in streams)),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Not a number of nothing."""
    return sorted(values)[int(share * len(values))] if values else float("nan")
