"""A client that says exactly what it is told to, and takes nothing for an answer that is not well-formed."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from typing import Any

from tests.fakes.wire import Ended, Message, Wire

STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) [\t\x20-\x7e\x80-\xff]*")
NO_BODY = (204, 304)


@dataclass
class Answer(Message):
    status: int = 0

    def json(self) -> Any:
        return json.loads(self.body)


class Cut(Exception):
    """The connection ended within an answer. how: `closed` or `reset`; answer: what had come of it."""

    def __init__(self, how: str, answer: Answer) -> None:
        super().__init__(how, answer)
        self.how = how
        self.answer = answer


class RawClient(Wire):
    @classmethod
    def connect(cls, port: int, *, receive_buffer_bytes: int | None = None) -> RawClient:
        connection = socket.socket()
        if receive_buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        connection.connect(("127.0.0.1", port))
        return cls(connection)

    async def begin(self) -> Answer:
        """The head of the next answer, a 1xx too."""
        message = await self.head()
        match = STATUS_LINE.fullmatch(message.first)
        assert match, f"malformed: {message.first!r}"
        return Answer(message.first, message.fields, message.head, status=int(match[1]))

    async def answer(self, *, to_head: bool = False) -> Answer:
        """The next answer as a whole. Raises Cut where it ends before, Ended where it does not begin.

        to_head: the request was a HEAD, so there is no body.
        """
        answer = await self.begin()
        if to_head or answer.status in NO_BODY or answer.status < 200:
            return answer
        try:
            await self.finish(answer)
        except Ended as ended:
            answer.body += b"" if answer.is_chunked else ended.received
            raise Cut(ended.how, answer) from ended
        return answer

    async def finish(self, answer: Answer) -> None:
        """Read its body; without a length, to the orderly end of the connection."""
        if answer.is_chunked:
            await self.read_chunks(answer)
        elif answer.length is not None:
            answer.body = await self.exactly(answer.length)
        else:
            ended = await self.end()
            if ended.how != "closed":
                raise ended
            answer.body = ended.received
