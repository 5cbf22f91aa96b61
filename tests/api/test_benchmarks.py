"""`/api/benchmarks` over real HTTP: what may be asked for, what is told meanwhile, and what comes of it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import pytest
from tests.api.test_openapi import check
from tests.fakes.control_plane import ControlPlane
from tests.fakes.listener import Listener, listening
from tests.fakes.remote import remote_server
from tests.fakes.stage import Behaviour

BENCHMARKS = "/api/benchmarks"
CHAT: list[dict[str, Any]] = [
    {"choices": [{"delta": {"reasoning_content": "Hm."}}]},
    {"choices": [{"delta": {"content": "Par"}}]},
    {"choices": [{"delta": {"content": "is."}, "finish_reason": "stop"}]},
    {
        "choices": [],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3},
        "timings": {"prompt_n": 12, "cache_n": 0, "prompt_per_second": 90.5, "predicted_n": 3}
        | {"predicted_per_second": 40.25},
    },
]
QUICK = {"prompts": [{"text": "What is the capital of France?"}], "repetitions": 2, "warm_ups": 0}
VERDICT = [{"choices": [{"delta": {"content": "VERDICT: 1"}, "finish_reason": "stop"}]}]


async def add(plane: ControlPlane, name: str = "Qwen-7B-Q4_K_M.gguf", **behaviour: Any) -> str:
    return await plane.add(name, Behaviour(**{"events": CHAT, **behaviour}))


async def begin(plane: ControlPlane, **ask: Any) -> dict[str, Any]:
    begun = await plane.post(BENCHMARKS, {**QUICK, **ask})
    assert begun.status_code == 202, begun.text
    return dict(begun.json())


async def heard_end(listener: Listener, benchmark_id: int) -> dict[str, Any]:
    ended = await listener.next(
        "benchmark", lambda b: b["id"] == benchmark_id and b["status"] not in ("queued", "running")
    )
    return dict(ended.data)


async def run(plane: ControlPlane, **ask: Any) -> dict[str, Any]:
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        begun = await begin(plane, **ask)
        await heard_end(listener, begun["id"])
    return dict((await plane.get(f"{BENCHMARKS}/{begun['id']}")).json())


async def test_one_from_its_order_to_its_figures(plane: ControlPlane) -> None:
    first, second = await add(plane), await add(plane, "Llama-8B-Q4_K_M.gguf")
    async with listening(plane.http) as listener:
        assert (await listener.next("snapshot")).data["benchmarks"] == []
        begun = await begin(plane, models=[first, "Llama-8B-Q4_K_M"], title="Mine")
        assert (begun["status"], begun["total_requests"], begun["title"]) == ("queued", 4, "Mine")
        stages = []
        while True:
            heard = (await listener.next("benchmark")).data
            if heard["now"]:
                stages.append((heard["now"]["stage"], heard["now"]["model"], heard["done_requests"]))
            if heard["status"] == "done":
                break
    assert list(dict.fromkeys(stage for stage, _, _ in stages)) == [
        "preparing",
        "loading",
        "measuring",
        "restoring",
    ]
    assert ("measuring", first, 1) in stages and ("measuring", second, 2) in stages
    whole = (await plane.get(f"{BENCHMARKS}/{begun['id']}")).json()
    assert {name: whole[name] for name in heard} == heard
    assert [(each["model"], each["requests"], each["failed"]) for each in whole["by_model"]] == [
        (first, 2, 0),
        (second, 2, 0),
    ]
    figures = whole["by_model"][0]["figures"]
    assert (figures["output_per_second"]["median"], figures["prompt_per_second"]["median"]) == (40.25, 90.5)
    assert figures["output_per_second"]["relative"] == 0
    assert 0 < figures["first_token_seconds"]["median"] <= figures["total_seconds"]["median"]
    assert whole["by_model"][0]["load_seconds"] > 0 and whole["by_model"][0]["memory_used_mb"] > 0
    answers = whole["results"][0]["answers"]
    assert [(each["model"], each["text"], each["thinking"]) for each in answers] == [
        (first, "Paris.", "Hm."),
        (second, "Paris.", "Hm."),
    ]
    assert whole["results"][0]["prompt"]["name"] == "What is the capital of France?"
    sample = whole["samples"][0]
    assert (sample["prompt_tokens"], sample["output_tokens"], sample["finish_reason"]) == (12, 3, "stop")
    assert (sample["other_requests"], sample["error"], sample["energy_joules"]) == (0, None, None)
    assert (await plane.get("/api/models/servers")).json()["servers"] == []


async def test_what_the_server_is_asked(plane: ControlPlane) -> None:
    model_id = await add(plane)
    actor = await plane.start(model_id)
    await run(
        plane,
        models=[model_id],
        prompts=[{"text": "Hi", "system": "Be kind.", "max_tokens": 7, "fixed_length": True}],
        warm_ups=1,
        repetitions=1,
        seed=3,
    )
    warm_up, asked = [json.loads((await actor.saw("request"))["body"]) for _ in range(2)]
    assert warm_up["max_tokens"] == 16 and warm_up["cache_prompt"] is False
    assert asked["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
    ]
    assert (asked["max_tokens"], asked["ignore_eos"], asked["cache_prompt"]) == (7, True, False)
    assert (asked["temperature"], asked["seed"], asked["stream"]) == (0, 3, True)
    assert actor.count("request") == 0


async def test_every_answer_is_as_documented(plane: ControlPlane) -> None:
    first, second = await add(plane), await add(plane, "Llama-8B-Q4_K_M.gguf", events=VERDICT)
    one = await run(plane, models=[first, second], judge=second, manner="isolated")
    other = await run(plane, models=[second], prompt_set="chat", prompts=[])
    document = (await plane.get("/openapi.json")).json()
    for method, template, path in (
        ("GET", BENCHMARKS, BENCHMARKS),
        ("GET", f"{BENCHMARKS}/prompts", f"{BENCHMARKS}/prompts"),
        ("GET", f"{BENCHMARKS}/compare", f"{BENCHMARKS}/compare?a={one['id']}&b={other['id']}"),
        ("GET", f"{BENCHMARKS}/{{benchmark_id}}", f"{BENCHMARKS}/{one['id']}"),
        ("GET", f"{BENCHMARKS}/{{benchmark_id}}/export", f"{BENCHMARKS}/{one['id']}/export"),
        ("POST", f"{BENCHMARKS}/{{benchmark_id}}/cancel", f"{BENCHMARKS}/{one['id']}/cancel"),
        ("DELETE", f"{BENCHMARKS}/{{benchmark_id}}", f"{BENCHMARKS}/{one['id']}"),
    ):
        response = await plane.http.request(method, path)
        assert response.status_code == 200, path
        schema = document["paths"][template][method.lower()]["responses"]["200"]["content"][
            "application/json"
        ]
        check(response.json(), schema["schema"], document, path)
    assert one["judgement"]["first_place_share"] == 1.0
    assert [each["outcome"] for each in one["judgement"]["comparisons"]] == ["biased"]
    assert one["by_model"][0]["standing"] == {"wins": 0, "ties": 1, "losses": 0, "unclear": 0, "score": 0.5}


@pytest.mark.parametrize(
    ("ask", "status", "said"),
    [
        ({"models": ["nobody"]}, 404, "Model not found: nobody"),
        ({"judge": "nobody"}, 404, "Model not found: nobody"),
        ({"models": ["Embedder-1B"]}, 422, "models: Embedder-1B"),
        ({"models": ["fast"]}, 422, "models: fast"),
        ({"models": ["shared"]}, 409, "Ambiguous model name: shared"),
        ({"judge": "qwen_7b_fast"}, 422, "judge: qwen_7b_fast"),
        ({"models": None}, 422, "No model to ask"),
        ({"models": []}, 422, "models"),
        ({"prompt_set": "nothing"}, 422, "prompt_set: nothing"),
        ({"prompts": [{"text": ""}]}, 422, "text"),
        ({"prompts": [{"text": "x", "bogus": 1}]}, 422, "bogus"),
        ({"manner": "alone"}, 422, "manner"),
        ({"manner": "isolated", "turns": "at_once"}, 422, "turns: at_once"),
        ({"repetitions": 0}, 422, "repetitions"),
        ({"repetitions": 101}, 422, "repetitions"),
        ({"repetitions": 100, "prompts": [{"text": "x"}] * 200, "models": ["qwen_7b_fast"]}, 202, ""),
        ({"temperature": -1}, 422, "temperature"),
        ({"seed": -1}, 422, "seed"),
        ({"bogus": 1}, 422, "bogus"),
    ],
)
async def test_what_may_be_asked(plane: ControlPlane, ask: dict[str, Any], status: int, said: str) -> None:
    model_id = await add(plane)
    await plane.add("Embedder-1B.gguf", llama__pooling_type=1)
    others = [await add(plane, f"{name}-3B-Q4_K_M.gguf") for name in ("A", "B")]
    for other in others:
        await plane.patch(f"/api/models/{other}", {"aliases": ["shared", other[0]]})
    answer = await plane.post(BENCHMARKS, {**QUICK, "models": [model_id], **ask})
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert said in f"{body.get('error')} {body.get('detail')}"
    if status == 202:
        await plane.post(f"{BENCHMARKS}/{body['id']}/cancel")
    else:
        assert (await plane.get(BENCHMARKS)).json()["benchmarks"] == []
        assert plane.stage.actors == []


async def test_too_much_is_refused(plane: ControlPlane) -> None:
    model_ids = [await add(plane), await add(plane, "Llama-8B-Q4_K_M.gguf")]
    ask = {"models": model_ids, "prompts": [{"text": "x"}] * 200, "repetitions": 100, "judge": model_ids[0]}
    refused = await plane.post(BENCHMARKS, ask)
    assert (refused.status_code, refused.json()["error"]) == (422, "repetitions: 100")
    assert "40400 requests" in refused.json()["detail"]


async def test_without_names_every_enabled_model_that_chats_is_asked(plane: ControlPlane) -> None:
    model_id = await add(plane)
    await add(plane, "Llama-8B-Q4_K_M.gguf")
    embedder = await plane.add("Embedder-1B.gguf", llama__pooling_type=1)
    await plane.post("/api/models/enable", {"enabled": True, "model_ids": [model_id, embedder]})
    assert (await begin(plane))["models"] == [model_id]


async def test_a_variant_and_an_upstreams_model(plane: ControlPlane) -> None:
    model_id = await add(plane)
    settings = {"variants": [{"name": "curt", "system_prompt": "Be curt."}]}
    (await plane.patch(f"/api/models/{model_id}", {"settings": settings})).raise_for_status()
    async with remote_server(models=["m1"]) as server:
        await plane.http.put("/api/upstreams/box", json={"url": server.url})
        whole = await run(plane, models=[model_id, f"{model_id}:curt", "box/m1"], repetitions=1)
    assert whole["models"] == [model_id, "curt", "box/m1"]
    assert [each["model_id"] for each in whole["by_model"]] == [model_id, model_id, None]
    assert [each["failed"] for each in whole["by_model"]][:2] == [0, 0]
    # Both are one server, which came up once.
    assert [each["was_running"] for each in whole["by_model"]] == [False, True, False]
    assert whole["by_model"][2]["memory_used_mb"] is None


async def test_the_list_and_its_pages(plane: ControlPlane) -> None:
    model_id = await add(plane)
    ids = [(await run(plane, models=[model_id], title=str(number)))["id"] for number in range(3)]
    page = (await plane.get(BENCHMARKS, params={"limit": 2})).json()
    assert ([each["id"] for each in page["benchmarks"]], page["next"]) == (ids[:0:-1], ids[1])
    rest = (await plane.get(BENCHMARKS, params={"limit": 2, "before": page["next"]})).json()
    assert ([each["title"] for each in rest["benchmarks"]], rest["next"]) == (["0"], None)
    assert all(each["done_requests"] == 2 and each["progress"] == 1 for each in page["benchmarks"])
    whole = (await plane.get(f"{BENCHMARKS}/{ids[0]}")).json()
    assert rest["benchmarks"][0] == {name: whole[name] for name in rest["benchmarks"][0]}


async def test_cancel_then_delete(plane: ControlPlane) -> None:
    model_id = await add(plane, streams_when_told=True)
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        begun = await begin(plane, models=[model_id])
        path = f"{BENCHMARKS}/{begun['id']}"
        actor = await plane.enter(model_id)
        await actor.saw("request")
        async with listening(plane.http) as reloaded:
            (shown,) = (await reloaded.next("snapshot")).data["benchmarks"]
            assert (shown["id"], shown["status"], shown["now"]["stage"]) == (
                begun["id"],
                "running",
                "measuring",
            )
        active = await plane.http.delete(path)
        assert (active.status_code, active.json()["error"]) == (
            409,
            f"Benchmark has not ended: {begun['id']}",
        )
        cancelled = await plane.post(f"{path}/cancel")
        assert cancelled.status_code == 200
        # The request was ended at its server, too.
        await actor.saw("client left")
        assert (await heard_end(listener, begun["id"]))["status"] == "cancelled"
    again = await plane.post(f"{path}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")
    deleted = await plane.http.delete(path)
    assert deleted.json() == {"message": "Benchmark deleted", "id": begun["id"]}
    for answer in (
        await plane.get(path),
        await plane.http.delete(path),
        await plane.post(f"{path}/cancel"),
        await plane.get(f"{path}/export"),
        await plane.get(f"{BENCHMARKS}/compare", params={"a": begun["id"], "b": begun["id"]}),
    ):
        assert (answer.status_code, answer.json()["error"]) == (404, f"Benchmark not found: {begun['id']}")


async def test_as_a_file(plane: ControlPlane) -> None:
    model_id = await add(plane)
    whole = await run(plane, models=[model_id])
    path = f"{BENCHMARKS}/{whole['id']}/export"
    as_csv, as_json, as_markdown = [
        await plane.get(path, params={"format": form}) for form in ("csv", "json", "markdown")
    ]
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert [(row["model"], row["output_per_second"], row["answer"]) for row in rows] == [
        (model_id, "40.25", "Paris.")
    ] * 2
    assert as_json.json() == whole
    assert as_markdown.text.startswith(f"# Benchmark {whole['id']}\n")
    for answer, kind, ending in (
        (as_csv, "text/csv", "csv"),
        (as_json, "application/json", "json"),
        (as_markdown, "text/markdown", "md"),
    ):
        assert answer.headers["content-type"].startswith(kind)
        name = f"benchmark-{whole['id']}.{ending}"
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


async def test_two_side_by_side(plane: ControlPlane) -> None:
    model_id = await add(plane)
    a = await run(plane, models=[model_id])
    faster = json.loads(json.dumps(CHAT).replace("40.25", "80.5"))
    Behaviour(events=faster).write(plane.path("Qwen-7B-Q4_K_M.gguf"), plane.stage.path)
    b = await run(plane, models=[model_id], seed=1)
    found = (await plane.get(f"{BENCHMARKS}/compare", params={"a": a["id"], "b": b["id"]})).json()
    assert (found["a"]["id"], found["b"]["id"]) == (a["id"], b["id"])
    assert [(each["model"], each["prompt"]) for each in found["compared"]] == [
        (model_id, None),
        (model_id, "What is the capital of France?"),
    ]
    speeds = found["compared"][1]["ratios"]["output_per_second"]
    assert (speeds["ratio"], speeds["low"], speeds["high"], speeds["is_clear"]) == (2.0, 2.0, 2.0, True)
    assert found["differences"] == ["seed: 42 and 1"]


async def test_while_one_is_alone(plane: ControlPlane) -> None:
    """A START is refused, a request told to come again; both work afterwards."""
    model_id = await add(plane, streams_when_told=True)
    other = await add(plane, "Llama-8B-Q4_K_M.gguf")
    await plane.patch(f"/api/models/{other}", {"enabled": True})
    chat = {"model": other, "messages": [{"role": "user", "content": "Hi"}]}
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        begun = await begin(plane, models=[model_id], manner="isolated", repetitions=1)
        actor = await plane.enter(model_id)
        await actor.saw("request")
        refused = await plane.post(f"/api/models/servers/{other}/start")
        assert (refused.status_code, refused.json()["error"]) == (
            409,
            f"The machine is reserved for benchmark {begun['id']}",
        )
        asked = await plane.post("/v1/chat/completions", chat)
        assert (asked.status_code, asked.headers["retry-after"]) == (503, "30")
        all_of_them = (await plane.post("/api/models/servers/start-all")).json()
        assert [failed["model_id"] for failed in all_of_them["failed"]] == [other]
        for _ in range(len(CHAT)):
            actor.tell("go on")
        await heard_end(listener, begun["id"])
    assert (await plane.post("/v1/chat/completions", chat)).status_code == 200


async def test_stop_all_ends_it_and_nothing_comes_back(plane: ControlPlane) -> None:
    model_id = await add(plane, streams_when_told=True)
    other = await add(plane, "Llama-8B-Q4_K_M.gguf")
    await plane.start(other)
    async with listening(plane.http) as listener:
        await listener.next("snapshot")
        begun = await begin(plane, models=[model_id], manner="isolated")
        await (await plane.enter(model_id)).saw("request")
        (await plane.post("/api/models/servers/stop-all")).raise_for_status()
        assert (await heard_end(listener, begun["id"]))["status"] == "cancelled"
    assert (await plane.get("/api/models/servers")).json()["servers"] == []


async def test_its_requests_are_in_the_records(plane: ControlPlane) -> None:
    model_id = await add(plane)
    await run(plane, models=[model_id], repetitions=1)
    await plane.services.recorder.flush()
    (call,) = (await plane.get("/api/activity")).json()["calls"]
    assert (call["path"], call["client"], call["model_id"]) == (BENCHMARKS, "benchmark", model_id)


async def test_how_many_are_kept_from_now_on(plane: ControlPlane) -> None:
    model_id = await add(plane)
    (await plane.patch("/api/settings", {"benchmarks_max": 1})).raise_for_status()
    for _ in range(2):
        last = await run(plane, models=[model_id], repetitions=1)
    assert [each["id"] for each in (await plane.get(BENCHMARKS)).json()["benchmarks"]] == [last["id"]]


async def test_before_the_fleet_is_open(plane: ControlPlane) -> None:
    model_id = await add(plane)
    await plane.services.benchmarks.close()
    await asyncio.sleep(0)
    refused = await plane.post(BENCHMARKS, {**QUICK, "models": [model_id]})
    assert (refused.status_code, refused.json()["error"]) == (503, "Server manager not initialized")
