"""Three or more answer on their own, review each other blind, refine; the strongest puts it together."""

from __future__ import annotations

from collections.abc import Mapping

from synapse_engine.errors import NoAnswer
from synapse_engine.modes.agreement import measure
from synapse_engine.modes.cast import Member
from synapse_engine.modes.fitting import Passage, Prompt
from synapse_engine.modes.floor import Floor, Speech, Steps, together
from synapse_engine.modes.reviews import rank, read_scores, review_format, shuffled
from synapse_engine.modes.steps import Answer, Note, Ranking, Review, Score

REVIEW_TOKENS = 100
REVIEWED = (
    "Above are a question and answers to it by others. Judge each answer on its own: is it right, is "
    "it complete, is it clear? Give each a comment of one sentence and a score from 0 (useless) to 10 "
    '(could not be better). Reply with JSON only, like {"P": {"comment": "...", "score": 7}, ...}, '
    "with every letter once."
)
REFINED = (
    "Above are the question, your own answer, the answers of others, and what reviewers said of yours. "
    "Write your answer anew: correct what is wrong, take over what is better elsewhere, keep what you "
    "are sure of. Write the answer itself, without a word about the others or about what you changed."
)
PUT_TOGETHER = (
    "Above are a question and the answers of several experts, the best one first as they judged it "
    "themselves. Put them together to one final answer to the question: what they agree on, and where "
    "they differ what is right. Write the answer itself, without a word about the experts."
)


class _Council:
    """What has come of it so far. answers: by member, the latest one's speech, of who has said something."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.answers: dict[str, Speech] = {}
        self.reviews: list[Review] = []
        self.letters: dict[str, Mapping[str, str]] = {}

    @property
    def members(self) -> list[Member]:
        return [member for member in self.floor.cast.members if member.label in self.answers]

    def text(self, label: str) -> str:
        return self.answers[label].text or ""

    def texts(self) -> dict[str, str]:
        return {label: self.text(label) for label in self.answers}

    def scores(self) -> list[dict[str, float]]:
        return [{score.member: score.score for score in review.scores} for review in self.reviews]


async def council(floor: Floor) -> Steps:
    """Raises NoAnswer."""
    state = _Council(floor)
    async for step in _answering(state):
        yield step
    if not state.answers:
        raise NoAnswer(floor.reasons)
    if len(state.answers) == 1:
        [(label, speech)] = state.answers.items()
        yield Note("Only one member has answered, so that its answer is the council's.", speech.turn, label)
        yield Answer(state.text(label), speech.turn, speech.model)
        return
    yield measure(1, state.texts())
    async for step in _reviewing(state):
        yield step
    final_round = 2
    if floor.options.refine:
        final_round = 3
        async for step in _refining(state):
            yield step
    yield measure(final_round, state.texts(), state.scores())
    async for step in _putting_together(state, final_round + 1):
        yield step


async def _answering(state: _Council) -> Steps:
    question = state.floor.question
    prompt = Prompt(question.before, question.text)
    speeches = [Speech(state.floor, member, "answer", prompt) for member in state.floor.cast.members]
    async for step in together([speech.steps() for speech in speeches]):
        yield step
    state.answers = {speech.member.label: speech for speech in speeches if speech.text is not None}


async def _reviewing(state: _Council) -> Steps:
    """Each is given the others' answers, in an order of its own, and not whose they are."""
    speeches = [_review(state, member) for member in state.members]
    async for step in together([speech.steps() for speech in speeches]):
        yield step
    for speech in speeches:
        label = speech.member.label
        if speech.text is None:
            continue
        scores = read_scores(speech.text, state.letters[label])
        if scores:
            review = Review(speech.turn, label, scores)
            state.reviews.append(review)
            yield review
        else:
            yield Note(f"The review of {label} has no scores that can be read.", speech.turn, label)
    yield Ranking(rank(state.members, state.reviews))


def _review(state: _Council, member: Member) -> Speech:
    question, seed = state.floor.question, state.floor.options.sampling.get("seed")
    letters = state.letters[member.label] = shuffled(list(state.answers), member.label, seed)
    answers = tuple(Passage(f"Answer {letter}", state.text(label)) for letter, label in letters.items())
    return Speech(
        state.floor,
        member,
        "review",
        Prompt(question.before, f"The question:\n{question.text}", answers, REVIEWED),
        round=2,
        hears=sorted(state.answers[label].turn for label in letters.values()),
        fixed={
            "temperature": 0,
            "max_tokens": REVIEW_TOKENS * len(letters),
            "response_format": review_format(list(letters)),
            # What has to be JSON from its first letter on leaves no room for thoughts.
            "chat_template_kwargs": {"enable_thinking": False},
        },
    )


async def _refining(state: _Council) -> Steps:
    speeches = [_refinement(state, member) for member in state.members]
    async for step in together([speech.steps() for speech in speeches]):
        yield step
    for speech in speeches:
        label = speech.member.label
        if speech.text is not None:
            state.answers[label] = speech
        elif speech.turn:
            yield Note(f"{label} stays with its first answer.", speech.turn, label)


def _refinement(state: _Council, member: Member) -> Speech:
    label = member.label
    others = [other for other in state.answers if other != label]
    comments = "\n".join(f"- {score.score:g}/10. {score.comment}" for score in _of(state, label))
    passages = [
        Passage("Your answer", state.text(label)),
        *(Passage(f"Another answer ({at})", state.text(other)) for at, other in enumerate(others, 1)),
    ]
    if comments:
        passages.append(Passage("What reviewers said of your answer", comments))
    question = state.floor.question
    return Speech(
        state.floor,
        member,
        "refine",
        Prompt(question.before, f"The question:\n{question.text}", tuple(passages), REFINED),
        round=3,
        hears=[*sorted(state.answers[other].turn for other in state.answers), *_heard_of(state, label)],
    )


def _of(state: _Council, label: str) -> list[Score]:
    return [score for review in state.reviews for score in review.scores if score.member == label]


def _heard_of(state: _Council, label: str) -> list[int]:
    return [review.turn for review in state.reviews if any(s.member == label for s in review.scores)]


async def _putting_together(state: _Council, round: int) -> Steps:
    """The strongest tries first; where it fails the next one does; else its own answer is the council's."""
    by_label = {member.label: member for member in state.members}
    ranked = [by_label[each.member] for each in rank(state.members, state.reviews)]
    question = state.floor.question
    answers = tuple(Passage(f"Expert {at}", state.text(m.label)) for at, m in enumerate(ranked, 1))
    prompt = Prompt(question.before, f"The question:\n{question.text}", answers, PUT_TOGETHER)
    hears = sorted(state.answers[member.label].turn for member in ranked)
    for member in ranked:
        speech = Speech(state.floor, member, "synthesis", prompt, round=round, hears=hears, is_answer=True)
        async for step in speech.steps():
            yield step
        if speech.text is not None:
            yield Answer(speech.text, speech.turn, speech.model)
            return
    best = state.answers[ranked[0].label]
    yield Note(
        "Nobody could put the answers together: this is the strongest one.", best.turn, ranked[0].label
    )
    yield Answer(best.text or "", best.turn, best.model)
