"""Thoughts that a model writes into its text, told apart from what it says. Pure.

llama-server and most others give thoughts in a field of their own. Where a server does not know a model's
marks, they come within the text, at its beginning.
"""

from __future__ import annotations

BEGIN = "<think>"
END = "</think>"


class Thoughts:
    """Takes a text in pieces, cut anywhere."""

    def __init__(self) -> None:
        self._held = ""
        self._is_thinking = False
        self._is_past = False

    def feed(self, text: str) -> tuple[str, str]:
        """What of it is said by now, and what is thought."""
        if self._is_past:
            return text, ""
        self._held += text
        if not self._is_thinking:
            opening = self._held.lstrip()
            if not opening.startswith(BEGIN):
                return ("", "") if BEGIN.startswith(opening) else self._pass(self._held)
            self._is_thinking, self._held = True, opening.removeprefix(BEGIN)
        thought, mark, rest = self._held.partition(END)
        if mark:
            said, _ = self._pass(rest.lstrip())
            return said, thought
        kept = _overlap(self._held, END)
        thought, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return "", thought

    def finish(self) -> tuple[str, str]:
        """What was held back, as it could have been the beginning of a mark."""
        held, self._held = self._held, ""
        return ("", held) if self._is_thinking and not self._is_past else (held, "")

    def _pass(self, said: str) -> tuple[str, str]:
        self._is_past, self._held = True, ""
        return said, ""


def _overlap(text: str, mark: str) -> int:
    """How many of the text's last characters may be the mark's first ones."""
    return next((n for n in range(min(len(text), len(mark) - 1), 0, -1) if text.endswith(mark[:n])), 0)
