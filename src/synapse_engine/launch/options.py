"""What a value of an engine's option looks like, read out of its `--help`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from synapse_engine.launch.engine import Flag

OptionKind = Literal["switch", "choice", "number", "text"]

# They print something and end: no server comes of them.
ENDS_AT_ONCE = frozenset("help usage version license cache_list completion_bash list_devices".split())

_COUNT_HINTS = frozenset("N INDEX SECONDS SIMILARITY PORT".split())
_RANGE_HINT = re.compile(r"<\d+\.\.\.\d+>")
# `[on|off|auto]`, `<0|1>`, `{none,linear,yarn}`
_HINTED = re.compile(r"[\[<]([\w.+-]+(?:\|[\w.+-]+)+)[\]>]|\{([\w.+-]+(?:,[\w.+-]+)+)\}")
_ALLOWED = re.compile(r"allowed values: ([\w.+-]+(?:, [\w.+-]+)+)")
# ` - mmap: memory-map model`, ` - layer (default): split layers`
_BULLET = re.compile(r"(?:^|\s)- ([a-z][\w.+-]*)( \(default\))?:(?=\s)")
_DEFAULT = re.compile(r"\bdefault: (.*?)(?=[,)]|; | \(| = |$)")
_ON, _OFF = ("true", "enabled", "on"), ("false", "disabled", "off")


@dataclass(frozen=True)
class OptionForm:
    """choices: every value there is, where kind is choice. default: as the engine writes it; `true` or
    `false` of a switch; None where the help text names none.
    """

    kind: OptionKind
    choices: tuple[str, ...] = ()
    default: str | None = None
    is_deprecated: bool = False


def option_form(flag: Flag) -> OptionForm:
    """What an option takes, as far as its help text tells. What it does not tell is text."""
    is_deprecated = "DEPRECATED" in flag.help
    default = _default(flag)
    if not flag.takes_value:
        return OptionForm("switch", (), default, is_deprecated)
    choices = _choices(flag)
    if choices:
        return OptionForm("choice", choices, default, is_deprecated)
    is_count = flag.hint in _COUNT_HINTS or _RANGE_HINT.fullmatch(flag.hint)
    # Such as `'auto'`: then a number is only one of the things that it takes.
    is_number = is_count and not re.search(r"'[a-z]+'", flag.help)
    return OptionForm("number" if is_number else "text", (), default, is_deprecated)


def _choices(flag: Flag) -> tuple[str, ...]:
    if hinted := _HINTED.fullmatch(flag.hint):
        return tuple(hinted[1].split("|") if hinted[1] else hinted[2].split(","))
    if allowed := _ALLOWED.search(flag.help):
        return tuple(allowed[1].split(", "))
    bullets = [name for name, _ in _BULLET.findall(flag.help)]
    if len(bullets) < 2:
        return ()
    default = _default(flag) or ""
    return tuple(dict.fromkeys([*([default] if default.isalnum() else []), *bullets]))


def _default(flag: Flag) -> str | None:
    marked = next((name for name, is_default in _BULLET.findall(flag.help) if is_default), None)
    found = _DEFAULT.search(flag.help)
    said = marked or (found[1].strip().strip("'\"") if found else None)
    if flag.takes_value:
        return said
    last = (said or "").rsplit(" ", 1)[-1]
    if last in _ON:
        return "true"
    # A switch that cannot be switched off is off until it is given.
    return "false" if last in _OFF or not flag.negations else None
