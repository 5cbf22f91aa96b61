"""`/api/events` over real HTTP: what a page hears, and when."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading

import pytest
from tests.fakes.control_plane import ControlPlane, write_model
from tests.fakes.listener import listening
from tests.fakes.rig import until
from tests.fakes.stage import Behaviour

from synapse_engine.catalog.discovery import HeaderCache
from synapse_engine.catalog.found import FoundFile
from synapse_engine.catalog.header import Header
from synapse_engine.events import QUEUE_EVENTS

# Events of 60 kB that the sockets' buffers and one write in the making hold.
ROOM_ON_THE_WAY = 200


async def test_it_begins_with_everything(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    async with listening(plane.http) as listener:
        heard = await listener.next()
        assert heard.event == "snapshot"
        assert heard.id is not None and heard.id <= plane.services.live.bus.last_id
        assert heard.data["registry"] == (await plane.get("/api/models/registry")).json()
        assert heard.data["servers"] == {"servers": [], "total_running": 0}
        assert heard.data["system"]["version"]
        assert [model["model_id"] for model in heard.data["registry"]["models"]] == [model_id]


async def test_every_state_of_a_server_is_told(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(loads_when_told=True))
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        await plane.post(f"/api/models/servers/{model_id}/start?wait=false")
        actor = await plane.enter(model_id)
        starting = await listener.next("server", lambda server: server["status"] == "starting")
        actor.tell("ready")
        running = await listener.next("server", lambda server: server["status"] == "running")
        assert running.data["port"] == actor.port
        assert starting.id is not None and running.id is not None and starting.id < running.id
        memory = await listener.next("memory", lambda memory: bool(memory["servers"]))
        assert memory.data["servers"][0]["memory_used_mb"] > 0
        await plane.post(f"/api/models/servers/{model_id}/stop")
        await listener.next("server", lambda server: server["status"] == "stopped")


async def test_edits_scans_and_warnings_are_told(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        await plane.patch(f"/api/models/{model_id}", {"enabled": True})
        edited = await listener.next("model", lambda model: bool(model["enabled"]))
        assert edited.data["model_id"] == model_id
        added = await plane.add("Llama-3B-Q4_K_M.gguf")
        await listener.next("model", lambda model: bool(model["model_id"] == added))
        assert not (await listener.next("scan", lambda scan: not scan["scanning"])).data["skipped"]
        logging.getLogger("synapse_engine.test").warning("the disk is %s", "full")
        notice = await listener.next("notice")
        assert (notice.data["level"], notice.data["text"]) == ("warning", "the disk is full")


class SlowHeaders(HeaderCache):
    """The second file's header is read once the test has seen how far the scan is."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self._files = 0

    def header(self, file: FoundFile) -> Header:
        self._files += 1
        if self._files == 2:
            self.go_on.wait()
        return super().header(file)


async def test_how_far_a_scan_is_is_told(plane: ControlPlane) -> None:
    for number in range(4):
        write_model(plane.path(f"Qwen-{number + 1}B-Q4_K_M.gguf"))
    headers = plane.services.scanner._headers = SlowHeaders()
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        scanning = asyncio.create_task(plane.post("/api/models/rescan"))
        heard = await listener.next("scan", lambda scan: scan["scan_progress"] is not None)
        assert (heard.data["scanning"], heard.data["scan_progress"]) == (True, 0.25)
        headers.go_on.set()
        heard = await listener.next("scan", lambda scan: not scan["scanning"])
        assert heard.data["scan_progress"] is None
        assert (await scanning).json()["found"] == 4


async def test_it_goes_on_where_it_broke_off(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    async with listening(plane.http) as listener:
        seen = (await listener.next("snapshot")).id
    await plane.patch(f"/api/models/{model_id}", {"enabled": True})
    async with listening(plane.http, Last_Event_ID=str(seen)) as listener:
        while (heard := await listener.next()).event != "model" or not heard.data["enabled"]:
            assert heard.event != "snapshot"
    for unknown in ("1", "no number"):
        async with listening(plane.http, Last_Event_ID=unknown) as listener:
            assert (await listener.next()).event == "snapshot"


async def test_a_stalled_reader_costs_the_others_nothing_and_is_given_the_whole_again(
    plane: ControlPlane,
) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    address = ("127.0.0.1", plane.settings.port)
    with socket.create_connection(address) as stalled:
        stalled.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await _overflow(plane, model_id)
        stalled.setblocking(False)
        loop, received = asyncio.get_running_loop(), b""
        while received.count(b"event: snapshot") < 2:
            received += await loop.sock_recv(stalled, 1 << 20)
        received += await loop.sock_recv(stalled, 1 << 20)
    assert b'"enabled":true' in received[received.rindex(b"event: snapshot") :]


async def _overflow(plane: ControlPlane, model_id: str) -> None:
    """More than the stalled reader's queue takes, every bit of it heard by another one."""
    bus = plane.services.live.bus
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        await until(lambda: bus.subscribers == 2)
        filler = b'{"filler": "%b"}' % (b"x" * 60_000)
        for _ in range(QUEUE_EVENTS + ROOM_ON_THE_WAY):
            bus.publish("notice", filler)
            await listener.next("notice")
        await plane.patch(f"/api/models/{model_id}", {"enabled": True})
        await listener.next("model", lambda model: bool(model["enabled"]))
        assert any(subscription.is_behind for subscription in bus._subscriptions)


async def test_the_end_ends_the_stream(plane: ControlPlane) -> None:
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        plane.services.live.bus.close()
        with pytest.raises(EOFError):
            while True:
                await listener.next()


async def test_the_log_of_a_server_comes_with_the_rest_where_it_is_asked_for(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    async with listening(plane.http, f"/api/events?log={model_id}") as listener:
        await listener.next("snapshot")
        await plane.start(model_id)
        heard = await listener.next("log", lambda log: bool(log["lines"]))
        assert heard.data["model_id"] == model_id
        assert "loading model" in heard.data["lines"][0]
    assert (await plane.get("/api/events?log=nobody")).status_code == 404
