"""What a benchmark is: what was asked for, what was measured, and what came of it. Pure; kept as JSON."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from synapse_engine.benchmarks.judging import Judgement
from synapse_engine.benchmarks.prompts import Prompt


class BenchmarkStatus(StrEnum):
    """INTERRUPTED: the control plane ended while it ran."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class BenchmarkStage(StrEnum):
    """What a running one does."""

    PREPARING = "preparing"
    LOADING = "loading"
    WARMING_UP = "warming_up"
    MEASURING = "measuring"
    JUDGING = "judging"
    RESTORING = "restoring"


ACTIVE = (BenchmarkStatus.QUEUED, BenchmarkStatus.RUNNING)


class Contestant(msgspec.Struct, frozen=True):
    """One that is asked. name: as in an order; model_id: whose server that is, None for one elsewhere."""

    name: str
    model_id: str | None
    display_name: str
    quantization: str | None = None
    size_b: float | None = None
    file_size_bytes: int | None = None


class Wanted(msgspec.Struct, frozen=True):
    """What was asked for, with every name looked up.

    is_isolated: one model up at a time. at_once: every model is asked at the same time, else in turn.
    reuses_prompt_cache: else every prompt is read anew. max_tokens: in place of the prompts' own.
    """

    contestants: tuple[Contestant, ...]
    prompts: tuple[Prompt, ...]
    is_isolated: bool = False
    at_once: bool = False
    repetitions: int = 3
    warm_ups: int = 1
    temperature: float = 0.0
    seed: int = 42
    max_tokens: int | None = None
    has_fixed_length: bool = False
    reuses_prompt_cache: bool = False
    judge: Contestant | None = None
    title: str | None = None


class Problem(msgspec.Struct, frozen=True):
    """Why something did not come about; at: unix seconds."""

    error: str
    detail: str
    at: float


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request. prompt: its place in the list; repetition: from 1. began_at: unix seconds.

    first_token_seconds and total_seconds: from when the server was given it. Tokens and speeds: the server's
    own word. Memory: the highest seen meanwhile, of all the model's servers, in bytes. energy_joules: of the
    whole machine, as far as it tells. other_requests: how many others' servers here had meanwhile.
    """

    model: str
    prompt: int
    repetition: int
    began_at: float
    text: str = ""
    thinking: str = ""
    first_token_seconds: float | None = None
    total_seconds: float | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    prompt_per_second: float | None = None
    output_per_second: float | None = None
    finish_reason: str | None = None
    resident_bytes: int | None = None
    private_bytes: int | None = None
    energy_joules: float | None = None
    other_requests: int = 0
    problem: Problem | None = None


class Loaded(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a model came up. seconds: of a cold start, None where it ran already. Memory: the highest seen."""

    seconds: float | None = None
    was_running: bool = False
    resident_bytes: int | None = None
    private_bytes: int | None = None
    problem: Problem | None = None


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured. energy: where its joules come from, None where nothing tells."""

    engine: str | None = None
    cpus: int = 0
    memory_bytes: int = 0
    energy: str | None = None


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a benchmark beside its samples."""

    wanted: Wanted
    loaded: dict[str, Loaded] = {}
    notes: list[str] = []
    machine: Machine = Machine()
    judgement: Judgement | None = None
    problem: Problem | None = None


@dataclass
class Now:
    """What a running one does. model, prompt (its place) and repetition: of the request under way."""

    stage: BenchmarkStage = BenchmarkStage.PREPARING
    model: str | None = None
    prompt: int | None = None
    repetition: int | None = None


@dataclass
class Benchmark:
    """One job. Times in unix seconds. total: requests that are measured, and questions to the judge."""

    id: int
    wanted: Wanted
    created_at: float
    total: int
    status: BenchmarkStatus = BenchmarkStatus.QUEUED
    began_at: float | None = None
    ended_at: float | None = None
    done: int = 0
    failed: int = 0
    now: Now | None = None
    samples: list[Sample] = field(default_factory=list)
    loaded: dict[str, Loaded] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    machine: Machine = field(default_factory=Machine)
    judgement: Judgement | None = None
    problem: Problem | None = None

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    def note(self, text: str) -> None:
        """For whoever reads the figures; each once."""
        if text not in self.notes:
            self.notes.append(text)

    def end(self, status: BenchmarkStatus) -> None:
        self.status, self.ended_at, self.now = status, time.time(), None

    def kept(self) -> Kept:
        return Kept(self.wanted, self.loaded, self.notes, self.machine, self.judgement, self.problem)
