"""Whom a name in a request means."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fakes.rig import Rig
from tests.fakes.stage import Behaviour

from synapse_engine.catalog.model import Kind, Tier
from synapse_engine.errors import AmbiguousModelName, InvalidChoice, ModelNotFound
from synapse_engine.gateway.body import in_memory
from synapse_engine.gateway.errors import NameTaken
from synapse_engine.gateway.lines import Lines, Seat
from synapse_engine.gateway.names import KNOWN_MAX, Names, Target
from synapse_engine.gateway.outbox import Outbox
from synapse_engine.gateway.remotes import Remotes
from synapse_engine.gateway.upstream import Pool
from synapse_engine.gateway.waking import Waking
from synapse_engine.store import Store

NO_BODY = in_memory(b"")
HARD = "Prove step by step that the derivative of x^2 is 2x, and explain why the proof works."
FAST, BALANCED, POWERFUL = Tier


@pytest.fixture
def remotes(tmp_path: Path) -> Remotes:
    return Remotes(Store(tmp_path / "synapse.db"), Pool(Outbox([])), lambda: None)


@pytest.fixture
def names(rig: Rig, remotes: Remotes) -> Names:
    return Names(rig.registry, rig.fleet, remotes, on_demand=True)


def ids(names: Names, name: str | None, question: str = "", kind: Kind = Kind.CHAT) -> tuple[str, ...]:
    body = msgspec.json.encode({"messages": [{"role": "user", "content": question}]})
    return names.find(name, in_memory(body), kind).model_ids


def line_of(rig: Rig) -> Lines:
    waking = Waking(rig.fleet)
    waking.lines = Lines(rig.registry, rig.fleet, waking.wake, on_demand=True, queue_max=9, queue_seconds=9)
    return waking.lines


def follow_all(rig: Rig, lines: Lines) -> None:
    """What the fleet tells of every change, in an application."""
    for server in rig.fleet.servers.values():
        lines.follow(server)


async def add(rig: Rig, model_id: str, *, variants: Any = None, **facts: Any) -> str:
    """An enabled model; choices and facts by their names."""
    chosen = {name: facts.pop(name) for name in ("aliases", "held") if name in facts}
    settings = {"variants": variants} if variants else {}
    enabled = facts.pop("enabled", True)
    behaviour = facts.pop("behaviour", None)
    await rig.add(model_id, behaviour, **facts)
    await rig.choose(model_id, enabled=enabled, settings=settings, **chosen)
    return model_id


# A model's own names.


async def test_every_name_of_a_model(rig: Rig, names: Names) -> None:
    await add(
        rig,
        "qwen_7b_fast",
        aliases=("Mine",),
        repo="bartowski/Qwen-7B-GGUF",
        quantization="Q4_K_M",
        is_dynamic_quant=True,
        names=("qwen:7b",),
    )
    await add(rig, "other")
    for name in (
        "qwen_7b_fast",
        "mine",
        "qwen_7b_fast.gguf",
        "bartowski/Qwen-7B-GGUF:Q4_K_M",
        "bartowski/qwen-7b-gguf:ud-q4_k_m",
        "bartowski/Qwen-7B-GGUF",
        "qwen:7b",
        "Qwen_7B_Fast",
        " MINE ",
    ):
        assert ids(names, name) == ("qwen_7b_fast",), name


async def test_the_display_name(rig: Rig, names: Names) -> None:
    await add(rig, "qwen_7b")
    assert rig.registry.get("qwen_7b").model.display_name == "Qwen_7B"
    assert ids(names, "QWEN_7b") == ("qwen_7b",)


async def test_a_short_form_of_several_is_ambiguous(rig: Rig, names: Names) -> None:
    for model_id, quantization in (("qwen_q2", "Q2_K"), ("qwen_q8", "Q8_0")):
        await add(rig, model_id, repo="org/Qwen", quantization=quantization)
    with pytest.raises(AmbiguousModelName) as ambiguous:
        names.find("org/qwen", NO_BODY)
    assert ambiguous.value.status == 409
    assert ambiguous.value.detail == "It could mean: qwen_q2, qwen_q8"
    assert ids(names, "org/Qwen:Q8_0") == ("qwen_q8",)
    assert names.knows("org/qwen") and not names.knows("org/other")


async def test_a_model_that_is_added_or_renamed_is_known_at_once(rig: Rig, names: Names) -> None:
    await add(rig, "a")
    with pytest.raises(ModelNotFound):
        names.find("late", NO_BODY)
    await rig.choose("a", aliases=("late",))
    assert ids(names, "late") == ("a",)
    await rig.choose("a", aliases=())
    with pytest.raises(ModelNotFound):
        names.find("late", NO_BODY)


async def test_spellings_without_end_are_not_kept(rig: Rig, names: Names) -> None:
    await add(rig, "abcdefghijklmn")
    for number in range(KNOWN_MAX + 10):
        spelled = "".join(c.upper() if number >> i & 1 else c for i, c in enumerate("abcdefghijklmn"))
        assert ids(names, spelled) == ("abcdefghijklmn",)
    assert len(names._known) <= KNOWN_MAX


async def test_a_shared_alias_means_a_ready_one_the_least_busy(rig: Rig, names: Names) -> None:
    for model_id in ("a", "b", "c"):
        await add(rig, model_id, aliases=("both",))
    target = names.find("both", NO_BODY)
    assert target.model_ids == ("a", "b", "c")
    lines = line_of(rig)
    for model_id in ("b", "c"):
        await rig.fleet.start(model_id)
    follow_all(rig, lines)
    taken = [lines.seat_now(target, None) for _ in range(3)]
    assert [seat and seat.model_id for seat in taken] == ["b", "c", "b"]
    for seat in taken:
        assert seat is not None
        seat.release()


# Unknown ones.


async def test_an_unknown_name_says_what_to_ask_for(rig: Rig, names: Names) -> None:
    await add(rig, "qwen_7b_fast", aliases=("Coder",), variants=[{"name": "pirate"}])
    await add(rig, "llama_8b_balanced")

    def detail(name: str) -> str:
        with pytest.raises(ModelNotFound) as unknown:
            names.find(name, NO_BODY)
        assert unknown.value.error == f"Model not found: {name}"
        return unknown.value.detail

    assert detail("gpt-4").startswith("No model is running. GET /v1/models lists what may be asked for; ")
    assert "press START" in detail("gpt-4")
    assert detail("qwen_7b").startswith("Did you mean qwen_7b_fast? ")
    assert detail("codr").startswith("Did you mean Coder? ")
    assert detail("pirates").startswith("Did you mean pirate? ")
    await rig.fleet.start("llama_8b_balanced")
    assert "Running: llama_8b_balanced. " in detail("gpt-4")


# Tiers.


async def test_a_tier_means_its_best_that_may_answer(rig: Rig, names: Names) -> None:
    await add(rig, "small", size_b=1.0)
    await add(rig, "large", size_b=7.0)
    await add(rig, "sizeless")
    await add(rig, "broken", size_b=7.9, problem="a shard is missing")
    await add(rig, "held", size_b=7.9, held=True)
    await add(rig, "disabled", size_b=7.9, enabled=False)
    await add(rig, "embedder", size_b=7.9, kind=Kind.EMBEDDING)
    await add(rig, "ranker", size_b=7.9, kind=Kind.RERANKING)
    await add(rig, "bigger", size_b=14.0, tier=BALANCED)
    assert ids(names, "fast") == ids(names, "Fast ") == ("large", "small", "sizeless")
    assert ids(names, "balanced") == ("bigger",)
    with pytest.raises(ModelNotFound, match="No chat model of this tier"):
        names.find("powerful", NO_BODY)
    await rig.choose("small", enabled=True, tier=POWERFUL)
    assert ids(names, "powerful") == ("small",)


async def test_of_a_tier_the_ready_ones_go_first_the_least_busy_before_the_best(
    rig: Rig, names: Names
) -> None:
    await add(rig, "small", size_b=1.0, enabled=False)
    await add(rig, "middle", size_b=3.0)
    await add(rig, "large", size_b=7.0)
    lines = line_of(rig)

    def seated() -> Seat:
        follow_all(rig, lines)
        seat = lines.seat_now(names.find("fast", NO_BODY), None)
        assert seat is not None
        return seat

    await rig.fleet.start("small")
    with seated() as seat:
        assert seat.model_id == "small"  # the only one that is ready, enabled or not
    await rig.fleet.start("middle")
    with seated() as first, seated() as second, seated() as third:
        assert [seat.model_id for seat in (first, second, third)] == ["middle", "small", "middle"]


async def test_one_that_failed_is_the_last_choice(rig: Rig, names: Names) -> None:
    await add(rig, "small", size_b=1.0)
    await add(rig, "large", size_b=7.0, behaviour=Behaviour(exit_code=1))
    assert ids(names, "fast") == ("large", "small")
    with pytest.raises(Exception, match="Failed to start"):
        await rig.fleet.start("large")
    assert ids(names, "fast") == ("small", "large")


async def test_without_starts_by_request_only_what_runs_or_comes(rig: Rig, remotes: Remotes) -> None:
    names = Names(rig.registry, rig.fleet, remotes, on_demand=False)
    await add(rig, "a")
    await add(rig, "b", behaviour=Behaviour(loads_when_told=True))
    with pytest.raises(ModelNotFound):
        names.find("fast", NO_BODY)
    start = asyncio.create_task(rig.fleet.start("b"))
    actor = await rig.enter("b")
    assert ids(names, "fast") == ids(names, "auto") == ids(names, None) == ("b",)
    actor.tell("ready")
    await start
    assert ids(names, "fast") == ("b",)


# By the question.


async def test_auto_takes_the_tier_that_the_question_needs(rig: Rig, names: Names) -> None:
    await add(rig, "small", size_b=1.0)
    await add(rig, "large", size_b=30.0, tier=POWERFUL)
    assert ids(names, "auto", "Hi!") == ("small",)
    assert ids(names, "AUTO", HARD) == ("large",)
    # The nearest there is.
    await rig.choose("large", enabled=False)
    assert ids(names, "auto", HARD) == ("small",)
    await add(rig, "middle", size_b=9.0, tier=BALANCED)
    assert ids(names, "auto", HARD) == ("middle",)


async def test_auto_without_any_chat_model(rig: Rig, names: Names) -> None:
    await add(rig, "embedder", kind=Kind.EMBEDDING)
    with pytest.raises(ModelNotFound, match="No chat model runs or may be started"):
        ids(names, "auto", "Hi!")


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": HARD}, {"role": "assistant", "content": "Hi"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": HARD}]}]},
        {"prompt": HARD},
        {"input": HARD},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": HARD}]}]},
    ],
)
async def test_the_question_of_every_endpoint(rig: Rig, names: Names, body: Any) -> None:
    await add(rig, "small")
    await add(rig, "large", tier=POWERFUL)
    assert names.find("auto", in_memory(msgspec.json.encode(body))).model_ids == ("large",)


@pytest.mark.parametrize("body", [b"", b"{", b'{"messages": 3}', b'{"messages": [1, {"role": "user"}]}'])
async def test_where_there_is_no_question_a_fast_one_answers(rig: Rig, names: Names, body: bytes) -> None:
    await add(rig, "small")
    await add(rig, "large", tier=POWERFUL)
    assert names.find("auto", in_memory(body)).model_ids == ("small",)


# The one that is loaded.


@pytest.mark.parametrize("name", [None, "", " ", "loaded", "Loaded"])
async def test_a_missing_name_means_the_one_that_is_loaded(rig: Rig, names: Names, name: str | None) -> None:
    await add(rig, "a")
    await add(rig, "b", enabled=False)
    with pytest.raises(ModelNotFound, match="No model is loaded"):
        names.find(name, NO_BODY)
    await rig.fleet.start("b")
    assert ids(names, name) == ("b",)


async def test_of_several_loaded_ones_the_last_used(rig: Rig, names: Names) -> None:
    for model_id in ("a", "b"):
        await add(rig, model_id)
        await rig.fleet.start(model_id)
    for used in ("a", "b", "a"):
        with rig.fleet.lease(used):
            assert ids(names, "loaded") == (used,)
        assert ids(names, "loaded") == (used,)


async def test_of_several_loaded_ones_one_that_can_do_it(rig: Rig, names: Names) -> None:
    for model_id, kind in (("chat", Kind.CHAT), ("embedder", Kind.EMBEDDING)):
        await add(rig, model_id, kind=kind)
        await rig.fleet.start(model_id)
    assert ids(names, None, kind=Kind.CHAT) == ("chat",)
    assert ids(names, None, kind=Kind.EMBEDDING) == ("embedder",)
    with rig.fleet.lease("chat"):
        assert ids(names, None, kind=Kind.EMBEDDING) == ("embedder",)
    await rig.fleet.unload("chat")
    # It will say itself that it cannot.
    assert ids(names, None, kind=Kind.CHAT) == ("embedder",)


# Variants.


def variant(names: Names, name: str) -> tuple[str, str | None]:
    target: Target = names.find(name, NO_BODY)
    (model_id,) = target.model_ids
    return model_id, target.variant


async def test_a_variant_by_its_name_or_after_its_models(rig: Rig, names: Names) -> None:
    await add(
        rig,
        "qwen",
        aliases=("mine",),
        repo="org/Qwen",
        quantization="Q8_0",
        variants=[{"name": "Pirate"}, {"name": "a:b"}],
    )
    await add(rig, "other", variants=[{"name": "poet"}])
    for name in ("pirate", "Pirate", "qwen:pirate", "MINE:Pirate", "org/qwen:q8_0:pirate", "qwen: pirate"):
        assert variant(names, name) == ("qwen", "Pirate"), name
    assert variant(names, "a:b") == ("qwen", "a:b")
    for name in ("qwen:poet", "nobody:pirate", ":pirate", "qwen:", "pirate:qwen"):
        with pytest.raises(ModelNotFound):
            names.find(name, NO_BODY)
    assert names.find("qwen", NO_BODY).variant is None


async def test_a_variants_name_of_several_models_is_ambiguous(rig: Rig, names: Names) -> None:
    for model_id in ("a", "b"):
        await add(rig, model_id, aliases=("both",), variants=[{"name": "poet"}])
    for name in ("poet", "both:poet"):
        with pytest.raises(AmbiguousModelName) as ambiguous:
            names.find(name, NO_BODY)
        assert ambiguous.value.detail == "It could mean: a:poet, b:poet"
    assert variant(names, "b:poet") == ("b", "poet")
    assert names.name_of("b", "poet") == "b:poet"


async def test_a_model_that_comes_later_takes_its_name_from_a_variant(rig: Rig, names: Names) -> None:
    await add(rig, "a", variants=[{"name": "late"}])
    assert variant(names, "late") == ("a", "late")
    assert names.name_of("a", "late") == "late"
    await add(rig, "late")
    assert variant(names, "late") == ("late", None)
    assert variant(names, names.name_of("a", "late")) == ("a", "late")


async def test_what_a_model_may_be_called(rig: Rig, names: Names) -> None:
    await add(rig, "a", aliases=("Mine",), variants=[{"name": "poet"}])
    await add(rig, "b", variants=[{"name": "pirate"}])

    def check(*aliases: str, variants: Any = ()) -> None:
        entry = rig.registry.get("a")
        settings = {"variants": [{"name": name} for name in variants]}
        names.check(entry, msgspec.structs.replace(entry.choices, aliases=aliases, settings=settings))

    check("Mine", "b", "poet")
    check("new", variants=["poet", "pirate", "painter"])
    for reserved in ("auto", "FAST", "loaded"):
        with pytest.raises(InvalidChoice, match="Reserved name"):
            check(reserved)
        with pytest.raises(InvalidChoice, match="Reserved name"):
            check(variants=[reserved])
    with pytest.raises(InvalidChoice, match="Variant named twice: POET"):
        check(variants=["poet", "POET"])
    for variants, aliases, whose in (
        (["b"], [], "It means b already"),
        (["A"], [], "It means a already"),
        (["mine"], [], "It means a already"),
        ([], ["Pirate"], "It means a variant of b already"),
        (["poet"], ["Poet"], "It means a as an alias already"),
    ):
        with pytest.raises(NameTaken, match=whose):
            check(*aliases, variants=variants)


async def test_a_name_that_was_taken_later_does_not_stop_other_changes(rig: Rig, names: Names) -> None:
    await add(rig, "a", variants=[{"name": "late"}])
    await add(rig, "late")
    entry = rig.registry.get("a")
    names.check(entry, msgspec.structs.replace(entry.choices, aliases=("more",)))
