"""A model and its settings to llama-server's command line. Pure: everything that it needs is handed in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from synapse_engine.catalog.model import Kind, Model
from synapse_engine.errors import InvalidChoice
from synapse_engine.launch.base import Command
from synapse_engine.launch.engine import Engine, Flag

# Ours, not llama-server's; the rest of a model's settings are its options under their long names.
OWN_SETTINGS = frozenset(
    "extra_args env engine devices idle_stop_seconds pinned replicas restart autostart variants"
    " keep_prompt_cache".split()
)
SHAPES_COMMAND = frozenset(["extra_args", "env", "engine", "devices", "keep_prompt_cache"])
# Given by us; with the others the server answers where, or how, nobody asks it, or loads another model.
RESERVED = frozenset(
    "host port model api_key alias api_key_file api_prefix ssl_key_file ssl_cert_file reuse_port"
    " model_url docker_repo hf_repo hf_file models_dir models_preset".split()
)
# As llama-server names them, and what makes it think that it is a child of its own router.
RESERVED_ENV = frozenset(f"LLAMA_ARG_{name.upper()}" for name in RESERVED) | frozenset(
    "LLAMA_API_KEY LLAMA_ARG_HF_REPO_FILE LLAMA_SERVER_CHILD_MODE LLAMA_SERVER_ROUTER_PORT".split()
)

# With one of these a person has chosen how to draft, or not to.
CHOOSE_DRAFT = frozenset(["model_draft", "hf_repo_draft", "spec_type"])

# With one of these there are GPUs that the engine does not list by itself: those of other machines.
BRING_GPUS = frozenset(["rpc"])
BRING_GPUS_ENV = frozenset(["LLAMA_ARG_RPC"])

DEFAULT_CONTEXT_TOKENS = 32_768
SINGLE_SLOT_BELOW_TOKENS = 16_384
# Texts that are embedded or ranked are read in one batch or refused. The engine's own are of 512 tokens;
# longer ones take memory for all of their length, whatever they are used for.
ONE_BATCH_TOKENS = 2048


def check_settings(settings: Mapping[str, Any], engine: Engine | None) -> None:
    """Refuse, by name, what cannot be taken: reserved, or unknown to the engine.

    Without an engine the options' names cannot be checked and pass. Raises InvalidChoice.
    """
    for name, value in settings.items():
        if name in OWN_SETTINGS:
            continue
        _check_option(name, value, engine)
    _check_extra_args(settings.get("extra_args") or [], engine)
    for name, value in (settings.get("env") or {}).items():
        if name in RESERVED_ENV:
            raise _reserved(f"env.{name}")
        if not name or "=" in name or not _can_be_passed(name):
            raise InvalidChoice(f"Bad name in env: {name}", "A variable's name is a text without `=`.")
        if not _can_be_passed(value):
            raise InvalidChoice(f"Bad value for env.{name}", "It takes a text without NUL.")


def inherited_env(environ: Mapping[str, str]) -> dict[str, str]:
    """What a server gets of the control plane's own environment: all but what is reserved."""
    return {name: value for name, value in environ.items() if name not in RESERVED_ENV}


def setting_options(engine: Engine) -> dict[str, Flag]:
    """The engine's options by the name that a setting has: its longest spelling, reserved ones left out."""
    options = {}
    for flag in engine.flags.values():
        longest = max(flag.names, key=len)
        name = longest.removeprefix("--").replace("-", "_")
        if longest.startswith("--") and not _is_reserved(flag):
            options[name] = flag
    return options


def launch_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those that shape the command: a change to them needs a restart."""
    return {name: value for name, value in settings.items() if name not in OWN_SETTINGS - SHAPES_COMMAND}


def given_options(settings: Mapping[str, Any], engine: Engine | None) -> dict[str, Any]:
    """What a person set, by llama-server's longest names; `extra_args` are read as the engine would."""
    chosen = {name: value for name, value in settings.items() if name not in OWN_SETTINGS}
    if engine is None:
        return chosen
    options = {_longest_name(engine.flag(name), name): value for name, value in chosen.items()}
    arguments = iter(settings.get("extra_args") or [])
    for argument in arguments:
        spelling, has_value, value = argument.partition("=")
        flag = engine.flags.get(spelling)
        if flag is not None:
            given = (value if has_value else next(arguments, "")) if flag.takes_value else None
            options[_longest_name(flag, spelling)] = (
                spelling not in flag.negations if given is None else given
            )
    return options | _device_options(settings)


def default_options(
    model: Model, given: Mapping[str, Any], *, context_tokens: int, prompt_cache_bytes: int
) -> dict[str, Any]:
    """What is passed where the person said nothing: context, slots, prompt cache and the kind's flags.

    context_tokens: at most so many, of those that it was trained for.
    """
    options: dict[str, Any] = {}
    trained = model.context_length
    context = given.get("ctx_size") or min(trained or context_tokens, context_tokens)
    if trained is not None:
        options["ctx_size"] = context
    if str(context).isdecimal() and int(context) < SINGLE_SLOT_BELOW_TOKENS:
        options["parallel"] = 1
    options["cache_ram"] = prompt_cache_bytes >> 20 if model.kind is Kind.CHAT else 0
    if model.kind is not Kind.CHAT and str(context).isdecimal():
        options["ubatch_size"] = min(int(context), ONE_BATCH_TOKENS)
    if model.kind is Kind.EMBEDDING:
        options["embeddings"] = True
    if model.kind is Kind.RERANKING:
        options["reranking"] = True
    if model.mmproj is not None:
        options["mmproj"] = model.mmproj
    elif model.draft_model is not None and not given.keys() & CHOOSE_DRAFT:
        # Newer engines only load the draft when they are not told how to use it; older ones know one way.
        options |= {"model_draft": model.draft, "spec_type": "draft-simple"}
    return options


def build_command(
    model_id: str,
    model: Model,
    settings: Mapping[str, Any],
    engine: Engine,
    *,
    port: int,
    port_is_pinned: bool,
    api_key: str,
    is_without_gpus: bool = False,
    context_tokens: int = DEFAULT_CONTEXT_TOKENS,
    prompt_cache_bytes: int = 0,
    slot_save_path: str | None = None,
) -> Command:
    """The command line of one server. Defaults that this engine does not know are left out.

    is_without_gpus: whether the engine says that it sees none.
    Raises InvalidChoice when a person's setting is not known to the engine any more.
    """
    check_settings(settings, engine)
    chosen = {name: value for name, value in settings.items() if name not in OWN_SETTINGS}
    given = given_options(settings, engine)
    defaults = default_options(
        model, given, context_tokens=context_tokens, prompt_cache_bytes=prompt_cache_bytes
    )
    if is_without_gpus and _leaves_nothing_to_fit(defaults | given, settings):
        defaults["fit"] = False
    known = {name: value for name, value in defaults.items() if engine.flag(name) is not None}
    options = known | _device_options(settings) | chosen
    if slot_save_path is not None:
        options["slot_save_path"] = slot_save_path
    argv = [engine.path, "--model", model.path, "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--alias", model_id]
    for name, value in options.items():
        flag = engine.flag(name)
        if flag is not None:
            argv.extend(_option_args(name, value, flag))
    argv.extend(settings.get("extra_args") or [])
    return Command(
        model_id=model_id,
        argv=tuple(argv),
        env={**(settings.get("env") or {}), "LLAMA_API_KEY": api_key},
        port=port,
        port_is_pinned=port_is_pinned,
        api_key=api_key,
        weights_bytes=model.file_size_bytes,
        settings=launch_settings(settings),
    )


def _leaves_nothing_to_fit(options: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether the engine, without GPUs of its own, would only read the model again and again to find out
    that it must not change anything: a fifth of a small model's start.
    """
    has_context = str(options.get("ctx_size", 0)) != "0"
    brings_gpus = options.keys() & BRING_GPUS or (settings.get("env") or {}).keys() & BRING_GPUS_ENV
    return has_context and not brings_gpus


def _longest_name(flag: Flag | None, name: str) -> str:
    """The setting's name of an option: its last long spelling, as llama-server lists it."""
    long = [spelling for spelling in flag.names if spelling.startswith("--")] if flag else []
    return (long[-1] if long else name).removeprefix("--").replace("-", "_")


def _device_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Ours to the engine's: `cpu` uses no GPU, `auto` leaves the choice to it."""
    devices = settings.get("devices") or "auto"
    if devices == "auto":
        return {}
    return {"device": "none" if devices == "cpu" else list(devices)}


def _option_args(name: str, value: Any, flag: Flag) -> Iterator[str]:
    spelling = "--" + name.replace("_", "-")
    if flag.takes_value:
        yield spelling
        yield _value_text(value)
    elif value:
        yield spelling
    elif spelling in flag.negations:
        yield flag.names[-1]
    elif flag.negations:
        yield flag.negations[-1]


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(_value_text(item) for item in value)
    return str(value)


def _check_option(name: str, value: Any, engine: Engine | None) -> None:
    if name in RESERVED:
        raise _reserved(name)
    if not all(_can_be_passed(item) for item in (value if isinstance(value, list) else [value])):
        raise InvalidChoice(
            f"Bad value for {name}", "It takes a text, a number, true, false, or a list of them."
        )
    if any(_is_beyond_numbers(item) for item in (value if isinstance(value, list) else [value])):
        raise InvalidChoice(f"Bad value for {name}", "The number is too large.")
    if engine is None or not engine.flags:
        return
    flag = engine.flag(name)
    if flag is None:
        raise InvalidChoice(
            f"Unknown setting: {name}",
            f"{engine.path} does not list --{name.replace('_', '-')} in its --help.",
        )
    _check_not_reserved(name, flag)
    if flag.takes_value == isinstance(value, bool) and not _is_switch_like(flag):
        takes = f"a value ({flag.hint})" if flag.takes_value else "true or false"
        raise InvalidChoice(f"Bad value for {name}", f"It takes {takes}.")


def _can_be_passed(value: Any) -> bool:
    """Whether a command line or an environment can hold it."""
    if isinstance(value, str):
        # What UTF-8 cannot say (half a surrogate pair) could not be saved either.
        return "\0" not in value and value.encode(errors="replace").decode() == value
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _is_beyond_numbers(value: Any) -> bool:
    """Larger than any count or size that llama-server takes, and than what can be reckoned with."""
    if isinstance(value, str):
        return len(value) > 16 and value.lstrip("+-").isdecimal()
    return isinstance(value, int | float) and abs(value) >= 1 << 53


def _is_switch_like(flag: Flag) -> bool:
    return "on" in flag.hint and "off" in flag.hint


def _check_extra_args(arguments: list[str], engine: Engine | None) -> None:
    for argument in arguments:
        if not _can_be_passed(argument):
            raise InvalidChoice("Bad value for extra_args", "It takes texts without NUL.")
        if _is_beyond_numbers(argument.rpartition("=")[2]):
            raise InvalidChoice("Bad value for extra_args", "The number is too large.")
        spelling = argument.partition("=")[0]
        if spelling.removeprefix("--").replace("-", "_") in RESERVED and spelling.startswith("--"):
            raise _reserved(f"extra_args {spelling}")
        if engine is None or not engine.flags or not spelling.startswith("-"):
            continue
        flag = engine.flags.get(spelling)
        if flag is not None:
            _check_not_reserved(f"extra_args {spelling}", flag)
        elif spelling.startswith("--"):
            raise InvalidChoice(
                f"Unknown setting: extra_args {spelling}", f"{engine.path} does not list it in its --help."
            )


def _check_not_reserved(name: str, flag: Flag) -> None:
    if _is_reserved(flag):
        raise _reserved(name)


def _is_reserved(flag: Flag) -> bool:
    return any(spelling.removeprefix("--").replace("-", "_") in RESERVED for spelling in flag.names)


def _reserved(name: str) -> InvalidChoice:
    return InvalidChoice(
        f"Reserved setting: {name}",
        "host, port, model, api_key and alias are given by Synapse Engine itself (a port is chosen with the "
        "model's `port`). With the other reserved ones it could not reach the server, or the server would "
        "load another model.",
    )
