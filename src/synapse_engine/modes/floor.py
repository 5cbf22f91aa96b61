"""Who has the floor: turns of models, each told as it happens, and who takes the place of one that fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from synapse_engine.errors import SynapseError, UpstreamFailed
from synapse_engine.modes.asking import Asker, Figures, Order, Piece
from synapse_engine.modes.cast import Candidate, Cast, Member
from synapse_engine.modes.fitting import Prompt, fit
from synapse_engine.modes.options import Options, Question
from synapse_engine.modes.steps import Note, Role, Said, Step, Text, Turn
from synapse_engine.modes.thoughts import Thoughts

Steps = AsyncGenerator[Step]
SAID_NOTHING = "It has said nothing"
# Of a turn: what no model can do is not tried with all there are.
REPLACED_MAX = 2


class Floor:
    """What the turns of one answer share. clock: seconds, monotonic.

    Attributes to read: question, options, cast; reasons, why turns have failed.
    """

    def __init__(
        self,
        asker: Asker,
        question: Question,
        options: Options,
        cast: Cast,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.question = question
        self.options = options
        self.cast = cast
        self.reasons: list[str] = []
        self._asker = asker
        self._clock = clock
        self._began = clock()
        self._turns = 0
        self._reserves = list(cast.reserves)
        # Of members that were replaced: by label, who plays them now.
        self._standing_in: dict[str, Candidate] = {}
        self._asked_again: set[str] = set()
        self._is_closed = False

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._clock() - self._began

    @property
    def left_seconds(self) -> float:
        return self.options.deadline_seconds - self.seconds

    def candidate(self, member: Member) -> Candidate:
        """Who plays that member now."""
        return self._standing_in.get(member.label, member.candidate)

    def next_turn(self) -> int:
        self._turns += 1
        return self._turns

    def ask(self, candidate: Candidate, order: Order) -> AsyncGenerator[Piece | Figures]:
        return self._asker.ask(candidate.name, order)

    def close(self) -> Note | None:
        """Its time is over, of which nobody has to hear twice."""
        if self._is_closed:
            return None
        self._is_closed = True
        words = (
            f"The time for all of it ({self.options.deadline_seconds:g} s) is over: nobody is asked any more."
        )
        self.reasons.append(words)
        return Note(words)

    def replace(self, member: Member, error: SynapseError | str) -> Candidate | None:
        """Who is to take the place of a member that failed; None: nobody.

        A reserve, or itself once more where its server has just ended, as that may be back.
        """
        if self._reserves:
            self._standing_in[member.label] = self._reserves.pop(0)
            return self._standing_in[member.label]
        if isinstance(error, UpstreamFailed) and member.label not in self._asked_again:
            self._asked_again.add(member.label)
            return self.candidate(member)
        return None


class Speech:
    """What a member has to say, by whoever plays it.

    Once `steps` is through, to read: text, None where nobody has said anything to the end; turn, its number;
    partial, what the last one said before it broke off.

    defaults: fields of the request where the person and the member say nothing; fixed: whatever they say.
    """

    def __init__(
        self,
        floor: Floor,
        member: Member,
        role: Role,
        prompt: Prompt,
        *,
        round: int = 1,
        hears: Sequence[int] = (),
        is_answer: bool = False,
        defaults: Mapping[str, Any] | None = None,
        fixed: Mapping[str, Any] | None = None,
    ) -> None:
        self.member = member
        self.text: str | None = None
        self.partial = ""
        self.turn = 0
        self._floor = floor
        self._role: Role = role
        self._prompt = prompt
        self._round = round
        self._hears = list(hears)
        self._is_answer = is_answer
        self._defaults = defaults or {}
        self._fixed = fixed or {}
        self._error: SynapseError | str | None = None
        self._replaced = 0

    @property
    def model(self) -> str:
        """The name of whoever plays the member."""
        return self._floor.candidate(self.member).name

    async def steps(self) -> Steps:
        """A turn; where it fails another one of whoever takes its place, until one says something."""
        while True:
            if self._floor.left_seconds <= 0:
                if note := self._floor.close():
                    yield note
                return
            candidate = self._floor.candidate(self.member)
            async with aclosing(self._one_turn(candidate)) as steps:
                async for step in steps:
                    yield step
            if self._error is None:
                return
            reason = f"{candidate.name} has failed ({_short(self._error)})"
            self._floor.reasons.append(f"{candidate.name}: {str(self._error).removesuffix('.')}.")
            self._replaced += 1
            may_go_on = self._replaced <= REPLACED_MAX and self._floor.left_seconds > 0
            follower = self._floor.replace(self.member, self._error) if may_go_on else None
            if follower is None:
                yield Note(f"{reason}; nobody takes its place.", self.turn, self.member.label)
                return
            what = "is asked again" if follower == candidate else "takes its place"
            yield Note(f"{reason}; {follower.name} {what}.", self.turn, self.member.label)

    async def _one_turn(self, candidate: Candidate) -> Steps:
        floor = self._floor
        self.turn, self.partial, self._error = floor.next_turn(), "", None
        options = self._options(candidate)
        fitted = fit(self._prompt, candidate.context_tokens, options.get("max_tokens"))
        yield Turn(
            self.turn,
            self.member.label,
            self._role,
            self._round,
            candidate.name,
            self._hears,
            list(fitted.messages),
            self._is_answer,
            floor.seconds,
        )
        if fitted.cut:
            yield Note(
                f"To fit into the context of {candidate.name}: {fitted.cut}.", self.turn, self.member.label
            )
        thinking, figures = "", None
        async with aclosing(self._pieces(candidate, Order(fitted.messages, options))) as pieces:
            async for piece in pieces:
                if isinstance(piece, Figures):
                    figures = piece
                    continue
                self.partial += piece.text
                thinking += piece.thinking
                if piece.text or piece.thinking:
                    yield Text(self.turn, piece.text, piece.thinking)
        if self._error is None and not self.partial.strip():
            self._error = SAID_NOTHING
        if self._error is None:
            self.text = self.partial.strip()
        error = None if self._error is None else str(self._error)
        yield Said(self.turn, self.partial, thinking, figures, error, floor.seconds)

    async def _pieces(self, candidate: Candidate, order: Order) -> AsyncGenerator[Piece | Figures]:
        """The model's, with thoughts told apart; what it breaks off by is kept as the error."""
        thoughts = Thoughts()
        try:
            async with aclosing(self._floor.ask(candidate, order)) as pieces:
                while (piece := await self._in_time(pieces)) is not None:
                    if isinstance(piece, Figures):
                        yield _told_apart(thoughts.finish(), "")
                        yield piece
                    elif piece.text:
                        yield _told_apart(thoughts.feed(piece.text), piece.thinking)
                    else:
                        yield piece
        except SynapseError as error:
            self._error = error
        except TimeoutError:
            self._error = f"its time is over: all may take {self._floor.options.deadline_seconds:g} s"

    async def _in_time(self, pieces: AsyncGenerator[Piece | Figures]) -> Piece | Figures | None:
        async with asyncio.timeout(max(0.0, self._floor.left_seconds)):
            return await anext(pieces, None)

    def _options(self, candidate: Candidate) -> dict[str, Any]:
        given = self._floor.options
        ours = {**self._defaults, **self._fixed}
        options = {**self._defaults, **given.sampling, **self.member.options, **self._fixed}
        if self._is_answer:
            options |= given.final
        if candidate.thinks and options.get("max_tokens") == ours.get("max_tokens"):
            # It counts thoughts too, which are longer than what is said.
            options.pop("max_tokens", None)
        return options


def _told_apart(found: tuple[str, str], thinking: str) -> Piece:
    said, thought = found
    return Piece(said, thinking + thought)


async def together(sources: Sequence[Steps]) -> Steps:
    """The steps of all, as they come. On leaving, all are ended."""
    waiting = {asyncio.ensure_future(anext(source, None)): source for source in sources}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for ready in [task for task in waiting if task in done]:
                source = waiting.pop(ready)
                step = ready.result()
                if step is not None:
                    waiting[asyncio.ensure_future(anext(source, None))] = source
                    yield step
    finally:
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting)
        for source in sources:
            await source.aclose()


def _short(error: SynapseError | str) -> str:
    return error.error if isinstance(error, SynapseError) else error
