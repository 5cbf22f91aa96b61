"""Requests like the last one of their connection, which take a shortcut; and where it does not lead on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from socket import SO_SNDBUF, SOL_SOCKET

import pytest
from tests.fakes.raw_client import Cut, RawClient
from tests.fakes.raw_upstream import Request, UpstreamConnection
from tests.fakes.rig import until
from tests.gateway.conformance.bed import OK, Bed

from synapse_engine.gateway.activity import Activity, Outcome
from synapse_engine.gateway.body import in_memory
from synapse_engine.gateway.shortcut import Shortcut

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"9\r\ndata: 1\n\n\r\n"
END = b"0\r\n\r\n"


def activity(bed: Bed) -> Activity:
    return bed.plane.services.gateway.activity


def is_on_a_shortcut(bed: Bed) -> bool:
    (call,) = activity(bed).live.values()
    return isinstance(getattr(call.cancel, "__self__", None), Shortcut)


async def known(bed: Bed) -> tuple[RawClient, UpstreamConnection]:
    """A client that has been answered once, and the server's connection by which that was."""
    client, connection, _ = await bed.ask(bed.post())
    await connection.send(OK)
    assert (await client.answer()).body == b"ok"
    return client, connection


async def ask_again(bed: Bed, client: RawClient, connection: UpstreamConnection) -> Request:
    # A scan in the meantime makes every name unknown for one request.
    bed.plane.services.gateway.names.find(bed.model_id, in_memory(b""))
    await client.send(bed.post(body=bed.body(more="x")))
    seen = await connection.request()
    assert seen.body == bed.body(more="x")
    assert is_on_a_shortcut(bed)
    return seen


async def assert_goes_on(bed: Bed, client: RawClient, connection: UpstreamConnection) -> None:
    """The next one is answered as if nothing had been."""
    await ask_again(bed, client, connection)
    await connection.send(OK)
    assert (await client.answer()).body == b"ok"
    assert bed.active == 0


async def test_each_is_sent_and_answered(bed: Bed) -> None:
    client, connection = await known(bed)
    for _ in range(3):
        await assert_goes_on(bed, client, connection)
    assert bed.upstream.opened == 1


async def test_each_is_recorded(bed: Bed) -> None:
    client, connection = await known(bed)
    key = bed.model_id, "openai", Outcome.OK
    before, ended = activity(bed).counts[key], activity(bed).ended
    await assert_goes_on(bed, client, connection)
    assert activity(bed).counts[key] == before + 1
    call = ended[-1]
    assert (call.model_id, call.server_id, call.status) == (bed.model_id, bed.model_id, 200)
    assert (call.bytes_in, call.bytes_out, call.tail) == (len(bed.body(more="x")), 2, b"ok")
    assert call.seated is not None and call.first_byte is not None and call.ended is not None
    assert call.began <= call.seated <= call.first_byte <= call.ended


async def test_a_stream(bed: Bed) -> None:
    client, connection = await known(bed)
    await ask_again(bed, client, connection)
    await connection.send(STREAM + EVENT)
    answer = await client.begin()
    assert answer.one("content-type") == "text/event-stream"
    assert await client.chunk() == b"data: 1\n\n"
    assert bed.active == 1
    await connection.send(EVENT + END)
    assert await client.chunk() == b"data: 1\n\n"
    assert await client.chunk() == b""
    assert bed.active == 0
    await assert_goes_on(bed, client, connection)


@pytest.mark.parametrize("at", [10, len(OK) - 2, len(OK) - 1])
async def test_an_answer_in_two_pieces(bed: Bed, at: int) -> None:
    client, connection = await known(bed)
    await ask_again(bed, client, connection)
    await connection.send(OK[:at])
    await asyncio.sleep(0.02)
    await connection.send(OK[at:])
    assert (await client.answer()).body == b"ok"
    assert bed.active == 0
    await assert_goes_on(bed, client, connection)


@pytest.mark.parametrize(
    ("reply", "status", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\nx", 500, b"x"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"ok"),
        (STREAM + END, 200, b""),
    ],
)
async def test_an_answer_of_another_kind(bed: Bed, reply: bytes, status: int, body: bytes) -> None:
    client, connection = await known(bed)
    for _ in range(2):
        await ask_again(bed, client, connection)
        await connection.send(reply)
        answer = await client.answer()
        assert (answer.status, answer.body, bed.active) == (status, body, 0)
    await assert_goes_on(bed, client, connection)


@pytest.mark.parametrize("leave", [RawClient.close, RawClient.reset, RawClient.shut])
async def test_a_client_that_leaves(bed: Bed, leave: Callable[[RawClient], None]) -> None:
    client, connection = await known(bed)
    await ask_again(bed, client, connection)
    leave(client)
    await bed.assert_freed(connection)
    assert activity(bed).ended[-1].outcome is Outcome.CLIENT_LEFT


async def test_one_that_is_cancelled(bed: Bed) -> None:
    client, connection = await known(bed)
    await ask_again(bed, client, connection)
    (call_id,) = activity(bed).live
    assert activity(bed).cancel(call_id)
    answer = await client.answer()
    assert (answer.status, answer.json()["error"]["code"]) == (503, "cancelled")
    await bed.assert_freed(connection)


async def test_one_that_is_cancelled_within_its_answer(bed: Bed) -> None:
    client, connection = await known(bed)
    await ask_again(bed, client, connection)
    await connection.send(STREAM + EVENT)
    await client.begin()
    assert await client.chunk() == b"data: 1\n\n"
    (call_id,) = activity(bed).live
    assert activity(bed).cancel(call_id)
    await bed.assert_freed(connection)
    assert activity(bed).ended[-1].outcome is Outcome.CANCELLED


async def test_a_connection_that_was_just_being_closed(bed: Bed) -> None:
    """It is asked once more, on a new one, with the same body."""
    client, connection = await known(bed)
    await ask_again(bed, client, connection)
    connection.close()
    again = await bed.upstream.connection()
    assert (await again.request()).body == bed.body(more="x")
    await again.send(OK)
    assert (await client.answer()).body == b"ok"
    assert bed.active == 0
    await assert_goes_on(bed, client, again)


async def test_a_server_that_breaks_off(bed: Bed) -> None:
    client, connection = await known(bed)
    await ask_again(bed, client, connection)
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
    connection.close()
    with pytest.raises(Cut):
        await client.answer()
    await until(lambda: bed.active == 0)
    assert activity(bed).ended[-1].outcome is Outcome.SERVER_LOST


async def test_a_server_that_talks_nonsense(bed: Bed) -> None:
    client, connection = await known(bed)
    await ask_again(bed, client, connection)
    await connection.send(b"nonsense\r\n\r\n")
    assert (await client.answer()).status == 502
    await bed.assert_freed(connection)


async def test_the_next_ones_are_held_until_it_is_answered(bed: Bed) -> None:
    client, connection = await known(bed)
    await ask_again(bed, client, connection)
    bodies = [bed.body(number=number) for number in range(3)]
    await client.send(*(bed.post(body=body) for body in bodies))
    for body in (bed.body(more="x"), *bodies):
        await connection.send(OK)
        assert (await client.answer()).body == b"ok"
        if body != bodies[-1]:
            await connection.request()
    assert bed.active == 0


async def test_answers_to_a_client_that_does_not_read(bed: Bed) -> None:
    """Until no more of them is taken: the one with which that is noticed has just been answered."""
    size, count = 30_000, 0
    large = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    client = bed.client(receive_buffer_bytes=4096)
    await client.send(bed.post())
    connection = await bed.upstream.connection()
    await connection.request()
    await connection.send(large)
    assert len((await client.answer()).body) == size
    is_full = False
    while not is_full:
        await ask_again(bed, client, connection)
        (call,) = activity(bed).live.values()
        protocol = call.cancel.__self__._client  # type: ignore[attr-defined]
        protocol.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)
        await connection.send(large)
        await until(lambda: not activity(bed).live)
        is_full, count = protocol.flow.write_paused, count + 1
    for _ in range(count):
        assert len((await client.answer()).body) == size
    await assert_goes_on(bed, client, connection)


@pytest.mark.parametrize("body", [b"{]", b"[]", b'{"model": "nobody"}', b'{"model": 1}', b""])
async def test_one_that_is_refused(bed: Bed, body: bytes) -> None:
    client, connection = await known(bed)
    await client.send(bed.post(body=body))
    assert (await client.answer()).status in (400, 404)
    await assert_goes_on(bed, client, connection)


async def test_one_for_a_model_that_is_busy_waits_in_line(bed: Bed) -> None:
    client, connection = await known(bed)
    line = bed.plane.services.gateway.lines.line(bed.model_id)
    line.is_held_back = True
    await client.send(bed.post(body=bed.body(more="x")))
    await until(lambda: len(line.waiting) == 1)
    line.is_held_back = False
    bed.plane.services.gateway.lines.resume(line)
    assert (await connection.request()).body == bed.body(more="x")
    await connection.send(OK)
    assert (await client.answer()).body == b"ok"
    await assert_goes_on(bed, client, connection)


async def test_one_whose_connection_is_to_end(bed: Bed) -> None:
    """As at the end of the control plane: it is answered, and told that it was the last."""
    client, connection = await known(bed)
    await ask_again(bed, client, connection)
    (call,) = activity(bed).live.values()
    call.cancel.__self__.keep_alive = False  # type: ignore[attr-defined]
    await connection.send(OK)
    answer = await client.answer()
    assert (answer.body, answer.one("connection")) == (b"ok", "close")
    assert (await client.end()).received == b""
