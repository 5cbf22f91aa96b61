"""A model's server that only streams: numbered tokens, each with the instant when it left, at an even pace.

Standard library only, so that it starts at once. `--port N` says where; `max_tokens` in a body how many.
The streams are out of step with each other on purpose: tokens leave one by one and not in bursts.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import select
import socket
import sys
import time

PERIOD_NS = 20_000_000  # 50 tokens a second
STREAMS = 256
RECEIVE_BYTES = 65_536

HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
TOKEN = (
    'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" token"}}],"created":1764000000,'
    '"id":"chatcmpl-1wJbHkq0cWHnq5k9aKXoyyQxXnZ4nVUd","model":"stream_1b_fast","system_fingerprint":"b10434",'
    '"object":"chat.completion.chunk","number":%d,"sent_ns":%d}\n\n'
)
LAST = (
    'data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"object":"chat.completion.chunk",'
    '"usage":{"completion_tokens":%d,"prompt_tokens":24,"total_tokens":%d},"timings":{"cache_n":0,"prompt_n":24,'
    '"prompt_ms":48.2,"prompt_per_second":497.9,"predicted_n":%d,"predicted_ms":%d,"predicted_per_second":50.0}}'
    "\n\ndata: [DONE]\n\n"
)


class Client:
    """One connection, with at most one stream at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.asked = b""
        self.unsent = b""
        self.tokens = 0
        self.number = 0
        self.due_ns = 0

    def send(self, content: bytes) -> None:
        """What the other side does not take now goes with the next token."""
        self.unsent += content
        with contextlib.suppress(BlockingIOError):
            self.unsent = self.unsent[self.connection.send(self.unsent) :]

    def send_token(self) -> None:
        """The next one, and after the last one the end."""
        if self.number < self.tokens:
            self.send(as_chunk(TOKEN % (self.number, time.monotonic_ns())))
            self.number += 1
            self.due_ns += PERIOD_NS
        else:
            count = self.tokens
            self.send(as_chunk(LAST % (count, count + 24, count, count * PERIOD_NS // 1_000_000)))
            self.send(b"0\r\n\r\n")
            self.tokens = 0

    def take_request(self) -> bytes | None:
        """The body of a whole request, once it is there; empty for one that has none."""
        head, separator, rest = self.asked.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if len(rest) < length:
            return None
        self.asked = rest[length:]
        return rest[:length]


class TokenServer:
    def __init__(self, port: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.poll = select.epoll()
        self.poll.register(self.listener, select.EPOLLIN)
        self.clients: dict[int, Client] = {}
        self.due: list[tuple[int, int]] = []
        self.begun = 0

    def run(self) -> None:
        while True:
            # select waits to the microsecond, epoll only to the millisecond.
            wait = max(0, self.due[0][0] - time.monotonic_ns()) / 1e9 if self.due else None
            if select.select([self.poll], [], [], wait)[0]:
                for number, _ in self.poll.poll(0):
                    self.welcome() if number == self.listener.fileno() else self.read(number)
            self.send_due()

    def welcome(self) -> None:
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.clients[connection.fileno()] = Client(connection)
        self.poll.register(connection, select.EPOLLIN)

    def read(self, number: int) -> None:
        client = self.clients[number]
        try:
            content = client.connection.recv(RECEIVE_BYTES)
        except ConnectionError:
            content = b""
        if not content:
            self.leave(number)
            return
        client.asked += content
        body = client.take_request()
        if body is not None:
            self.begin(client, json.loads(body or b"{}").get("max_tokens", 0))

    def begin(self, client: Client, tokens: int) -> None:
        if not tokens:
            client.send(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"status":"ok"}')
            return
        client.send(HEAD)
        client.tokens, client.number = tokens, 0
        offset_ns = self.begun % STREAMS * PERIOD_NS // STREAMS
        client.due_ns = (time.monotonic_ns() // PERIOD_NS + 1) * PERIOD_NS + offset_ns
        self.begun += 1
        heapq.heappush(self.due, (client.due_ns, client.connection.fileno()))

    def send_due(self) -> None:
        while self.due and self.due[0][0] <= time.monotonic_ns():
            due_ns, number = heapq.heappop(self.due)
            client = self.clients.get(number)
            if client is None or client.due_ns != due_ns:
                continue  # it left, and another has its number
            try:
                client.send_token()
            except ConnectionError:
                self.leave(number)
                continue
            if client.tokens:
                heapq.heappush(self.due, (client.due_ns, number))

    def leave(self, number: int) -> None:
        client = self.clients.pop(number)
        self.poll.unregister(number)
        client.connection.close()


def as_chunk(text: str) -> bytes:
    content = text.encode()
    return b"%x\r\n%b\r\n" % (len(content), content)


if __name__ == "__main__":
    TokenServer(int(sys.argv[sys.argv.index("--port") + 1])).run()
