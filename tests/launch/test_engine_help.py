"""What llama-server says of itself, read."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_engine.launch.engine import Engine, Flag, parse_help, parse_version

HELP = Path(__file__).with_name("llama_server_help.txt").read_text()
FLAGS = {name: flag for flag in parse_help(HELP) for name in (*flag.names, *flag.negations)}


# spelling: names, negations, hint, environment variable
EXPECTED = {
    "-h": (("-h", "--help", "--usage"), (), "", None),
    "--version": (("--version",), (), "", None),
    "--threads": (("-t", "--threads"), (), "N", "LLAMA_ARG_THREADS"),
    "--cpu-range": (("-Cr", "--cpu-range"), (), "lo-hi", None),
    "--poll": (("--poll",), (), "<0...100>", None),
    "--n-predict": (("-n", "--predict", "--n-predict"), (), "N", "LLAMA_ARG_N_PREDICT"),
    "--swa-full": (("--swa-full",), (), "", "LLAMA_ARG_SWA_FULL"),
    "-fa": (("-fa", "--flash-attn"), (), "[on|off|auto]", "LLAMA_ARG_FLASH_ATTN"),
    "--no-perf": (("--perf",), ("--no-perf",), "", "LLAMA_ARG_PERF"),
    "--rope-scaling": (("--rope-scaling",), (), "{none,linear,yarn}", "LLAMA_ARG_ROPE_SCALING_TYPE"),
    "--cache-type-k": (("-ctk", "--cache-type-k"), (), "TYPE", "LLAMA_ARG_CACHE_TYPE_K"),
    "--mmap": (("--mmap",), ("--no-mmap",), "", "LLAMA_ARG_MMAP"),
    "--device": (("-dev", "--device"), (), "<dev1,dev2,..>", "LLAMA_ARG_DEVICE"),
    "--n-gpu-layers": (
        ("-ngl", "--gpu-layers", "--n-gpu-layers"),
        (),
        "N",
        "LLAMA_ARG_N_GPU_LAYERS",
    ),
    "--samplers": (("--samplers",), (), "SAMPLERS", None),
    "--model-draft": (
        ("--spec-draft-model", "-md", "--model-draft"),
        (),
        "FNAME",
        "LLAMA_ARG_SPEC_DRAFT_MODEL",
    ),
    "--embeddings": (("--embedding", "--embeddings"), (), "", "LLAMA_ARG_EMBEDDINGS"),
    "--api-key": (("--api-key",), (), "KEY", "LLAMA_API_KEY"),
}


@pytest.mark.parametrize("spelling", EXPECTED)
def test_option(spelling: str) -> None:
    flag = FLAGS[spelling]
    assert (flag.names, flag.negations, flag.hint, flag.env) == EXPECTED[spelling]


def test_every_option_is_found_once() -> None:
    flags = parse_help(HELP)
    assert len(flags) == sum(line.startswith("-") and line[1:4] != "---" for line in HELP.splitlines())
    assert len(FLAGS) == sum(len(flag.names) + len(flag.negations) for flag in flags)


def test_help_is_one_text_without_the_environment_line() -> None:
    assert FLAGS["--ctx-size"].help == "size of the prompt context (default: 0, 0 = loaded from model)"
    assert FLAGS["--perf"].help.endswith("performance timings (default: false)")


def test_an_option_that_is_only_a_negation_is_a_switch() -> None:
    (flag,) = parse_help("--no-warmup                             skip warming up\n")
    assert flag == Flag(("--no-warmup",), (), "", "skip warming up", None)


def test_what_follows_on_the_next_line() -> None:
    (flag,) = parse_help("-a, --a-very-long-option-name FILE\n" + " " * 40 + "what it does\n")
    assert (flag.names, flag.hint, flag.help) == (("-a", "--a-very-long-option-name"), "FILE", "what it does")


@pytest.mark.parametrize("text", ["", "usage: something else\n\nnothing here\n", "----- only a title -----"])
def test_no_options(text: str) -> None:
    assert parse_help(text) == []


VERSIONS = [
    ("version: 0.1.0-dev (build 1, commit 7e4c0a9)\nbuilt with GNU", "0.1.0-dev (build 1, commit 7e4c0a9)"),
    ("warning: no GPU\nversion: 5123 (abc)", "5123 (abc)"),
    ("nothing", None),
]


@pytest.mark.parametrize(("text", "version"), VERSIONS)
def test_version(text: str, version: str | None) -> None:
    assert parse_version(text) == version


def test_settings_are_found_by_their_long_name() -> None:
    engine = Engine("/bin/x", None, FLAGS)
    assert engine.flag("n_gpu_layers") is FLAGS["-ngl"]
    assert engine.flag("no_mmap") is FLAGS["--mmap"]
    assert engine.flag("ngl") is None
    assert engine.flag("bogus") is None
