"""The official clients of OpenAI, Anthropic and Ollama, unmodified, against the real llama-server."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pydantic
import pytest
from tests.e2e.serving import Serving, serving, serving_environment
from tests.gguf_files import write_llama

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

KEY = "s3cret"
QUESTION = "What is the capital of France? Answer in one sentence."
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORECAST = "The weather in a city"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class City(pydantic.BaseModel):
    city: str


@dataclass
class Scene:
    """chat, embedding, reranking: the ids of enabled models; nobody has started them yet."""

    serve: Serving
    chat: str
    embedding: str
    reranking: str
    openai: openai.OpenAI
    anthropic: anthropic.Anthropic
    ollama: ollama.Client

    def until_idle(self) -> None:
        """The stream that was given up is not worked on any more: neither by us nor by its server."""
        while self.serve.http.get(f"/api/models/servers/{self.chat}").json()["active_requests"]:
            pass
        slots = f"/slots?model={self.chat}&autoload=false"
        while any(slot["is_processing"] for slot in self.serve.http.get(slots).json()):
            pass


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("clients")
    models = folder / "models"
    models.mkdir()
    (models / smollm2_path.name).symlink_to(smollm2_path)
    for name, pooling in (("Embed", 1), ("Rerank", 4)):
        keys: dict[str, Any] = {"llama.pooling_type": pooling}
        write_llama(models / f"Tiny-{name}-F32.gguf", name=f"Tiny {name}", **keys)
    environment = serving_environment(folder / "data", models) | {"SYNAPSE_API_KEY": KEY}
    with (
        serving(environment) as serve,
        openai.OpenAI(base_url=f"{serve.url}/v1", api_key=KEY) as openai_client,
        anthropic.Anthropic(base_url=serve.url, api_key=KEY) as anthropic_client,
        ollama.Client(serve.url, headers={"Authorization": f"Bearer {KEY}"}) as ollama_client,
    ):
        serve.http.headers["X-Api-Key"] = KEY
        enabled = serve.http.post("/api/models/enable", json={"enabled": True}).json()["models"]
        ids = {model["kind"]: model["model_id"] for model in enabled}
        settings = {
            "ctx_size": 4096,
            # Its own knows nothing of tools.
            "chat_template_file": str(Path(__file__).with_name("tools.jinja")),
            "variants": [{"name": "parisian", "system_prompt": "You live in Paris."}],
        }
        edited = serve.http.patch(f"/api/models/{ids['chat']}", json={"settings": settings})
        edited.raise_for_status()
        yield Scene(
            serve,
            ids["chat"],
            ids["embedding"],
            ids["reranking"],
            openai_client,
            anthropic_client,
            ollama_client,
        )


def vector_length(vector: Any) -> float:
    return math.sqrt(sum(part * part for part in vector))


# OpenAI.


def openai_talk(question: str) -> list[Any]:
    """Two rounds of calls before the question: so small a model learns it from them."""
    talk: list[Any] = []
    for number, city in enumerate(("Rome", "Oslo")):
        function = {"name": "weather", "arguments": json.dumps({"city": city})}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        talk += [
            {"role": "user", "content": f"What is the weather in {city}?"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "sunny"},
            {"role": "assistant", "content": f"It is sunny in {city}."},
        ]
    return [*talk, {"role": "user", "content": question}]


def test_openai_lists(scene: Scene) -> None:
    models = {model.id: model for model in scene.openai.models.list()}
    own = [name for name in models if not name.startswith("synapse/")]
    assert own == [scene.chat, "parisian", scene.embedding, scene.reranking]
    one = scene.openai.models.retrieve(scene.chat)
    assert one == models[scene.chat]
    assert one.model_extra is not None
    assert one.model_extra["context_length"] == one.model_extra["meta"]["n_ctx"] == 4096


def test_openai_chats_with_a_model_that_nobody_started(scene: Scene) -> None:
    answer = scene.openai.chat.completions.create(
        model=scene.chat, messages=[{"role": "user", "content": QUESTION}], temperature=0, max_tokens=30
    )
    assert "Paris" in (answer.choices[0].message.content or "")
    assert answer.usage is not None and answer.usage.completion_tokens > 3
    assert scene.openai.models.retrieve(scene.chat).model_extra["status"] == "running"  # type: ignore[index]


def test_openai_streams(scene: Scene) -> None:
    with scene.openai.chat.completions.create(
        model=scene.chat,
        messages=[{"role": "user", "content": QUESTION}],
        temperature=0,
        max_tokens=30,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = list(stream)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert len(pieces) > 4 and "Paris" in "".join(pieces)
    assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens > 10


def test_openai_calls_a_tool(scene: Scene) -> None:
    tool = {"name": "weather", "description": FORECAST, "parameters": CITY}
    asked: dict[str, Any] = {
        "model": scene.chat,
        "tools": [{"type": "function", "function": tool}],
        "temperature": 0,
        "max_tokens": 60,
    }
    talk = openai_talk("What is the weather in Paris?")
    choice = scene.openai.chat.completions.create(messages=talk, **asked).choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    talk += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    told = scene.openai.chat.completions.create(messages=talk, **asked).choices[0].message
    assert "sunny" in (told.content or "")


def test_openai_keeps_to_a_schema(scene: Scene) -> None:
    answer = scene.openai.chat.completions.parse(
        model=scene.chat,
        messages=[{"role": "user", "content": "Where is the Eiffel Tower? Name the city."}],
        response_format=City,
        temperature=0,
        max_tokens=60,
    )
    assert isinstance(answer.choices[0].message.parsed, City)


def test_openai_embeds(scene: Scene) -> None:
    answer = scene.openai.embeddings.create(model=scene.embedding, input=["one", "another"])
    one, another = (each.embedding for each in answer.data)
    assert len(one) == len(another) == 64 and one != another
    assert vector_length(one) == pytest.approx(1, abs=1e-3)


def test_documents_are_ranked(scene: Scene) -> None:
    """None of the clients has this; the shape is the one that llama-server, Jina and others share."""
    asked = {"model": scene.reranking, "query": "one", "documents": ["another", "one more"]}
    results = scene.serve.http.post("/v1/rerank", json=asked).raise_for_status().json()["results"]
    assert sorted(each["index"] for each in results) == [0, 1]
    assert all(isinstance(each["relevance_score"], float) for each in results)


def test_openai_responds(scene: Scene) -> None:
    asked: dict[str, Any] = {
        "model": "parisian",
        "input": QUESTION,
        "temperature": 0,
        "max_output_tokens": 30,
    }
    whole = scene.openai.responses.create(**asked)
    assert "Paris" in whole.output_text
    with scene.openai.responses.create(**asked, stream=True) as stream:
        events = list(stream)
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(pieces) == whole.output_text
    assert events[-1].type == "response.completed"


def test_openai_hears_of_errors(scene: Scene) -> None:
    talk: Any = [{"role": "user", "content": "Hi"}]
    with pytest.raises(openai.NotFoundError, match="Model not found: nobody") as unknown:
        scene.openai.chat.completions.create(model="nobody", messages=talk)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        scene.openai.models.retrieve("nobody")
    with pytest.raises(openai.BadRequestError, match="context size"):
        scene.openai.completions.create(model=scene.chat, prompt="word " * 5000)
    with pytest.raises(openai.AuthenticationError):
        scene.openai.with_options(api_key="wrong").models.list()


def test_openai_gives_up_a_stream(scene: Scene) -> None:
    stream = scene.openai.completions.create(
        model=scene.chat, prompt="Once upon a time", stream=True, max_tokens=3000
    )
    next(iter(stream))
    stream.close()
    scene.until_idle()


# Anthropic.


def anthropic_talk(question: str) -> list[Any]:
    talk: list[Any] = []
    for number, city in enumerate(("Rome", "Oslo")):
        call = {"type": "tool_use", "id": f"call_{number}", "name": "weather", "input": {"city": city}}
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "sunny"}
        talk += [
            {"role": "user", "content": f"What is the weather in {city}?"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": f"It is sunny in {city}."},
        ]
    return [*talk, {"role": "user", "content": question}]


def test_anthropic_lists(scene: Scene) -> None:
    models = {model.id: model for model in scene.anthropic.models.list(limit=2)}
    own = [name for name in models if not name.startswith("synapse/")]
    assert own == [scene.chat, "parisian", scene.embedding, scene.reranking]
    assert scene.anthropic.models.retrieve(scene.chat) == models[scene.chat]
    assert models[scene.chat].max_input_tokens == 4096


def test_anthropic_chats_and_counts(scene: Scene) -> None:
    talk: Any = [{"role": "user", "content": QUESTION}]
    answer = scene.anthropic.messages.create(
        model=scene.chat, messages=talk, max_tokens=30, extra_body={"temperature": 0}
    )
    (block,) = answer.content
    assert block.type == "text" and "Paris" in block.text
    assert (answer.stop_reason, answer.model) == ("end_turn", scene.chat)
    counted = scene.anthropic.messages.count_tokens(model=scene.chat, messages=talk)
    usage = answer.usage
    assert counted.input_tokens == usage.input_tokens + (usage.cache_read_input_tokens or 0)


def test_anthropic_streams(scene: Scene) -> None:
    with scene.anthropic.messages.stream(
        model="parisian",
        messages=[{"role": "user", "content": QUESTION}],
        max_tokens=30,
        extra_body={"temperature": 0},
    ) as stream:
        pieces = list(stream.text_stream)
        answer = stream.get_final_message()
    assert len(pieces) > 3 and "Paris" in "".join(pieces)
    assert answer.usage.output_tokens >= len(pieces)


def test_anthropic_calls_a_tool(scene: Scene) -> None:
    asked: dict[str, Any] = {
        "model": scene.chat,
        "tools": [{"name": "weather", "description": FORECAST, "input_schema": CITY}],
        "max_tokens": 60,
        "extra_body": {"temperature": 0},
    }
    talk = anthropic_talk("What is the weather in Paris?")
    with scene.anthropic.messages.stream(messages=talk, **asked) as stream:
        answer = stream.get_final_message()
    assert answer.stop_reason == "tool_use"
    call = answer.content[-1]
    assert call.type == "tool_use" and (call.name, call.input) == ("weather", {"city": "Paris"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    talk += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    told = scene.anthropic.messages.create(messages=talk, **asked).content[0]
    assert told.type == "text" and "sunny" in told.text


def test_anthropic_hears_of_errors(scene: Scene) -> None:
    talk: Any = [{"role": "user", "content": "Hi"}]
    client = scene.anthropic.with_options(max_retries=0)
    with pytest.raises(anthropic.NotFoundError, match="Model not found: nobody"):
        client.messages.create(model="nobody", max_tokens=5, messages=talk)
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody")
    talk_too_long: Any = [{"role": "user", "content": "word " * 5000}]
    for is_stream in (True, False):
        with pytest.raises(anthropic.BadRequestError, match="context size") as too_long:
            client.messages.create(model=scene.chat, max_tokens=5, messages=talk_too_long, stream=is_stream)
        assert too_long.value.type == "invalid_request_error"
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    seen: Any = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    with pytest.raises(anthropic.InternalServerError, match="image input is not supported"):
        client.messages.create(model=scene.chat, max_tokens=5, messages=seen)
    stranger = scene.anthropic.with_options(api_key="wrong")
    with pytest.raises(anthropic.AuthenticationError) as refused:
        stranger.models.list()
    assert refused.value.type == "authentication_error"
    # One that has a token for somebody else may be told ours as a header besides.
    assert stranger.models.list(extra_headers={"X-Api-Key": KEY}).data


def test_anthropic_gives_up_a_stream(scene: Scene) -> None:
    stream = scene.anthropic.messages.create(
        model=scene.chat,
        messages=[{"role": "user", "content": "Count from one to a thousand."}],
        max_tokens=3000,
        stream=True,
    )
    next(iter(stream))
    stream.close()
    scene.until_idle()


# Ollama.

COLD = {"temperature": 0, "num_predict": 60}


def ollama_talk(question: str) -> list[Any]:
    talk: list[Any] = []
    for city in ("Rome", "Oslo"):
        call = {"function": {"name": "weather", "arguments": {"city": city}}}
        talk += [
            {"role": "user", "content": f"What is the weather in {city}?"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_name": "weather", "content": "sunny"},
            {"role": "assistant", "content": f"It is sunny in {city}."},
        ]
    return [*talk, {"role": "user", "content": question}]


def test_ollama_lists_loads_and_unloads(scene: Scene) -> None:
    listed = [model.model for model in scene.ollama.list().models]
    names = [name for name in listed if name and not name.startswith("synapse/")]
    others = [f"{name}:latest" for name in ("parisian", scene.embedding, scene.reranking)]
    assert names == [f"{scene.chat}:latest", *others]
    loaded = scene.ollama.generate(scene.chat, "", keep_alive="10m")
    assert loaded.done_reason == "load"
    running = {model.model: model for model in scene.ollama.ps().models}
    assert running[f"{scene.chat}:latest"].context_length == 4096
    assert scene.ollama.show("synapse/council:latest").capabilities == ["completion"]
    shown = scene.ollama.show(scene.chat)
    assert shown.modelinfo is not None and shown.modelinfo["llama.context_length"] == 4096
    unloaded = scene.ollama.generate(scene.chat, "", keep_alive=0)
    assert unloaded.done_reason == "unload"
    assert f"{scene.chat}:latest" not in [model.model for model in scene.ollama.ps().models]


def test_ollama_chats_and_streams(scene: Scene) -> None:
    talk = [{"role": "user", "content": QUESTION}]
    whole = scene.ollama.chat("parisian:latest", talk, options=COLD)
    assert "Paris" in (whole.message.content or "")
    assert whole.done and whole.eval_count and whole.eval_duration and whole.prompt_eval_count
    assert whole.total_duration and whole.total_duration > whole.eval_duration
    *pieces, last = scene.ollama.chat("parisian", talk, options=COLD, stream=True)
    assert "".join(piece.message.content or "" for piece in pieces) == whole.message.content
    assert (last.done, last.done_reason, last.eval_count) == (True, "stop", whole.eval_count)


def test_ollama_completes(scene: Scene) -> None:
    chatted = scene.ollama.generate(scene.chat, QUESTION, options=COLD)
    assert "Paris" in (chatted.response or "")
    short = {"temperature": 0, "num_predict": 3}
    raw = scene.ollama.generate(scene.chat, "The capital of France is", raw=True, options=short)
    assert (raw.response or "").startswith(" Paris") and raw.done_reason == "length"
    template = "{{ if .System }}{{ .System }} {{ end }}{{ .Prompt }}"
    asked = scene.ollama.generate(scene.chat, "The capital of France is", template=template, options=short)
    assert asked.response == raw.response


def test_ollama_calls_a_tool(scene: Scene) -> None:
    def weather(city: str) -> str:
        """The weather in a city

        Args:
          city: its name
        """
        return f"sunny in {city}"

    talk = ollama_talk("What is the weather in Paris?")
    *_, called, last = scene.ollama.chat(scene.chat, talk, tools=[weather], options=COLD, stream=True)
    (call,) = called.message.tool_calls or ()
    assert (call.function.name, dict(call.function.arguments)) == ("weather", {"city": "Paris"})
    assert last.done
    talk += [called.message, {"role": "tool", "tool_name": "weather", "content": "sunny"}]
    told = scene.ollama.chat(scene.chat, talk, tools=[weather], options=COLD)
    assert "sunny" in (told.message.content or "")


def test_ollama_keeps_to_a_format(scene: Scene) -> None:
    talk = [{"role": "user", "content": "Where is the Eiffel Tower? Name the city."}]
    answer = scene.ollama.chat(scene.chat, talk, format=City.model_json_schema(), options=COLD)
    assert City.model_validate_json(answer.message.content or "")
    begun = scene.ollama.generate(scene.chat, "Describe Paris.", format="json", options=COLD)
    assert (begun.response or "").startswith("{")


def test_ollama_embeds(scene: Scene) -> None:
    one, another = scene.ollama.embed(scene.embedding, ["one", "another"]).embeddings
    assert len(one) == len(another) == 64 and one != another
    (short,) = scene.ollama.embed(scene.embedding, "one", dimensions=8).embeddings
    assert len(short) == 8 and vector_length(short) == pytest.approx(1)
    assert scene.ollama.embeddings(scene.embedding, "one").embedding == one


def test_long_texts_are_embedded_and_ranked(scene: Scene) -> None:
    """Longer than the batch of 512 tokens that llama-server has by itself."""
    text = "a " * 450
    embedded = scene.ollama.embed(scene.embedding, text)
    assert embedded.prompt_eval_count is not None and embedded.prompt_eval_count > 1000
    asked = {"model": scene.reranking, "query": "one", "documents": [text]}
    (ranked,) = scene.serve.http.post("/v1/rerank", json=asked).raise_for_status().json()["results"]
    assert isinstance(ranked["relevance_score"], float)


def test_ollama_hears_of_errors(scene: Scene) -> None:
    talk = [{"role": "user", "content": "Hi"}]
    for is_stream in (True, False):
        with pytest.raises(ollama.ResponseError, match="Model not found: nobody") as unknown:
            list(scene.ollama.chat("nobody", talk, stream=is_stream))
        assert unknown.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="context size"):
        scene.ollama.generate(scene.chat, "word " * 5000)
    seen = [{"role": "user", "content": "Who?", "images": [PICTURE]}]
    with pytest.raises(ollama.ResponseError, match="image input is not supported"):
        scene.ollama.chat(scene.chat, seen)
    with pytest.raises(ollama.ResponseError, match="MODEL_SCAN_PATH") as absent:
        scene.ollama.pull("llama3.2")
    assert absent.value.status_code == 501
    with ollama.Client(scene.serve.url) as stranger, pytest.raises(ollama.ResponseError) as refused:
        stranger.list()
    assert refused.value.status_code == 401


def test_ollama_gives_up_a_stream(scene: Scene) -> None:
    stream: Any = scene.ollama.generate(
        scene.chat, "Once upon a time", raw=True, stream=True, options={"num_predict": 3000}
    )
    next(stream)
    stream.close()
    scene.until_idle()
