"""One benchmark, from the first start to the judge's last word. What it does to the fleet others put back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from synapse_engine.benchmarks.asking import Answer, ask, problem_of
from synapse_engine.benchmarks.judging import (
    MAX_TOKENS,
    SYSTEM,
    Comparison,
    Judgement,
    Preference,
    question,
    read_verdict,
)
from synapse_engine.benchmarks.meters import Meters, Watch
from synapse_engine.benchmarks.plan import WARM_UP, Phase, Request, options_of, plan_pairs, plan_phases
from synapse_engine.benchmarks.prompts import Prompt
from synapse_engine.benchmarks.record import (
    Benchmark,
    BenchmarkStage,
    Contestant,
    Loaded,
    Now,
    Problem,
    Sample,
)
from synapse_engine.catalog.registry import Registry
from synapse_engine.errors import NotRunning, ServerEnded, SynapseError
from synapse_engine.fleet.admission import Terms
from synapse_engine.fleet.fleet import Fleet
from synapse_engine.fleet.life import Started
from synapse_engine.modes.asking import Asker


class Run:
    """holder: what starts say of who asks. keep: saves what is new. on_change: told of every step."""

    def __init__(
        self,
        benchmark: Benchmark,
        fleet: Fleet,
        registry: Registry,
        asker: Asker,
        meters: Meters,
        holder: str,
        keep: Callable[[], Awaitable[object]],
        on_change: Callable[[Benchmark], None],
    ) -> None:
        self._benchmark = benchmark
        self._wanted = benchmark.wanted
        self._fleet = fleet
        self._registry = registry
        self._asker = asker
        self._meters = meters
        self._keep = keep
        self._on_change = on_change
        together = () if self._wanted.is_isolated else _model_ids(self._wanted.contestants)
        self._terms = Terms(by_request=True, together=frozenset(together), holder=holder)
        # Models of ours that this has brought up, so that a hold on them is a later word.
        self._started: set[str] = set()

    async def go(self) -> None:
        """A model that fails is noted and left out; nobody else's part is lost."""
        for phase in plan_phases(self._wanted):
            contestants = [self._wanted.contestants[place] for place in phase.models]
            for contestant in contestants:
                await self._bring_up(contestant)
            for contestant in contestants:
                await self._warm_up(contestant)
            await self._measure(phase)
            if self._wanted.is_isolated:
                await self._take_down(contestants)
        if self._wanted.judge is not None:
            await self._judge(self._wanted.judge)

    async def _bring_up(self, contestant: Contestant) -> None:
        self._now(BenchmarkStage.LOADING, contestant)
        if contestant.model_id is None:
            self._benchmark.loaded[contestant.name] = Loaded()
            return
        async with self._meters.watching([contestant.model_id], 0) as watch:
            try:
                started = await self._fleet.start_as(contestant.model_id, self._terms)
            except SynapseError as error:
                self._benchmark.loaded[contestant.name] = Loaded(problem=problem_of(error))
                return
        self._started.add(contestant.model_id)
        seconds = None if started.was_running else started.seconds
        self._benchmark.loaded[contestant.name] = Loaded(
            seconds, started.was_running, *_memory(watch, contestant)
        )

    async def _warm_up(self, contestant: Contestant) -> None:
        options = options_of(self._wanted, WARM_UP) | {"max_tokens": WARM_UP.max_tokens}
        for _ in range(self._wanted.warm_ups):
            if not await self._is_up(contestant):
                return
            self._now(BenchmarkStage.WARMING_UP, contestant)
            answer = await ask(self._asker, contestant.name, WARM_UP, options)
            if answer.problem is not None:
                self._give_up(contestant, answer.problem)

    async def _measure(self, phase: Phase) -> None:
        for each in phase.rounds:
            asked = [request for request in each if await self._is_up(self._contestant(request))]
            self._benchmark.total -= len(each) - len(asked)
            if asked:
                await self._measure_round(asked)

    async def _measure_round(self, requests: list[Request]) -> None:
        first = requests[0]
        contestants = [self._contestant(request) for request in requests]
        self._now(
            BenchmarkStage.MEASURING,
            contestants[0] if len(requests) == 1 else None,
            first.prompt,
            first.repetition,
        )
        ours = [contestant for contestant in contestants if contestant.model_id is not None]
        async with self._meters.watching(_model_ids(ours), len(ours)) as watch, asyncio.TaskGroup() as group:
            asking = [group.create_task(self._ask(request)) for request in requests]
        for request, contestant, task in zip(requests, contestants, asking, strict=True):
            sample = _sample(request, contestant, task.result(), watch, is_alone=len(requests) == 1)
            self._benchmark.samples.append(sample)
            self._benchmark.done += 1
            self._benchmark.failed += sample.problem is not None
        self._look_for_disturbance(watch, self._benchmark.samples[-len(requests) :])
        self._on_change(self._benchmark)
        await self._keep()

    async def _ask(self, request: Request) -> Answer:
        prompt = self._wanted.prompts[request.prompt]
        options = options_of(self._wanted, prompt)
        return await ask(self._asker, self._contestant(request).name, prompt, options)

    async def _is_up(self, contestant: Contestant) -> bool:
        """Whether it may be asked: one that ended by itself is brought up again, or else left out."""
        loaded = self._benchmark.loaded[contestant.name]
        if loaded.problem is not None:
            return False
        if contestant.model_id is None:
            return True
        try:
            await self._until_settled(contestant.model_id)
            if self._is_held(contestant.model_id):
                raise NotRunning(contestant.model_id, "stopped", ": somebody stopped it")
            started = await self._ensure_started(contestant.model_id)
        except SynapseError as error:
            self._give_up(contestant, problem_of(error))
            return False
        if not started.was_running:
            self._benchmark.note(f"{contestant.name} had ended within the benchmark and was started again.")
        return True

    async def _ensure_started(self, model_id: str) -> Started:
        try:
            return await self._fleet.start_as(model_id, self._terms)
        except ServerEnded:
            # It was just ending as we joined it.
            return await self._fleet.start_as(model_id, self._terms)

    async def _until_settled(self, model_id: str) -> None:
        """Where it is being stopped, return once that is done, and written down if a person did it."""
        server = self._fleet.server_of(model_id)
        if server is not None and server.is_leaving:
            await self._fleet.unload(model_id)
            await self._registry.edit(lambda entries: {})

    def _is_held(self, model_id: str) -> bool:
        """A start ends a hold, so one that has come since is a person's word."""
        entry = self._registry.entries.get(model_id)
        return model_id in self._started and entry is not None and entry.choices.held

    def _give_up(self, contestant: Contestant, problem: Problem) -> None:
        known = self._benchmark.loaded[contestant.name]
        self._benchmark.loaded[contestant.name] = msgspec.structs.replace(known, problem=problem)
        self._on_change(self._benchmark)

    async def _take_down(self, contestants: Iterable[Contestant]) -> None:
        for model_id in _model_ids(contestants):
            if model_id in self._registry.entries:
                await self._fleet.unload(model_id)

    async def _judge(self, judge: Contestant) -> None:
        self._now(BenchmarkStage.JUDGING, judge)
        comparisons: list[Comparison] = []
        self._benchmark.judgement = Judgement(judge.name, ())
        pairs = [pair for pair in map(self._pair, plan_pairs(self._wanted)) if pair is not None]
        self._benchmark.total -= 2 * (len(plan_pairs(self._wanted)) - len(pairs))
        if judge.model_id is not None:
            try:
                await self._make_room_for(judge.model_id)
                await self._fleet.start_as(judge.model_id, self._terms)
            except SynapseError as error:
                self._benchmark.note(f"{judge.name} could not judge: {error}")
                self._benchmark.total -= 2 * len(pairs)
                return
        for one, other in pairs:
            comparisons.append(await self._compare(judge, one, other))
            self._benchmark.judgement = Judgement(judge.name, tuple(comparisons))
            self._benchmark.done += 2
            self._on_change(self._benchmark)
        if self._wanted.is_isolated:
            await self._take_down([judge])

    async def _make_room_for(self, model_id: str) -> None:
        """What was brought up to be measured is not needed any more; what ran already stays."""
        for contestant in self._wanted.contestants:
            loaded = self._benchmark.loaded[contestant.name]
            if contestant.model_id in self._started - {model_id} and not loaded.was_running:
                await self._take_down([contestant])

    def _pair(self, pair: tuple[int, int, int]) -> tuple[Sample, Sample] | None:
        """The first answers of two models to a prompt, where both have answered."""
        prompt, *places = pair
        first: list[Sample] = []
        for place in places:
            name = self._wanted.contestants[place].name
            own = (
                s for s in self._benchmark.samples if (s.prompt, s.model) == (prompt, name) and s.text.strip()
            )
            first += [sample for sample in own if sample.problem is None][:1]
        return (first[0], first[1]) if len(first) == 2 else None

    async def _compare(self, judge: Contestant, one: Sample, other: Sample) -> Comparison:
        task = self._wanted.prompts[one.prompt].text
        choices: list[Preference] = []
        reasons: list[str] = []
        for first, second in ((one, other), (other, one)):
            prompt = Prompt("judging", question(task, first.text, second.text), SYSTEM, MAX_TOKENS)
            options = {"temperature": 0.0, "seed": self._wanted.seed, "max_tokens": MAX_TOKENS}
            answer = await ask(self._asker, judge.name, prompt, options)
            choices.append(Preference.UNCLEAR if answer.problem else read_verdict(answer.text))
            reasons.append(
                f"{answer.problem.error}: {answer.problem.detail}" if answer.problem else answer.text
            )
        return Comparison(
            one.prompt, one.model, other.model, choices[0], choices[1], (reasons[0], reasons[1])
        )

    def _look_for_disturbance(self, watch: Watch, samples: Iterable[Sample]) -> None:
        if watch.others:
            self._benchmark.note(
                "Others asked models here meanwhile; `other_requests` says during which requests."
            )
        for sample in samples:
            if sample.cached_tokens and not self._wanted.reuses_prompt_cache:
                self._benchmark.note(f"{sample.model} used its prompt cache though it was told not to.")
            if sample.problem is None and sample.output_per_second is None:
                self._benchmark.note(f"{sample.model} does not tell how fast it writes.")

    def _contestant(self, request: Request) -> Contestant:
        return self._wanted.contestants[request.model]

    def _now(
        self,
        stage: BenchmarkStage,
        contestant: Contestant | None = None,
        prompt: int | None = None,
        repetition: int | None = None,
    ) -> None:
        self._benchmark.now = Now(stage, contestant.name if contestant else None, prompt, repetition)
        self._on_change(self._benchmark)


def _model_ids(contestants: Iterable[Contestant]) -> list[str]:
    return list(dict.fromkeys(each.model_id for each in contestants if each.model_id is not None))


def _memory(watch: Watch, contestant: Contestant) -> tuple[int | None, int | None]:
    memory = watch.memory.get(contestant.model_id or "")
    return (memory.resident_bytes, memory.private_bytes) if memory else (None, None)


def _sample(
    request: Request, contestant: Contestant, answer: Answer, watch: Watch, *, is_alone: bool
) -> Sample:
    """is_alone: so what the machine used is the request's."""
    figures = answer.figures
    resident_bytes, private_bytes = _memory(watch, contestant)
    return Sample(
        contestant.name,
        request.prompt,
        request.repetition,
        answer.began_at,
        text=answer.text,
        thinking=answer.thinking,
        first_token_seconds=figures.first_token_seconds if figures else None,
        total_seconds=figures.total_seconds if figures else None,
        prompt_tokens=figures.prompt_tokens if figures else None,
        cached_tokens=figures.cached_tokens if figures else None,
        output_tokens=figures.output_tokens if figures else None,
        prompt_per_second=figures.prompt_per_second if figures else None,
        output_per_second=figures.output_per_second if figures else None,
        finish_reason=figures.finish_reason if figures else None,
        resident_bytes=resident_bytes,
        private_bytes=private_bytes,
        energy_joules=watch.energy_joules if is_alone else None,
        other_requests=watch.others,
        problem=answer.problem,
    )
