"""What a model is told, cut so that it and the answer fit into the model's context. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_engine.modes.asking import Message

# A token has about four letters of English, and three bytes of many other scripts: this is on the safe side.
BYTES_PER_TOKEN = 3
MESSAGE_TOKENS = 8
ANSWER_SHARE = 0.25
ANSWER_TOKENS = 1024
# What is cut still says something by then.
PASSAGE_TOKENS = 48
CUT = "\n[... cut ...]\n"


@dataclass(frozen=True)
class Passage:
    """What others have said. label: who."""

    label: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """before: what was said before; where there is no room its oldest messages are left out, but for system
    messages. The last message is the opening, the passages and the closing; only passages may be cut.
    """

    before: tuple[Message, ...]
    opening: str
    passages: tuple[Passage, ...] = ()
    closing: str = ""

    def messages(self) -> tuple[Message, ...]:
        parts = [
            self.opening,
            *(f"{passage.label}:\n{passage.text}" for passage in self.passages),
            self.closing,
        ]
        return (*self.before, Message("user", "\n\n".join(part for part in parts if part)))


@dataclass(frozen=True)
class Fitted:
    """cut: what was left out or cut, in words; empty where nothing was."""

    messages: tuple[Message, ...]
    cut: str = ""


def estimate_tokens(text: str) -> int:
    """How many tokens a text has at most, in most languages."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def fit(prompt: Prompt, context_tokens: int | None, answer_tokens: int | None) -> Fitted:
    """context_tokens: of one request, prompt and answer together; None: nobody knows, so nothing is cut.
    answer_tokens: how long the answer may become; None: as long as there is room.
    """
    if context_tokens is None or _size(prompt) <= (room := _room(context_tokens, answer_tokens)):
        return Fitted(prompt.messages())
    fixed = _size(_with_texts(prompt, [""] * len(prompt.passages)))
    before, dropped = _shortened(prompt.before, fixed + PASSAGE_TOKENS * len(prompt.passages) - room)
    shorter = Prompt(before, prompt.opening, prompt.passages, prompt.closing)
    fixed = _size(_with_texts(shorter, [""] * len(prompt.passages)))
    sizes = [estimate_tokens(passage.text) for passage in prompt.passages]
    shares = _share(sizes, max(room - fixed, PASSAGE_TOKENS * len(sizes)))
    texts = [_cut(passage.text, tokens) for passage, tokens in zip(prompt.passages, shares, strict=True)]
    cut = [p.label for p, text in zip(prompt.passages, texts, strict=True) if text != p.text]
    words = [f"{', '.join(cut)} cut"] if cut else []
    if dropped:
        words.append(f"the oldest {dropped} messages left out")
    return Fitted(_with_texts(shorter, texts).messages(), " and ".join(words))


def _room(context_tokens: int, answer_tokens: int | None) -> int:
    wanted = answer_tokens or max(ANSWER_TOKENS, int(context_tokens * ANSWER_SHARE))
    return context_tokens - min(wanted, context_tokens // 2)


def _size(prompt: Prompt) -> int:
    return sum(estimate_tokens(message.content) + MESSAGE_TOKENS for message in prompt.messages())


def _with_texts(prompt: Prompt, texts: Sequence[str]) -> Prompt:
    passages = tuple(Passage(p.label, text) for p, text in zip(prompt.passages, texts, strict=True))
    return Prompt(prompt.before, prompt.opening, passages, prompt.closing)


def _shortened(before: Sequence[Message], excess_tokens: int) -> tuple[tuple[Message, ...], int]:
    """Without as many of the oldest messages as are too much, and how many these are."""
    kept, dropped = list(before), 0
    for message in before:
        if excess_tokens <= 0:
            break
        if message.role != "system":
            kept.remove(message)
            dropped += 1
            excess_tokens -= estimate_tokens(message.content) + MESSAGE_TOKENS
    return tuple(kept), dropped


def _share(sizes: Sequence[int], room: int) -> list[int]:
    """What each may have of the room: short ones all they need, long ones the same."""
    shares = [0] * len(sizes)
    for left, at in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[at] = min(sizes[at], room // (len(sizes) - left))
        room -= shares[at]
    return shares


def _cut(text: str, tokens: int) -> str:
    """Its beginning and its end, where it is longer than that."""
    if estimate_tokens(text) <= tokens:
        return text
    half = max(0, tokens * BYTES_PER_TOKEN - len(CUT)) // 2
    data = text.encode("utf-8", "replace")
    begin, end = data[:half].decode(errors="ignore"), data[len(data) - half :].decode(errors="ignore")
    return f"{begin}{CUT}{end}"
