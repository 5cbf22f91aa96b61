"""What a variant makes of a request, whichever endpoint it is for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.control_plane import ControlPlane, open_control_plane
from tests.fakes.stage import Actor, Stage

from synapse_engine.errors import InvalidChoice
from synapse_engine.gateway.errors import BadRequest
from synapse_engine.gateway.variants import Variant, check_variants, rewrite

CHAT = "/v1/chat/completions"
PIRATE = Variant("pirate", {"temperature": 0.5, "top_k": 7}, "Arr.", {"enable_thinking": False, "x": 1})
BARE = Variant("bare")
USER = {"role": "user", "content": "Hi"}
SAMPLED = {"temperature": 0.5, "top_k": 7}
KWARGS = {"chat_template_kwargs": {"enable_thinking": False, "x": 1}}
PARTS = [{"type": "text", "text": "Be brief."}]


def system(content: object, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": content}


# Path, what is asked, and what comes of it.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "chat": (
        "/v1/chat/completions",
        {"messages": [USER]},
        {"messages": [system("Arr."), USER], **SAMPLED, **KWARGS},
    ),
    "chat without /v1, with a query": (
        "/chat/completions?a=1",
        {"messages": [USER]},
        {"messages": [system("Arr."), USER], **SAMPLED, **KWARGS},
    ),
    "the tokens of a chat": (
        "/v1/chat/completions/input_tokens",
        {"messages": [USER]},
        {"messages": [system("Arr."), USER], **SAMPLED, **KWARGS},
    ),
    "the tokens of a response": (
        "/v1/responses/input_tokens",
        {"input": "Hi"},
        {"instructions": "Arr.", "input": "Hi", **SAMPLED, **KWARGS},
    ),
    "the request's own go first": (
        "/v1/chat/completions",
        {"messages": [USER], "temperature": 0, "chat_template_kwargs": {"x": 2, "y": 3}},
        {
            "messages": [system("Arr."), USER],
            "temperature": 0,
            "top_k": 7,
            "chat_template_kwargs": {"enable_thinking": False, "x": 2, "y": 3},
        },
    ),
    "null says nothing": (
        "/v1/chat/completions",
        {"messages": [USER], "temperature": None, "chat_template_kwargs": None},
        {"messages": [system("Arr."), USER], **SAMPLED, **KWARGS},
    ),
    "its own system message is made longer": (
        "/v1/chat/completions",
        {"messages": [system("Be brief."), USER]},
        {"messages": [system("Arr.\n\nBe brief."), USER], **SAMPLED, **KWARGS},
    ),
    "of a developer too": (
        "/v1/chat/completions",
        {"messages": [system("Be brief.", "developer")]},
        {"messages": [system("Arr.\n\nBe brief.", "developer")], **SAMPLED, **KWARGS},
    ),
    "in parts": (
        "/v1/chat/completions",
        {"messages": [system(PARTS), USER]},
        {"messages": [system([{"type": "text", "text": "Arr."}, *PARTS]), USER], **SAMPLED, **KWARGS},
    ),
    "empty": (
        "/v1/chat/completions",
        {"messages": [system("")]},
        {"messages": [system("Arr.")], **SAMPLED, **KWARGS},
    ),
    "no messages": ("/v1/chat/completions", {}, {"messages": [system("Arr.")], **SAMPLED, **KWARGS}),
    "messages that are none": (
        "/v1/chat/completions",
        {"messages": "Hi"},
        {"messages": "Hi", **SAMPLED, **KWARGS},
    ),
    "a template": (
        "/apply-template",
        {"messages": [USER]},
        {"messages": [system("Arr."), USER], **SAMPLED, **KWARGS},
    ),
    "completions have no place for a system prompt": (
        "/v1/completions",
        {"prompt": "Once"},
        {"prompt": "Once", **SAMPLED},
    ),
    "llama-server's own": (
        "/completion",
        {"prompt": "Once", "top_k": 1},
        {"prompt": "Once", "temperature": 0.5, "top_k": 1},
    ),
    "infill": ("/infill", {"input_prefix": "a"}, {"input_prefix": "a", **SAMPLED}),
    "responses": (
        "/v1/responses",
        {"input": "Hi"},
        {"input": "Hi", "instructions": "Arr.", **SAMPLED, **KWARGS},
    ),
    "responses with instructions": (
        "/v1/responses",
        {"input": "Hi", "instructions": "Be brief."},
        {"input": "Hi", "instructions": "Arr.\n\nBe brief.", **SAMPLED, **KWARGS},
    ),
    "messages": (
        "/v1/messages",
        {"messages": [USER]},
        {"messages": [USER], "system": "Arr.", **SAMPLED, **KWARGS},
    ),
    "messages with a system prompt": (
        "/v1/messages",
        {"messages": [USER], "system": "Be brief."},
        {"messages": [USER], "system": "Arr.\n\nBe brief.", **SAMPLED, **KWARGS},
    ),
    "messages with parts": (
        "/v1/messages?beta=true",
        {"messages": [USER], "system": PARTS},
        {"messages": [USER], "system": [{"type": "text", "text": "Arr."}, *PARTS], **SAMPLED, **KWARGS},
    ),
    "a count of tokens counts the prompt too": (
        "/v1/messages/count_tokens",
        {"messages": [USER], "system": None},
        {"messages": [USER], "system": "Arr.", **SAMPLED, **KWARGS},
    ),
    "embeddings generate nothing": ("/v1/embeddings", {"input": "Hi"}, {"input": "Hi"}),
    "nor does a ranking": ("/v1/rerank", {"query": "Hi"}, {"query": "Hi"}),
    "nor tokens": ("/tokenize", {"content": "Hi"}, {"content": "Hi"}),
}


@pytest.mark.parametrize("case", CASES)
def test_rewriting(case: str) -> None:
    path, asked, expected = CASES[case]
    assert json.loads(rewrite(PIRATE, json.dumps(asked).encode(), path.encode())) == expected


@pytest.mark.parametrize("case", CASES)
def test_a_variant_that_brings_nothing_changes_nothing(case: str) -> None:
    path, asked, _ = CASES[case]
    assert json.loads(rewrite(BARE, json.dumps(asked).encode(), path.encode())) == asked


WRITTEN = (
    b'"seed":123456789012345678901234567890',
    b'"p":1.0000000000000000000001',
    b'"q":1.50',
    b'"e":1E+2',
    b'"huge":1e999',
    b'"zero":-0.0',
    b'"text":"\\u00e9 \xc3\xa9 \\/ \xf0\x9f\x98\x80"',
    b'"unknown":{ "deep" : [1.10 ,null] }',
)


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/v1/messages", b"/v1/completions"])
def test_all_else_is_left_as_it_was_written(written: bytes, path: bytes) -> None:
    body = b'{%b, "messages": [{"role":"system","content":"a",%b}, {%b}]}' % (written, written, written)
    rewritten = rewrite(PIRATE, body, path)
    assert rewritten.count(written.partition(b":")[2]) == 3


def test_no_body_is_left_alone() -> None:
    assert rewrite(PIRATE, b"", b"/v1/chat/completions") == b""


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"\xff": 1}', b'{"chat_template_kwargs": 3}'])
def test_a_body_that_is_no_object(body: bytes) -> None:
    with pytest.raises(BadRequest):
        rewrite(PIRATE, body, b"/v1/chat/completions")


REFUSED = {
    "no name": ([Variant("")], "Bad name of a variant: "),
    "spaces around it": ([Variant(" a")], "Bad name of a variant:  a"),
    "unprintable": ([Variant("a\nb")], "Bad name of a variant"),
    "half a surrogate pair": ([Variant("a\ud800")], "Bad name of a variant"),
    "too long": ([Variant("a" * 101)], "Bad name of a variant"),
    "twice": ([Variant("a"), Variant("A")], "Variant named twice: A"),
    "a request's own": (
        [Variant("a", {"stream": True, "messages": [], "top_k": 1})],
        "Not for the sampling of a: messages, stream",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    variants, error = REFUSED[case]
    with pytest.raises(InvalidChoice) as refused:
        check_variants(variants)
    assert refused.value.error.startswith(error)


def test_what_is_taken() -> None:
    check_variants([PIRATE, BARE, Variant("naïve: 2"), Variant("a" * 100)])


# Through the relay.


async def with_variant(plane: ControlPlane, **variant: Any) -> tuple[str, Actor]:
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    settings = {"variants": [{"name": "pirate", **variant}]}
    (await plane.patch(f"/api/models/{model_id}", {"settings": settings})).raise_for_status()
    return model_id, await plane.start(model_id)


@pytest.mark.parametrize("name", ["pirate", "Qwen-7B-Q4_K_M:Pirate"])
async def test_a_request_to_a_variant(plane: ControlPlane, name: str) -> None:
    model_id, actor = await with_variant(plane, system_prompt="Arr.", sampling={"top_k": 7})
    answer = await plane.post(CHAT, {"model": name, "messages": [USER]})
    assert answer.status_code == 200
    seen = json.loads((await actor.saw("request"))["body"])
    assert seen == {"model": name, "messages": [system("Arr."), USER], "top_k": 7}
    await plane.services.recorder.flush()
    (call,) = (await plane.get("/api/activity")).json()["calls"]
    assert (call["asked"], call["model_id"], call["variant"]) == (name, model_id, "pirate")
    assert call["outcome"] == "ok"


async def test_a_large_body_to_a_variant(plane: ControlPlane) -> None:
    _, actor = await with_variant(plane, system_prompt="Arr.")
    image = "x" * 3_000_000
    body = b'{"seed":1234567890123456789012,"messages":[{"role":"user","content":"%b"}],"model":"pirate"}'
    answer = await plane.http.post(CHAT, content=body % image.encode())
    assert answer.status_code == 200
    seen = (await actor.saw("request"))["body"]
    assert '"seed":1234567890123456789012' in seen
    assert json.loads(seen)["messages"] == [system("Arr."), {"role": "user", "content": image}]
    assert list(plane.services.folder.spool.iterdir()) == []


async def test_a_body_that_a_variant_makes_too_large(tmp_path: Path, engine: Path, stage: Stage) -> None:
    async with open_control_plane(tmp_path, engine, stage, body_max_mb=0.01) as plane:
        await with_variant(plane, system_prompt="x" * 9_000)
        answer = await plane.post(CHAT, {"model": "pirate", "messages": [{**USER, "content": "y" * 2_000}]})
        assert answer.status_code == 413
        assert "SYNAPSE_BODY_MAX_MB" in answer.json()["error"]["message"]


async def test_other_paths_of_a_variants_server(plane: ControlPlane) -> None:
    _, actor = await with_variant(plane, system_prompt="Arr.")
    assert (await plane.get("/upstream/pirate/props")).status_code == 200
    assert (await actor.saw("request"))["body"] == ""
    assert (await plane.post("/upstream/pirate/v1/chat/completions", {"messages": [USER]})).status_code == 200
    assert json.loads((await actor.saw("request"))["body"]) == {"messages": [system("Arr."), USER]}


EDITS: dict[str, tuple[Any, int, str]] = {
    "a name without letters": ([{"name": ""}], 422, "Bad name of a variant"),
    "one name twice": ([{"name": "a"}, {"name": "A"}], 422, "Variant named twice: A"),
    "a reserved name": ([{"name": "Auto"}], 422, "Reserved name: Auto"),
    "the name of a model": ([{"name": "Qwen-7B-Q4_K_M"}], 409, "Name is taken: Qwen-7B-Q4_K_M"),
    "no text": ([{"name": "a", "system_prompt": 3}], 422, "Invalid request"),
    "an unknown field": ([{"name": "a", "prompt": "x"}], 422, "Invalid request"),
    "a field of the request": ([{"name": "a", "sampling": {"stream": True}}], 422, "Not for the sampling"),
}


@pytest.mark.parametrize("case", EDITS)
async def test_an_edit_that_is_refused_changes_nothing(plane: ControlPlane, case: str) -> None:
    variants, status, error = EDITS[case]
    model_id = await plane.add("Qwen-7B-Q4_K_M.gguf")
    before = plane.services.registry.get(model_id).choices
    answer = await plane.patch(f"/api/models/{model_id}", {"settings": {"variants": variants}})
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)
    assert plane.services.registry.get(model_id).choices == before


async def test_a_running_servers_variants_change_at_once(plane: ControlPlane) -> None:
    model_id, actor = await with_variant(plane, system_prompt="Arr.")
    edited = await plane.patch(
        f"/api/models/{model_id}", {"settings": {"variants": [{"name": "poet", "system_prompt": "O!"}]}}
    )
    assert edited.json()["settings"]["variants"][0]["name"] == "poet"
    assert edited.json()["restart_required"] is False
    assert (await plane.post(CHAT, {"model": "pirate"})).status_code == 404
    assert (await plane.post(CHAT, {"model": "poet", "messages": []})).status_code == 200
    assert json.loads((await actor.saw("request"))["body"])["messages"] == [system("O!")]
