"""A model and its settings to a command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.rig import fake_model

from synapse_engine.catalog.model import Kind
from synapse_engine.errors import InvalidChoice
from synapse_engine.launch.base import Command
from synapse_engine.launch.command import (
    RESERVED_ENV,
    build_command,
    check_settings,
    inherited_env,
    launch_settings,
)
from synapse_engine.launch.engine import Engine, parse_help

HELP = Path(__file__).with_name("llama_server_help.txt").read_text()
ENGINE = Engine(
    "/bin/llama-server",
    "1",
    {name: flag for flag in parse_help(HELP) for name in (*flag.names, *flag.negations)},
)
# As newer ones list them.
FITTING_HELP = """
--rpc SERVERS                           comma separated list of RPC servers (host:port)
-fit,  --fit [on|off]                   whether to adjust unset arguments to fit in device memory
"""
FITTING = replace(
    ENGINE,
    flags={**ENGINE.flags, **{name: flag for flag in parse_help(FITTING_HELP) for name in flag.names}},
)
GIB = 1 << 30
DRAFTED: dict[str, Any] = {
    "draft": "/models/draft.gguf",
    "draft_model": fake_model(Path("/models/draft.gguf")),
}
DRAFT = ["--model-draft", "/models/draft.gguf", "--spec-type", "draft-simple"]


def command(
    settings: dict[str, Any] | None = None,
    *,
    prompt_cache: int = 2 * GIB,
    engine: Engine = ENGINE,
    is_without_gpus: bool = False,
    **facts: Any,
) -> Command:
    model = fake_model(Path("/models/qwen.gguf"), **({"context_length": 40_960} | facts))
    return build_command(
        "qwen_7b_fast",
        model,
        settings or {},
        engine,
        port=8080,
        port_is_pinned=False,
        api_key="secret",
        is_without_gpus=is_without_gpus,
        prompt_cache_bytes=prompt_cache,
    )


def options(settings: dict[str, Any] | None = None, **facts: Any) -> list[str]:
    """The arguments after those that every server gets."""
    argv = list(command(settings, **facts).argv)
    always = "/bin/llama-server --model /models/qwen.gguf --host 127.0.0.1 --port 8080 --alias qwen_7b_fast"
    assert argv[: len(always.split())] == always.split()
    return argv[len(always.split()) :]


CHAT = ["--ctx-size", "32768", "--cache-ram", "2048"]

DEFAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a chat model trained for more": ({}, CHAT),
    "trained for less than the most": (
        {"context_length": 20_000},
        ["--ctx-size", "20000", "--cache-ram", "2048"],
    ),
    "too little context for several slots": (
        {"context_length": 16_383},
        ["--ctx-size", "16383", "--parallel", "1", "--cache-ram", "2048"],
    ),
    "just enough for several": (
        {"context_length": 16_384},
        ["--ctx-size", "16384", "--cache-ram", "2048"],
    ),
    "context unknown: the engine's own": ({"context_length": None}, ["--cache-ram", "2048"]),
    "a prompt cache of whole MiB": (
        {"prompt_cache": (5 << 20) + 7},
        ["--ctx-size", "32768", "--cache-ram", "5"],
    ),
    "embedding": (
        {"kind": Kind.EMBEDDING, "context_length": 512},
        ["--ctx-size", "512", "--parallel", "1", "--cache-ram", "0", "--ubatch-size", "512", "--embeddings"],
    ),
    "reranking": (
        {"kind": Kind.RERANKING, "context_length": 512},
        ["--ctx-size", "512", "--parallel", "1", "--cache-ram", "0", "--ubatch-size", "512", "--reranking"],
    ),
    "embedding of long texts": (
        {"kind": Kind.EMBEDDING, "context_length": 32_768},
        ["--ctx-size", "32768", "--cache-ram", "0", "--ubatch-size", "2048", "--embeddings"],
    ),
    "with a draft": ({**DRAFTED}, [*CHAT, *DRAFT]),
    "with a draft head, which is only named": ({"draft": "/models/eagle3.gguf"}, CHAT),
    "a draft beside a projector": ({**DRAFTED, "mmproj": "/mm.gguf"}, [*CHAT, "--mmproj", "/mm.gguf"]),
    "with a projector": ({"mmproj": "/models/mm.gguf"}, [*CHAT, "--mmproj", "/models/mm.gguf"]),
}


@pytest.mark.parametrize("case", DEFAULTS)
def test_defaults(case: str) -> None:
    facts, expected = DEFAULTS[case]
    assert options(**facts) == expected


def fits(settings: dict[str, Any] | None = None, **facts: Any) -> str | None:
    """What it is told of fitting itself in, where the engine lists no GPU."""
    argv = options(settings, engine=FITTING, is_without_gpus=True, **facts)
    return argv[argv.index("--fit") + 1] if "--fit" in argv else None


def test_without_gpus_there_is_nothing_to_fit() -> None:
    assert fits() == fits({"ctx_size": 4096}) == "off"
    # These leave something to fit: a context, or the GPUs of other machines.
    assert fits(context_length=None) is fits({"ctx_size": 0}) is None
    assert fits({"rpc": "10.0.0.2:50052"}) is fits({"extra_args": ["--rpc", "10.0.0.2:50052"]}) is None
    assert fits({"env": {"LLAMA_ARG_RPC": "10.0.0.2:50052"}}) is None
    assert fits({"fit": True}) == "on"


CHOSEN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "context": ({"ctx_size": 4096}, ["--ctx-size", "4096", "--parallel", "1", "--cache-ram", "2048"]),
    "slots beside a small context": (
        {"ctx_size": 4096, "parallel": 8},
        ["--ctx-size", "4096", "--parallel", "8", "--cache-ram", "2048"],
    ),
    "a default overridden": ({"cache_ram": -1}, ["--ctx-size", "32768", "--cache-ram", "-1"]),
    "a number": ({"temp": 0.5}, [*CHAT, "--temp", "0.5"]),
    "a switch on": ({"swa_full": True}, [*CHAT, "--swa-full"]),
    "a switch off that has no other word": ({"swa_full": False}, CHAT),
    "a pair on": ({"mmap": True}, [*CHAT, "--mmap"]),
    "a pair off": ({"mmap": False}, [*CHAT, "--no-mmap"]),
    "a negation true": ({"no_mmap": True}, [*CHAT, "--no-mmap"]),
    "a negation false": ({"no_mmap": False}, [*CHAT, "--mmap"]),
    "a boolean where on and off are words": ({"flash_attn": True}, [*CHAT, "--flash-attn", "on"]),
    "and its opposite": ({"flash_attn": False}, [*CHAT, "--flash-attn", "off"]),
    "the third word": ({"flash_attn": "auto"}, [*CHAT, "--flash-attn", "auto"]),
    "no GPU": ({"devices": "cpu"}, [*CHAT, "--device", "none"]),
    "some GPUs": ({"devices": ["CUDA0", "CUDA1"]}, [*CHAT, "--device", "CUDA0,CUDA1"]),
    "whichever GPUs there are": ({"devices": "auto"}, CHAT),
    "a list": ({"device": ["Vulkan0", "Vulkan1"]}, [*CHAT, "--device", "Vulkan0,Vulkan1"]),
    "extra arguments come last, as they are": (
        {"extra_args": ["--temp", "-1", "--jinja"], "threads": 2},
        [*CHAT, "--threads", "2", "--temp", "-1", "--jinja"],
    ),
    "what is not the engine's does not reach it": ({"autostart": True}, CHAT),
    "a default switched off": (
        {"embeddings": False},
        [*CHAT],
    ),
}


DRAFTING: dict[str, tuple[dict[str, Any], list[str]]] = {
    "another draft": ({"model_draft": "/mine.gguf"}, ["--model-draft", "/mine.gguf"]),
    "another by the option's other name": (
        {"spec_draft_model": "/mine.gguf"},
        ["--spec-draft-model", "/mine.gguf"],
    ),
    "another among the extra arguments": ({"extra_args": ["-md", "/mine.gguf"]}, ["-md", "/mine.gguf"]),
    "none": ({"model_draft": ""}, ["--model-draft", ""]),
    "another way": ({"spec_type": "ngram-simple"}, ["--spec-type", "ngram-simple"]),
    "one from a repository": ({"hf_repo_draft": "o/r"}, ["--hf-repo-draft", "o/r"]),
    "nothing about drafts": ({"temp": 0.5}, [*DRAFT, "--temp", "0.5"]),
}


@pytest.mark.parametrize("case", DRAFTING)
def test_what_a_person_says_of_the_draft_counts(case: str) -> None:
    settings, expected = DRAFTING[case]
    assert options(settings, **DRAFTED) == [*CHAT, *expected]


def test_an_engine_that_knows_one_way_to_draft_is_told_no_other() -> None:
    known = {name: flag for name, flag in ENGINE.flags.items() if name != "--spec-type"}
    argv = command(engine=replace(ENGINE, flags=known), **DRAFTED).argv
    assert argv[-2:] == ("--model-draft", "/models/draft.gguf")


@pytest.mark.parametrize("case", CHOSEN)
def test_chosen(case: str) -> None:
    settings, expected = CHOSEN[case]
    assert options(settings) == expected


def test_a_kinds_flag_can_be_refused() -> None:
    facts = {"kind": Kind.EMBEDDING, "context_length": 512}
    assert "--embeddings" not in options({"embeddings": False}, **facts)


def test_how_long_a_text_may_be_is_a_persons_to_say() -> None:
    facts = {"kind": Kind.EMBEDDING, "context_length": 8192}
    argv = options({"ubatch_size": 8192, "batch_size": 8192}, **facts)
    assert argv[argv.index("--ubatch-size") + 1] == "8192"
    argv = options({"ctx_size": 1024}, **facts)
    assert argv[argv.index("--ubatch-size") + 1] == "1024"


def test_defaults_that_the_engine_does_not_know_are_left_out() -> None:
    bare = Engine("/bin/old", "0", {flag: ENGINE.flags[flag] for flag in ("--model", "--port")})
    model = fake_model(Path("/m.gguf"), context_length=4096)
    built = build_command("m", model, {}, bare, port=1, port_is_pinned=True, api_key="k")
    assert built.argv == (
        "/bin/old",
        "--model",
        "/m.gguf",
        "--host",
        "127.0.0.1",
        "--port",
        "1",
        "--alias",
        "m",
    )


def test_what_else_a_command_carries() -> None:
    built = command({"threads": 2, "env": {"GGML_X": "1"}, "autostart": True}, size_bytes=77)
    assert built.env == {"GGML_X": "1", "LLAMA_API_KEY": "secret"}
    assert "secret" not in " ".join(built.argv)
    assert (built.model_id, built.port, built.port_is_pinned, built.api_key, built.weights_bytes) == (
        "qwen_7b_fast",
        8080,
        False,
        "secret",
        77,
    )
    assert built.settings == {"threads": 2, "env": {"GGML_X": "1"}}


def test_what_is_inherited() -> None:
    environ = {"PATH": "/bin", "LLAMA_ARG_THREADS": "2", "LLAMA_CACHE": "/c"}
    assert inherited_env(environ | dict.fromkeys(RESERVED_ENV, "x")) == environ


def test_which_settings_need_a_restart() -> None:
    settings = {"ctx_size": 1, "extra_args": ["-x"], "env": {"A": "b"}, "autostart": True, "pinned": True}
    assert launch_settings(settings) == {"ctx_size": 1, "extra_args": ["-x"], "env": {"A": "b"}}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    **{f"reserved {name}": ({name: "x"}, f"Reserved setting: {name}") for name in ("host", "port", "model")},
    "reserved api_key": ({"api_key": "x"}, "Reserved setting: api_key"),
    "reserved alias": ({"alias": "x"}, "Reserved setting: alias"),
    **{
        f"reserved in extra_args {argument}": (
            {"extra_args": [argument, "x"]},
            f"Reserved setting: extra_args {argument.partition('=')[0]}",
        )
        for argument in ("--host", "--port", "--port=9", "--model", "-m", "-a", "--alias", "--api-key")
    },
    **{
        f"reserved in env {name}": ({"env": {name: "x"}}, f"Reserved setting: env.{name}")
        for name in (
            "LLAMA_ARG_HOST",
            "LLAMA_ARG_PORT",
            "LLAMA_ARG_MODEL",
            "LLAMA_API_KEY",
            "LLAMA_ARG_ALIAS",
            "LLAMA_ARG_API_KEY_FILE",
            "LLAMA_ARG_API_PREFIX",
            "LLAMA_ARG_SSL_KEY_FILE",
            "LLAMA_ARG_SSL_CERT_FILE",
            "LLAMA_ARG_REUSE_PORT",
            "LLAMA_ARG_MODEL_URL",
            "LLAMA_ARG_HF_REPO",
            "LLAMA_SERVER_ROUTER_PORT",
        )
    },
    "unreachable": ({"api_prefix": "/x"}, "Reserved setting: api_prefix"),
    "another model": ({"hf_repo": "org/repo"}, "Reserved setting: hf_repo"),
    "too large": ({"ctx_size": 10**400}, "Bad value for ctx_size"),
    "too large, as a text": ({"ctx_size": "1" + "0" * 400}, "Bad value for ctx_size"),
    "too large in extra_args": ({"extra_args": ["--ctx-size=" + "9" * 400]}, "Bad value for extra_args"),
    "unknown": ({"bogus": 1}, "Unknown setting: bogus"),
    "unknown in extra_args": ({"extra_args": ["--bogus"]}, "Unknown setting: extra_args --bogus"),
    "a boolean for a value": ({"ctx_size": True}, "Bad value for ctx_size"),
    "a value for a switch": ({"mmap": "yes"}, "Bad value for mmap"),
    "an object": ({"ctx_size": {"a": 1}}, "Bad value for ctx_size"),
    "a list in a list": ({"device": [["a"]]}, "Bad value for device"),
    "no number": ({"temp": float("nan")}, "Bad value for temp"),
    "without end": ({"temp": float("inf")}, "Bad value for temp"),
    "a NUL": ({"device": "a\0b"}, "Bad value for device"),
    "half a character": ({"device": "\ud800"}, "Bad value for device"),
    "a NUL in extra_args": ({"extra_args": ["-t", "\0"]}, "Bad value for extra_args"),
    "a NUL in env": ({"env": {"A": "\0"}}, "Bad value for env.A"),
    "an equals sign in a variable's name": ({"env": {"A=B": "c"}}, "Bad name in env: A=B"),
    "a variable without a name": ({"env": {"": "c"}}, "Bad name in env: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str) -> None:
    settings, error = REFUSED[case]
    with pytest.raises(InvalidChoice) as raised:
        check_settings(settings, ENGINE)
    assert raised.value.error == error


NEEDS_ENGINE = (
    "unknown",
    "unknown in extra_args",
    "reserved in extra_args -m",
    "reserved in extra_args -a",
    "a boolean for a value",
    "a value for a switch",
)


@pytest.mark.parametrize("case", [case for case in REFUSED if case not in NEEDS_ENGINE])
def test_refused_even_without_an_engine(case: str) -> None:
    settings, error = REFUSED[case]
    with pytest.raises(InvalidChoice) as raised:
        check_settings(settings, None)
    assert raised.value.error == error


@pytest.mark.parametrize("settings", [{"bogus": 1}, {"extra_args": ["--bogus"]}, {"ctx_size": True}])
def test_without_an_engine_options_pass_unverified(settings: dict[str, Any]) -> None:
    check_settings(settings, None)


def test_the_refusal_says_where_the_option_was_looked_for() -> None:
    with pytest.raises(InvalidChoice) as raised:
        check_settings({"no_such_thing": 1}, ENGINE)
    assert raised.value.detail == "/bin/llama-server does not list --no-such-thing in its --help."


def test_a_setting_that_the_engine_no_longer_knows_fails_the_command() -> None:
    with pytest.raises(InvalidChoice, match="Unknown setting: gone"):
        command({"gone": 1})
