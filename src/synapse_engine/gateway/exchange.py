"""One request through the relay: read, named, seated, sent, answered; in callbacks, as bytes come and go.

It never waits itself. Where the model is ready and free, everything happens as the bytes arrive; else a task
waits for a seat. A client that leaves ends all of it, upstream too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from synapse_engine.errors import SynapseError, UpstreamFailed
from synapse_engine.gateway.activity import HEAD_BYTES, TAIL_BYTES, Call, Outcome, Stage
from synapse_engine.gateway.as_models.told import message_start
from synapse_engine.gateway.body import Body, in_memory
from synapse_engine.gateway.dialect import Dialect, error_event, event
from synapse_engine.gateway.endpoints import NamedBy, name_and_path, name_in_query, with_name_in_query
from synapse_engine.gateway.errors import RequestCancelled
from synapse_engine.gateway.headers import STREAM_HEADERS, lines_of
from synapse_engine.gateway.heads import STATUS_LINES, AnswerHead, RequestHead
from synapse_engine.gateway.line import Asker, Seat, Wish
from synapse_engine.gateway.names import Target
from synapse_engine.gateway.plain import plain_answer
from synapse_engine.gateway.question import prefix_of
from synapse_engine.gateway.upstream import Connection, message
from synapse_engine.gateway.usage import refusal_of
from synapse_engine.modes.steps import Mode

if TYPE_CHECKING:
    from synapse_engine.gateway.as_models.answer import ModeAnswer
    from synapse_engine.gateway.gateway import Gateway
    from synapse_engine.gateway.protocol import GatewayProtocol

# Until the fleet has noticed, at the latest, that a server has gone.
CONNECT_AGAIN_SECONDS = (0.05, 0.2, 0.5, None)
# How a stream of Anthropic's does not begin. llama-server leaves out its start where the answer's first
# character takes several tokens, as emojis do, and clients make nothing of what follows.
STARTLESS = (b"event: content_block_start", b"event: message_delta")
# Of a server's error: more than that has no words for anybody.
ERROR_BYTES = 1 << 16
CHUNKS_END = b"0\r\n\r\n"
STREAM_HEAD = STATUS_LINES[200] + lines_of(STREAM_HEADERS)


class Exchange:
    """Stands where uvicorn has a request-response cycle of its own; the first attributes are for its eyes."""

    message_event = asyncio.Event()

    __slots__ = (
        "keep_alive response_complete disconnected"
        " _gateway _client _head _url _body _out _call _target _problem _seat _upstream"
        " _task _news _leave_line _is_begun _is_asked _has_head _is_chunked _has_length _is_stream"
        " _withheld _has_retried"
    ).split()

    def __init__(self, gateway: Gateway, client: GatewayProtocol, head: RequestHead) -> None:
        self.keep_alive = head.keep_alive
        self.response_complete = self.disconnected = False
        self._gateway = gateway
        self._client = client
        self._head = head
        self._url = head.url
        self._body = Body(gateway.spool_folder, gateway.body_max_bytes)
        self._out: list[bytes] = []
        self._call: Call
        self._target: Target
        self._problem: SynapseError | None = None
        self._is_begun = self._is_asked = self._has_head = self._has_retried = False
        self._is_chunked = self._has_length = self._is_stream = False
        # Of a server's error that is told otherwise than as it came: what there is of it.
        self._withheld: bytes | None = None
        self._seat: Seat | None = None
        self._upstream: Connection | ModeAnswer | None = None
        self._task: asyncio.Task[None] | None = None
        self._news: asyncio.Task[None] | None = None
        self._leave_line: Callable[[], None] | None = None

    # Of the client's connection: the request.

    def begin(self) -> None:
        """Its turn has come: every answer before it is written."""
        self._is_begun = True
        head = self._head
        self._call = self._gateway.activity.begin(head.path, head.endpoint.dialect, head.client, self.cancel)
        if head.refusal is not None:
            self.refuse(head.refusal)
            return
        if not self._is_asked and (announced := head.fields.get(b"content-length")):
            self._check_size(int(announced))
        if self._problem is not None:
            self.refuse(self._problem)
        elif self._is_asked:
            self._go_on()
        elif self._client.expect_100_continue:
            self._client.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def take_over(
        self, call: Call, body: bytes, target: Target, seat: Seat, upstream: Connection | None
    ) -> None:
        """From a shortcut that did not lead on: a request that is sent and not answered."""
        self._is_begun = self._is_asked = True
        self._call, self._target, self._seat, self._upstream = call, target, seat, upstream
        call.cancel = self.cancel
        self._body = in_memory(body)
        if upstream is not None:
            upstream.answer_to(self)

    def feed(self, data: bytes) -> None:
        if self.response_complete or self._problem is not None:
            return
        try:
            self._body.feed(data)
        except SynapseError as error:
            self._problem = error
            if self._is_begun:
                self.refuse(error)

    def is_asked(self) -> None:
        """The request is here as a whole."""
        self._is_asked = True
        if self._is_begun and not self.response_complete:
            self._go_on()

    def client_left(self) -> None:
        self.disconnected = True
        if self._is_begun and not self.response_complete:
            self._finish(Outcome.CLIENT_LEFT)
        self._body.close()

    def client_is_slow(self) -> None:
        if self._upstream is not None:
            self._upstream.pause()

    def client_keeps_up(self) -> None:
        if self._upstream is not None:
            self._upstream.resume()

    # Of whoever looks at what is under way.

    def cancel(self) -> None:
        """End it for somebody else than its client, who is told so, or sees its answer cut."""
        self.fail(RequestCancelled(), Outcome.CANCELLED)

    # Of the upstream connection: the answer.

    def answer_is_whole(self, head: AnswerHead, body: bytes) -> None:
        self.answer_begins(head, len(body))
        self.answer_goes_on(body)
        self.answer_ends()

    def answer_begins(self, head: AnswerHead, length: int | None) -> None:
        self._call.status = head.status
        self._call.stage = Stage.ANSWERING
        if head.status >= 400 and (self._has_head or self._is_anthropic_of_ours()):
            self._withheld = b""
            return
        if self._has_head:
            return  # news of a wait have begun it
        self._has_head = True
        if head.is_stream:
            # Where a path names the model, the request was not read for it.
            self._is_stream = self._call.is_stream = True
        out = self._out
        out.append(head.lines)
        out.append(self._common_headers())
        self._has_length = length is not None
        if length is not None:
            if length or head.has_body:
                out.append(b"content-length: %d\r\n" % length)
        elif self._head.is_old:
            self.keep_alive = False
        else:
            self._is_chunked = True
            out.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive:
            out.append(b"connection: close\r\n")
        elif self._head.is_old:
            out.append(b"connection: keep-alive\r\n")
        out.append(b"\r\n")

    def answer_goes_on(self, data: bytes) -> None:
        call = self._call
        if call.first_byte is None:
            call.first_byte = time.monotonic()
            call.head = data[:HEAD_BYTES]
            if data.startswith(STARTLESS) and self._is_anthropic_of_ours():
                self._add(message_start(f"msg_{call.id}", call.asked or call.model_id or ""))
        call.bytes_out += len(data)
        call.tail = data[-TAIL_BYTES:] if len(data) >= TAIL_BYTES else (call.tail + data)[-TAIL_BYTES:]
        if self._withheld is None:
            self._add(data)
        else:
            self._withheld = (self._withheld + data)[:ERROR_BYTES]

    def answer_ends(self) -> None:
        self._upstream = None
        if self._withheld is not None:
            self._add_error(self._call.status or 0, self._withheld)
        if self._is_chunked:
            self._out.append(CHUNKS_END)
        self._write()
        self._finish(Outcome.ERROR if (self._call.status or 0) >= 400 else Outcome.OK)
        self._leave()

    def answer_fails(self, error: UpstreamFailed, is_stale: bool) -> None:
        self._upstream = None
        if is_stale and not self._has_retried and self._seat is not None:
            # It was closed in the moment when it was used again, so nobody has read the request.
            self._has_retried = True
            self._task = asyncio.create_task(self._send_on_new(self._seat), name="ask again")
        else:
            self.fail(error, Outcome.SERVER_LOST)

    def has_read(self) -> None:
        self._write()

    # Its own way.

    def _check_size(self, announced: int) -> None:
        try:
            self._gateway.check_size(announced)
        except SynapseError as error:
            self._problem = error

    def refuse(self, error: SynapseError) -> None:
        """Answer with an error of ours."""
        self.fail(error, Outcome.REFUSED)

    def _go_on(self) -> None:
        """Find whom it is for, and a seat there: at once, or in a task that waits."""
        try:
            target = self._target = self._read_target()
            if target.remote is not None:
                target.remote.refuse_round_trips(self._head.lines)
            if target.mode is not None:
                self._play(target.mode)
                return
            if len(target.model_ids) == 1:
                self._call.model_id = target.model_ids[0]
            body = self._body.whole() if self._body.is_in_memory else None
            seat = self._gateway.lines.seat_now(target, body)
        except SynapseError as error:
            self.refuse(error)
            return
        if seat is None:
            self._wait(target)
        else:
            self._send(seat)

    def _read_target(self) -> Target:
        named_by, call = self._head.endpoint.named_by, self._call
        call.bytes_in = self._body.size
        if named_by is NamedBy.BODY:
            asked = self._body.asked()
            name, call.is_stream = asked.model, asked.stream is True
        elif named_by is NamedBy.QUERY:
            name = name_in_query(self._url)
        else:
            name, self._url = name_and_path(self._url)
        call.asked = name or ""
        names = self._gateway.names
        if named_by is NamedBy.PATH and (at := names.find_in_path(call.asked)) is not None:
            return at
        target = names.find(name, self._body, self._head.endpoint.kind)
        if target.remote is not None and named_by is NamedBy.QUERY:
            self._url = with_name_in_query(self._url, target.model_there)
        if target.changes is not None:
            self._body.replace(target.changes(self._body.whole(), self._url))
        return target

    def _play(self, mode: Mode) -> None:
        """Let a mode answer in a server's place. Raises BadRequest."""
        call = self._call
        call.seated, call.stage = time.monotonic(), Stage.SENT
        self._upstream = self._gateway.modes.answer(mode, self, self._head, self._body, call.client)
        if self._client.flow.write_paused:
            self._upstream.pause()

    def _wait(self, target: Target) -> None:
        """In line, until there is a seat or an error; a stream is told meanwhile how it stands."""
        if self._call.is_stream and self._head.endpoint.dialect in (Dialect.OPENAI, Dialect.ANTHROPIC):
            self._news = asyncio.create_task(self._tell_news(target), name="news of a wait")
        try:
            wish = Wish(target, self._asker(), self._is_seated, self.refuse)
            self._leave_line = self._gateway.lines.wait(wish)
        except SynapseError as error:
            self.refuse(error)

    def _is_seated(self, seat: Seat) -> None:
        if self._news is not None:
            self._news.cancel()
        self._call.load_seconds = seat.load_seconds
        self._send(seat)

    def _send(self, seat: Seat) -> None:
        connection = self._gateway.pool.take(seat.place, self._sit_down(seat))
        if connection is None:
            self._task = asyncio.create_task(self._send_on_new(seat), name="connecting request")
        else:
            self._ask(connection, seat)

    def _sit_down(self, seat: Seat) -> float:
        """Note where it is answered; since when, of the monotonic clock."""
        self._seat, call = seat, self._call
        now = call.seated = time.monotonic()
        call.stage = Stage.SENT
        call.model_id, call.server_id, call.variant = seat.model_id, seat.server_id, self._target.variant
        return now

    async def _send_on_new(self, seat: Seat) -> None:
        """On a new connection. A server of ours that refuses it has just ended: then for a seat once more."""
        try:
            for pause_seconds in CONNECT_AGAIN_SECONDS if self._target.remote is None else (None,):
                try:
                    connection = await self._gateway.pool.connect(seat.place)
                    break
                except UpstreamFailed:
                    if pause_seconds is None:
                        raise
                self._seat = None
                seat.release()
                self._call.stage = Stage.QUEUED
                await asyncio.sleep(pause_seconds)
                seat = await self._gateway.lines.seat(self._target, self._asker())
                self._call.load_seconds += seat.load_seconds
                self._sit_down(seat)
        except UpstreamFailed as error:
            self.fail(error, Outcome.SERVER_LOST)
        except SynapseError as error:
            self.refuse(error)
        else:
            self._ask(connection, seat)

    def _ask(self, connection: Connection, seat: Seat) -> None:
        self._upstream = connection
        method, body, rest = self._head.method, b"", None
        if self._body.is_in_memory:
            body = self._body.whole()
        else:
            rest = self._body.pieces()
        request = message(method, seat.place, self._url, self._head.lines, self._body.size, body)
        connection.ask(self, request, rest, expects_no_body=method == b"HEAD")
        if self._client.flow.write_paused:
            connection.pause()

    async def _tell_news(self, target: Target) -> None:
        """While the model loads, a client that asked for a stream is told so; its answer has then begun."""
        async for line in self._gateway.news.tell(target, self._head.path):
            if not self._has_head:
                self._has_head = self._is_stream = True
                self._is_chunked = not self._head.is_old
                self.keep_alive = self.keep_alive and self._is_chunked
                framing = b"transfer-encoding: chunked\r\n" if self._is_chunked else b""
                close = b"" if self.keep_alive else b"connection: close\r\n"
                self._out += [STREAM_HEAD, self._common_headers(), framing, close, b"\r\n"]
            self._add(line)
            self._write()

    def fail(self, error: SynapseError, outcome: Outcome) -> None:
        """Say so in the dialect's shape: as the answer, or as the last event of a stream that is then cut."""
        if self.response_complete:
            return
        self._call.error = str(error)
        dialect = self._head.endpoint.dialect
        if not self._has_head:
            self._call.status = error.status
            self.keep_alive = self.keep_alive and self._is_asked
            self._out = [
                plain_answer(dialect, error, (), self._common_headers(), self.keep_alive, self._head.method)
            ]
            self._write()
            self._finish(outcome)
            self._leave()
            return
        if self._is_stream and not self._has_length:
            self._add(error_event(dialect, error, self._call.tail))
        self._write()
        self._finish(outcome)
        # Without the end that a whole answer has, so that nobody takes it for one.
        self._client.cut(has_no_length=not self._is_chunked and not self._has_length)

    def _finish(self, outcome: Outcome) -> None:
        """Give everything back."""
        self.response_complete = True
        if self._upstream is not None:
            self._upstream.abort()
            self._upstream = None
        if self._leave_line is not None:
            self._leave_line()
        if self._task is not None or self._news is not None:
            self._end_tasks()
        if self._seat is not None:
            seat, self._seat = self._seat, None
            seat.release(is_lost=outcome is Outcome.SERVER_LOST)
        self._body.close()
        self._gateway.activity.end(self._call, outcome)

    def _is_anthropic_of_ours(self) -> bool:
        """llama-server speaks Anthropic's dialect but for its errors, which are in OpenAI's shape."""
        return self._head.endpoint.dialect is Dialect.ANTHROPIC and self._target.remote is None

    def _add_error(self, status: int, body: bytes) -> None:
        """A server's: in the dialect's shape, and an event where news of a wait have begun a stream."""
        dialect = self._head.endpoint.dialect
        if not self._has_head:
            error, common = refusal_of(status, body), self._common_headers()
            self._out.append(plain_answer(dialect, error, (), common, self.keep_alive, self._head.method))
        elif self._is_anthropic_of_ours():
            self._add(error_event(dialect, refusal_of(status, body), b""))
        else:
            self._add(event(dialect, body))

    def _end_tasks(self) -> None:
        for task in (self._task, self._news):
            if task is not None and task is not asyncio.current_task():
                task.cancel()

    def _leave(self) -> None:
        self._client.exchange_ends(may_keep=self.keep_alive, is_unread=not self._is_asked)

    def _add(self, data: bytes) -> None:
        self._out.append(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)

    def _write(self) -> None:
        out, self._out = self._out, []
        if out and not self.disconnected:
            self._client.write(out[0] if len(out) == 1 else b"".join(out))

    def _asker(self) -> Asker:
        prefix = None
        if self._body.is_in_memory and self._gateway.lines.has_replicas(self._target):
            prefix = prefix_of(self._body.whole())
        return Asker(self._call.client, self._head.priority, prefix)

    def _common_headers(self) -> bytes:
        default = self._client.server_state.default_headers
        return self._gateway.common_headers(default, self._head.origin)
