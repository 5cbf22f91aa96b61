"""Benchmarks: what is asked for, how far it is, and what was measured."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from synapse_engine.api.wire.base import Ask, LastError, Mb, Seconds
from synapse_engine.benchmarks.judging import Decision, Preference
from synapse_engine.benchmarks.prompts import MAX_TOKENS
from synapse_engine.benchmarks.record import BenchmarkStage, BenchmarkStatus

Manner = Literal["together", "isolated"]
Turns = Literal["in_turn", "at_once"]
Name = Annotated[str, Field(min_length=1, max_length=500)]
Tokens = Annotated[int, Field(ge=1, le=100_000)]


class PromptAsk(Ask):
    """A prompt of one's own."""

    text: Annotated[str, Field(min_length=1, max_length=1_000_000)]
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="what it is called in the results; else its first words"
    )
    system: Annotated[str, Field(min_length=1, max_length=100_000)] | None = None
    max_tokens: Tokens = Field(MAX_TOKENS, description="of the answer")
    fixed_length: bool = Field(False, description="exactly so many tokens, whatever the model wants")


class BenchmarkAsk(Ask):
    """Which models are asked what, and how."""

    models: Annotated[list[Name], Field(min_length=1, max_length=50)] | None = Field(
        None,
        description="by any name, variants and upstreams' models too; null: every enabled model that chats",
    )
    prompt_set: str | None = Field(
        None, description="a built-in set, see /api/benchmarks/prompts; null: none, or `chat` without prompts"
    )
    prompts: Annotated[list[PromptAsk], Field(max_length=200)] = Field([], description="beside the set's")
    manner: Manner = Field(
        "together",
        description="together: all models up at once. isolated: everything else is stopped, and one model "
        "after another is started, measured and stopped; afterwards the fleet is as it was",
    )
    turns: Turns = Field(
        "in_turn", description="in_turn: one request at a time. at_once: all models at the same time"
    )
    repetitions: Annotated[int, Field(ge=1, le=100)] = 3
    warm_ups: Annotated[int, Field(ge=0, le=10)] = Field(
        1, description="requests to each model before those that are measured"
    )
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 42
    max_tokens: Tokens | None = Field(None, description="of every answer, in place of the prompts' own")
    fixed_length: bool = Field(False, description="every answer has exactly so many tokens")
    reuse_prompt_cache: bool = Field(
        False, description="let models reuse what they have read before; prompt speeds are of the rest then"
    )
    judge: Name | None = Field(
        None, description="a model that compares the answers in pairs, blind and in both orders"
    )
    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class PromptOut(BaseModel):
    name: str
    text: str
    system: str | None
    max_tokens: int
    fixed_length: bool


class PromptSetOut(BaseModel):
    name: str
    title: str
    description: str
    prompts: list[PromptOut]


class PromptSets(BaseModel):
    sets: list[PromptSetOut]
    default: str = Field(description="taken where neither a set nor prompts are given")


class BenchmarkNow(BaseModel):
    """What a running one does."""

    stage: BenchmarkStage
    model: str | None = Field(description="that is loaded, warmed up or asked; null where it is all of them")
    prompt: str | None
    repetition: int | None = Field(description="from 1")


class BenchmarkBrief(BaseModel):
    """How far it is."""

    id: int
    title: str | None
    status: BenchmarkStatus
    now: BenchmarkNow | None = Field(description="while it runs")
    models: list[str]
    prompts: list[str] = Field(description="their names")
    manner: Manner
    turns: Turns
    repetitions: int
    judge: str | None
    total_requests: int = Field(description="those that are measured, and questions to the judge")
    done_requests: int
    failed_requests: int
    progress: float = Field(description="0 to 1")
    eta_seconds: Seconds | None = Field(description="by the pace so far; null where that is not known")
    created_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    error: LastError | None = Field(description="why it failed or was interrupted")


class SpreadOut(BaseModel):
    """Of `count` values; a tenth is below p10, a tenth above p90."""

    count: int
    median: float
    minimum: float
    maximum: float
    p10: float
    p90: float
    relative: float | None = Field(description="from p10 to p90, as a share of the median")


class FiguresOut(BaseModel):
    """Each null where nobody told. Speeds are in tokens per second, as the server measured them."""

    first_token_seconds: SpreadOut | None = Field(description="from when the server was given the request")
    prompt_per_second: SpreadOut | None
    output_per_second: SpreadOut | None
    total_seconds: SpreadOut | None = Field(description="from when the server was given the request")
    prompt_tokens: SpreadOut | None
    output_tokens: SpreadOut | None
    energy_joules: SpreadOut | None = Field(description="of the whole machine during a request")


class StandingOut(BaseModel):
    """What the judge's word comes to for a model."""

    wins: int
    ties: int
    losses: int
    unclear: int
    score: float | None = Field(description="1 for a win and 0.5 for a tie, of those that were decided")


class ModelResult(BaseModel):
    model: str = Field(description="as it was asked for")
    model_id: str | None = Field(description="null for an upstream's")
    display_name: str
    quantization: str | None
    size_b: float | None
    file_size_mb: Mb | None
    load_seconds: Seconds | None = Field(description="of a start; null where it ran already, or is elsewhere")
    was_running: bool
    memory_used_mb: Mb | None = Field(description="resident, at its highest, of all its servers")
    memory_private_mb: Mb | None = Field(description="what its end would have freed, at its highest")
    requests: int
    failed: int
    figures: FiguresOut = Field(description="of all prompts")
    standing: StandingOut | None = Field(description="where there was a judge")
    error: LastError | None = Field(description="why it did not come up, or could not go on")


class AnswerOut(BaseModel):
    """A model's figures for a prompt, and its first answer."""

    model: str
    text: str | None = Field(description="null where it never answered")
    thinking: str | None
    finish_reason: str | None
    figures: FiguresOut
    failed: int


class PromptResult(BaseModel):
    """A prompt, and the models' answers side by side."""

    prompt: PromptOut
    answers: list[AnswerOut]


class SampleOut(BaseModel):
    """One measured request."""

    model: str
    prompt: int = Field(description="its place in `results`, from 0")
    repetition: int
    began_at: datetime
    first_token_seconds: Seconds | None
    prompt_per_second: float | None
    output_per_second: float | None
    total_seconds: Seconds | None
    prompt_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    finish_reason: str | None
    memory_used_mb: Mb | None
    memory_private_mb: Mb | None
    energy_joules: float | None
    other_requests: int = Field(
        description="how many requests of others servers here had meanwhile; 0: undisturbed"
    )
    text: str
    thinking: str
    error: LastError | None


class ComparisonOut(BaseModel):
    """The judge's word on two answers to a prompt."""

    prompt: int = Field(description="its place in `results`, from 0")
    one: str
    other: str
    forward: Preference = Field(description="with `one` shown first")
    backward: Preference = Field(description="with `other` shown first")
    outcome: Decision = Field(description="biased: the same place in both orders, which counts as a tie")
    reasons: list[str] = Field(description="the judge's words, forward and backward")


class JudgementOut(BaseModel):
    judge: str
    comparisons: list[ComparisonOut]
    first_place_share: float | None = Field(
        description="how often the first place was preferred where a place was; 0.5 shows no bias"
    )


class MachineOut(BaseModel):
    engine: str | None
    cpus: int
    memory_mb: Mb
    energy: str | None = Field(description="where joules come from; null where this machine does not tell")


class BenchmarkOut(BenchmarkBrief):
    """All of it."""

    temperature: float
    seed: int
    warm_ups: int
    max_tokens: int | None
    fixed_length: bool
    reuse_prompt_cache: bool
    machine: MachineOut
    notes: list[str] = Field(
        description="what was done so that the figures mean something, and what disturbed"
    )
    by_model: list[ModelResult]
    results: list[PromptResult]
    judgement: JudgementOut | None
    samples: list[SampleOut] = Field(description="in the order in which they were measured")


class BenchmarkList(BaseModel):
    benchmarks: list[BenchmarkBrief] = Field(description="newest first")
    next: int | None = Field(description="`before` of the next page; null where there is none")


class RatioOut(BaseModel):
    """b divided by a."""

    a: SpreadOut
    b: SpreadOut
    ratio: float = Field(description="of the medians")
    low: float = Field(description="p10 of b by p90 of a")
    high: float = Field(description="p90 of b by p10 of a")
    is_clear: bool = Field(description="low and high are on the same side of 1")


class RatiosOut(BaseModel):
    """Each null where one of the two does not know it."""

    first_token_seconds: RatioOut | None
    prompt_per_second: RatioOut | None
    output_per_second: RatioOut | None
    total_seconds: RatioOut | None


class ComparedOut(BaseModel):
    model: str
    prompt: str | None = Field(description="null: all prompts that both have")
    ratios: RatiosOut


class BenchmarkComparison(BaseModel):
    """Two benchmarks: models are the same by their names, prompts by what is asked."""

    a: BenchmarkBrief
    b: BenchmarkBrief
    compared: list[ComparedOut]
    models_only_in_a: list[str]
    models_only_in_b: list[str]
    prompts_only_in_a: list[str]
    prompts_only_in_b: list[str]
    differences: list[str] = Field(description="of the conditions, a and b")


class BenchmarkDeleted(BaseModel):
    message: str
    id: int
