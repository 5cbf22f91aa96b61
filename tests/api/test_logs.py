"""Logs over HTTP: their end, what is wanted of them, followed; the control plane's own."""

from __future__ import annotations

from tests.fakes.control_plane import ControlPlane
from tests.fakes.listener import listening
from tests.fakes.stage import Behaviour

LOG = [
    "0.00.006.706 I cmn  common_param: starting",
    "0.00.010.387 \x1b[33mW srv  llama_server: CORS is open\x1b[0m",
    "\x1b[31m0.00.010.387 E srv  llama_server: something broke",
    "and this is where",
    "0.00.012.106 I srv    load_model: CORS again",
]


async def test_what_is_wanted_of_a_log(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(log=LOG))
    await plane.start(model_id)

    async def lines(query: str) -> list[str]:
        answer = (await plane.get(f"/api/models/servers/{model_id}/logs?{query}")).json()
        return [line.partition(": ")[2] or line for line in answer["lines"]]

    assert await lines("level=error") == ["something broke", "and this is where"]
    assert await lines("level=warning") == ["CORS is open", "something broke", "and this is where"]
    assert await lines("search=cors") == ["CORS is open", "CORS again"]
    assert await lines("search=cors&tail=1") == ["CORS again"]
    assert await lines("search=cors&level=warning&ansi=true") == ["CORS is open\x1b[0m"]
    assert (await plane.get(f"/api/models/servers/{model_id}/logs?level=loud")).status_code == 422


async def test_a_log_is_followed_into_the_next_start(plane: ControlPlane) -> None:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf", Behaviour(log=LOG))
    path = f"/api/models/servers/{model_id}/logs?level=error"
    await plane.start(model_id)
    async with listening(plane.http, path) as listener:
        first = await listener.next("log")
        assert [line[-5:] for line in first.data["lines"]] == ["broke", "where"]
        assert first.data["is_new_start"] is False
        await plane.post(f"/api/models/servers/{model_id}/stop")
        await plane.start(model_id)
        again = await listener.next("log", lambda log: bool(log["is_new_start"]))
        assert again.data["model_id"] == model_id
        lines = again.data["lines"] or (await listener.next("log")).data["lines"]
        assert lines[0].endswith("something broke")
    async with plane.http.stream("GET", path.replace(model_id, "nobody")) as refused:
        assert refused.status_code == 404


async def test_the_control_planes_own_log(plane: ControlPlane) -> None:
    path = plane.services.logs.path("control-plane")
    path.parent.mkdir(exist_ok=True)
    path.write_text("2026-01-01 00:00:00,000 INFO    hello\n2026-01-01 00:00:00,000 ERROR   oh no\n")
    assert len((await plane.get("/api/logs")).json()["lines"]) == 2
    (line,) = (await plane.get("/api/logs?level=error")).json()["lines"]
    assert line.endswith("oh no")
    async with listening(plane.http, "/api/logs?search=hello") as listener:
        assert len((await listener.next("log")).data["lines"]) == 1


async def test_all_logs_together_and_those_that_join_in(plane: ControlPlane) -> None:
    own = plane.services.logs.path("control-plane")
    own.parent.mkdir(exist_ok=True)
    own.write_text("2026-01-01 00:00:00,000 ERROR   oh no\n")
    first, second, quiet = [
        await plane.add(f"{name}-7B-Q4_K_M.gguf", Behaviour(log=LOG)) for name in ("A", "B", "C")
    ]
    await plane.start(first)
    await plane.start(quiet)
    await plane.post(f"/api/models/servers/{quiet}/stop")
    async with listening(plane.http, "/api/logs/live?level=error&tail=1") as listener:
        heard = [(await listener.next("log")).data for _ in range(2)]
        assert {log["model_id"]: log["lines"] for log in heard} == {
            None: ["2026-01-01 00:00:00,000 ERROR   oh no"],
            first: ["and this is where"],
        }
        await plane.start(second)
        joined = (await listener.next("log")).data
        assert (joined["model_id"], joined["replica"], joined["lines"]) == (second, 1, ["and this is where"])
        with own.open("a") as file:
            file.write("2026-01-01 00:00:01,000 INFO    fine\n2026-01-01 00:00:01,000 ERROR   again\n")
        again = (await listener.next("log")).data
        assert (again["model_id"], again["lines"]) == (None, ["2026-01-01 00:00:01,000 ERROR   again"])


async def test_only_some_models_logs_together(plane: ControlPlane) -> None:
    first, second = [await plane.add(f"{name}-7B-Q4_K_M.gguf", Behaviour(log=LOG)) for name in ("A", "B")]
    await plane.start(first)
    await plane.start(second)
    await plane.post(f"/api/models/servers/{second}/stop")
    async with listening(plane.http, f"/api/logs/live?model={second}&search=broke") as listener:
        told = (await listener.next("log")).data
        assert (told["model_id"], told["lines"][0][-15:]) == (second, "something broke")
        await plane.start(second)
        assert (await listener.next("log")).data["model_id"] == second
    async with plane.http.stream("GET", "/api/logs/live?model=nobody") as refused:
        assert refused.status_code == 404


async def test_who_does_not_read_is_not_read_for(plane: ControlPlane) -> None:
    """A reader that has stalled keeps no more than what is on its way; another one is told all the same."""
    own = plane.services.logs.path("control-plane")
    own.parent.mkdir(exist_ok=True)
    own.write_text("begin\n")
    async with (
        listening(plane.http, "/api/logs/live") as stalled,
        listening(plane.http, "/api/logs/live") as other,
    ):
        await stalled.next("log")
        await other.next("log")
        with own.open("a") as file:
            file.write("x" * 99 + "\n" + ("y" * 99 + "\n") * 400_000 + "end\n")
        await other.next("log", lambda log: log["lines"][-1:] == ["end"])
        assert (await stalled.next("log")).data["lines"][0] == "x" * 99
