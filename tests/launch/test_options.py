"""What values options take, read from the real help text of an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_engine.launch.engine import Flag, install_command, parse_help
from synapse_engine.launch.options import OptionForm, option_form

HELP = Path(__file__).with_name("llama_server_help.txt").read_text()
FLAGS = {name: flag for flag in parse_help(HELP) for name in flag.names}
CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("--ctx-size", OptionForm("number", default="0")),
        ("--poll", OptionForm("number", default="50")),
        ("--temp", OptionForm("number", default="0.80")),
        ("--flash-attn", OptionForm("choice", ("on", "off", "auto"), "auto")),
        ("--rope-scaling", OptionForm("choice", ("none", "linear", "yarn"))),
        ("--cache-type-k", OptionForm("choice", CACHE_TYPES, "f16")),
        ("--n-gpu-layers", OptionForm("text", default="auto")),
        ("--samplers", OptionForm("text", default="penalties;dry;top_k;top_p;min_p;temperature")),
        ("--swa-full", OptionForm("switch", default="false")),
        ("--perf", OptionForm("switch", default="false")),
        ("--mmap", OptionForm("switch", default="true")),
        ("--mmproj", OptionForm("text")),
    ],
)
def test_the_form_of_an_option(name: str, form: OptionForm) -> None:
    assert option_form(FLAGS[name]) == form


def a_flag(hint: str, help_text: str, *, negations: tuple[str, ...] = ()) -> Flag:
    return Flag(("--x",), negations, hint, help_text, None)


@pytest.mark.parametrize(
    ("flag", "form"),
    [
        (
            a_flag("MODE", "loading mode (default: auto) - none: nothing - mmap+mlock: both, locked"),
            OptionForm("choice", ("auto", "none", "mmap+mlock"), "auto"),
        ),
        (
            a_flag("{none,layer}", "one of: - none: one GPU - layer (default): split (pipelined)"),
            OptionForm("choice", ("none", "layer"), "layer"),
        ),
        (a_flag("N", "context (default: 0 = as trained)"), OptionForm("number", default="0")),
        (a_flag("N", "timeout (default: -1; -1 = never)"), OptionForm("number", default="-1")),
        (a_flag("PATH", "where it is (default: )"), OptionForm("text", default="")),
        (a_flag("<0|1>", "strict (default: 0)"), OptionForm("choice", ("0", "1"), "0")),
        (a_flag("N", "threshold (DEPRECATED)"), OptionForm("number", is_deprecated=True)),
        (
            a_flag("", "prefilled (default: prefill enabled)", negations=("--no-x",)),
            OptionForm("switch", default="true"),
        ),
        (a_flag("", "whether to map", negations=("--no-x",)), OptionForm("switch")),
    ],
)
def test_forms_that_other_engines_write(flag: Flag, form: OptionForm) -> None:
    assert option_form(flag) == form


@pytest.mark.parametrize(
    ("system", "machine", "command"),
    [
        ("Linux", "x86_64", "'/my venv/python' -m pip install 'synapse-engine[engine]'"),
        ("Linux", "aarch64", "brew install llama.cpp"),
        ("Darwin", "arm64", "brew install llama.cpp"),
        ("Windows", "AMD64", "winget install ggml.llamacpp"),
    ],
)
def test_the_command_that_installs_an_engine(system: str, machine: str, command: str) -> None:
    assert install_command(system, machine, "/my venv/python") == command
