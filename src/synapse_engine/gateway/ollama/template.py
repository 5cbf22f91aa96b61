"""A prompt's template in Ollama's form, as far as prompts of one question need it. Pure.

Text, `{{ .Name }}`, and `{{ if .Name }} ... {{ else }} ... {{ end }}`; a dash inside the braces trims the
spaces beside them. What comes after `{{ .Response }}` is for the model to write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from synapse_engine.gateway.errors import BadRequest

_ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
_NAME = re.compile(r"(?:if\s+)?\.(\w+)\Z")


def render(template: str, values: Mapping[str, str]) -> str:
    """Raises BadRequest for what is not understood."""
    written: list[str] = []
    # Of each `if` around this place: whether its branch is taken.
    taken: list[bool] = []
    for text, action in _pieces(template):
        if all(taken):
            written.append(text)
        if action is None:
            continue
        if action == "else" and taken:
            taken[-1] = not taken[-1]
        elif action == "end" and taken:
            taken.pop()
        elif (name := _NAME.match(action)) and name[1] in values:
            if action.startswith("if"):
                taken.append(bool(values[name[1]]))
            elif name[1] == "Response" and all(taken):
                return "".join(written)
            elif all(taken):
                written.append(values[name[1]])
        else:
            raise BadRequest(
                f"Template not understood: {{{{ {action} }}}}",
                "Send the prompt whole with `raw`, or leave out `template`: then the model's own is used.",
            )
    return "".join(written)


def _pieces(template: str) -> list[tuple[str, str | None]]:
    """Each action after the text before it; the text after the last one with None."""
    pieces: list[tuple[str, str | None]] = []
    position, trims = 0, False
    for found in _ACTION.finditer(template):
        text = template[position : found.start()]
        text = text.lstrip() if trims else text
        pieces.append((text.rstrip() if found[1] else text, found[2]))
        position, trims = found.end(), bool(found[3])
    text = template[position:]
    return [*pieces, (text.lstrip() if trims else text, None)]
