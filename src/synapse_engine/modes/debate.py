"""PRO and CON answer each other in turns; somebody neutral sums up."""

from __future__ import annotations

from dataclasses import dataclass, field

from synapse_engine.errors import NoAnswer
from synapse_engine.modes.cast import Member
from synapse_engine.modes.endings import Found, find_ending
from synapse_engine.modes.fitting import Passage, Prompt
from synapse_engine.modes.floor import Floor, Speech, Steps
from synapse_engine.modes.steps import Answer, Ending, Note, Role

STATEMENT_TOKENS = 400
OPENED = (
    "You are {name}. {manner}\nYou take part in a debate on this question:\n\n{question}\n\n"
    "Your side is {side}: {stand}."
)
STANDS = {
    "PRO": "you argue for it, or where it is no yes-or-no question, for its best positive answer",
    "CON": "you argue against what the other side argues for",
}
FIRST = "Open the debate: make your case with your two or three strongest points. At most 120 words."
ANSWERED = (
    "It is your turn. First answer the other side's last points one by one, then make the point that "
    "matters most now. Do not repeat yourself. At most 120 words. Only if you are wholly convinced by "
    "the other side, write: I concede."
)
MODERATED = (
    "You moderate the debate above and take no side. In at most 80 words: what has each side shown, "
    "what has neither answered, and which one question should both answer next?"
)
SUMMED_UP = (
    "The debate above is over, and you took no part in it. Weigh both sides' arguments and answer the "
    "question: what each side has shown, where they agree, and what follows from it on balance. Be "
    "fair, and be clear."
)


@dataclass
class _Debate:
    """said: every statement, with whose it is; the moderator's too."""

    floor: Floor
    said: list[tuple[Member, Speech]] = field(default_factory=list)

    def own(self, member: Member) -> list[Speech]:
        return [speech for speaker, speech in self.said if speaker == member]

    def last_of(self, *roles: Role) -> tuple[Member, Speech] | None:
        return next((each for each in reversed(self.said) if each[0].role in roles), None)

    @property
    def hears(self) -> list[int]:
        return [speech.turn for _, speech in self.said]

    def passages(self) -> tuple[Passage, ...]:
        return tuple(Passage(_title(member), speech.text or "") for member, speech in self.said)


async def debate(floor: Floor) -> Steps:
    """Raises NoAnswer."""
    state = _Debate(floor)
    sides = [floor.cast.of("pro"), floor.cast.of("con")]
    for number in range(floor.options.turns):
        speech = _statement(state, sides[number % 2], sides[1 - number % 2], number // 2 + 1)
        async for step in speech.steps():
            yield step
        ending = _ending(state, speech)
        if speech.text is not None:
            state.said.append((speech.member, speech))
        if ending is not None:
            yield Ending(ending.reason, ending.why, speech.turn, speech.member.label)
            break
        if number % 2 and floor.options.moderator and number + 1 < floor.options.turns:
            async for step in _moderating(state, number // 2 + 1):
                yield step
    else:
        yield Ending("turn_limit", f"{floor.options.turns} turns are over.")
    async for step in _summing_up(state):
        yield step


def _statement(state: _Debate, member: Member, other: Member, round: int) -> Speech:
    own, theirs = state.own(member), state.own(other)
    moderated = state.last_of("moderator")
    passages = [Passage(f"What you have said ({at})", speech.text or "") for at, speech in enumerate(own, 1)]
    heard = [*own, *theirs[-1:]]
    if theirs:
        passages.append(Passage(f"What {_name(other)} has just said", theirs[-1].text or ""))
    if moderated is not None:
        passages.append(Passage("What the moderator has said", moderated[1].text or ""))
        heard.append(moderated[1])
    question, persona = state.floor.question, member.persona
    assert persona is not None
    opening = OPENED.format(
        name=persona.name,
        manner=persona.manner,
        question=question.text,
        side=member.label,
        stand=STANDS[member.label],
    )
    return Speech(
        state.floor,
        member,
        member.role,
        Prompt(question.before, opening, tuple(passages), ANSWERED if theirs else FIRST),
        round=round,
        hears=sorted(speech.turn for speech in heard),
        defaults={"max_tokens": STATEMENT_TOKENS},
    )


def _ending(state: _Debate, speech: Speech) -> Found | None:
    if not speech.turn:
        return Found("failure", "Its time is over.")
    if speech.text is None:
        return Found("failure", f"{speech.member.label} cannot go on, and nobody takes its place.")
    before = [own.text or "" for own in state.own(speech.member)]
    last = state.last_of("con" if speech.member.role == "pro" else "pro")
    others_last = last[1].text or "" if last else ""
    return find_ending(speech.text, before, others_last, state.floor.question.text)


async def _moderating(state: _Debate, round: int) -> Steps:
    speech = _neutral(state, state.floor.cast.of("moderator"), MODERATED, round)
    async for step in speech.steps():
        yield step
    if speech.text is not None:
        state.said.append((speech.member, speech))


async def _summing_up(state: _Debate) -> Steps:
    """The neutral one; where it fails each side's model in turn; else what both have said last."""
    floor = state.floor
    if not state.said:
        yield Note("Nobody has said anything in the debate: the question alone is answered.")
    rounds = max((len(state.own(member)) for member in floor.cast.members), default=0) + 1
    for role in ("synthesis", "pro", "con"):
        member = floor.cast.of(role)
        speech = _neutral(state, member, SUMMED_UP, rounds, role="synthesis")
        async for step in speech.steps():
            yield step
        if speech.text is not None:
            yield Answer(speech.text, speech.turn, speech.model)
            return
    last = [each for each in (state.last_of("pro"), state.last_of("con")) if each is not None]
    if not last:
        raise NoAnswer(floor.reasons)
    yield Note("Nobody could sum up: the answer is what each side has said last.")
    yield Answer("\n\n".join(f"**{_title(member)}**\n\n{speech.text}" for member, speech in last))


def _neutral(state: _Debate, member: Member, asked: str, round: int, role: Role = "moderator") -> Speech:
    question, passages = state.floor.question, state.passages()
    opening = f"The question:\n{question.text}" if passages else question.text
    is_answer = role == "synthesis"
    return Speech(
        state.floor,
        member,
        role,
        Prompt(question.before, opening, passages, asked if passages else ""),
        round=round,
        hears=state.hears,
        is_answer=is_answer,
        defaults={} if is_answer else {"max_tokens": STATEMENT_TOKENS},
    )


def _name(member: Member) -> str:
    return member.persona.name if member.persona else member.label.title()


def _title(member: Member) -> str:
    return f"{member.label} ({_name(member)})" if member.persona else member.label.title()
