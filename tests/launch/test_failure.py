"""Why a server ended, in words."""

from __future__ import annotations

import pytest

from synapse_engine.launch.failure import describe_exit, explain_exit, is_port_taken, with_log

REASONS = {
    "error: invalid argument: --bogus": "The engine does not know the argument --bogus",
    'error while handling argument "--ctx-size": stoi': (
        "The engine does not accept the value of --ctx-size"
    ),
    "llama_model_load: error loading model: unknown model architecture: 'newarch'": (
        "This engine does not know the architecture newarch"
    ),
    "tensor 'blk.0' data is not within the file bounds, model is corrupted or incomplete": (
        "The model file is cut short or corrupted"
    ),
    "gguf_init_from_file_impl: invalid magic characters: 'abcd', expected 'GGUF'": (
        "The file is not a GGUF model"
    ),
    "gguf_init_from_file: failed to read magic": "The file is not a GGUF model",
    "ggml_cuda: cudaMalloc failed: out of memory": "Out of memory",
    "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 9": "Out of memory",
    "terminate called after throwing an instance of 'std::bad_alloc'": "Out of memory",
    "ggml_vulkan: Device memory allocation failed. ErrorOutOfDeviceMemory": "Out of memory",
    "mmap failed: Cannot allocate memory": "Out of memory",
    "gguf_init_from_file: failed to open GGUF file 'x.gguf' (No such file or directory)": (
        "A file that it needs is not there"
    ),
    "failed to open x.gguf: Permission denied": "A file that it needs may not be read",
    "llama_model_load: error loading model: check_tensor_dims: wrong shape": (
        "The model cannot be loaded: check_tensor_dims: wrong shape"
    ),
    "E srv load_model: failed to load model, 'x.gguf'": "The model cannot be loaded",
    "couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 1": (
        "The port was taken by another process"
    ),
    "something new": "Llama-server ended by itself",
}


@pytest.mark.parametrize("line", REASONS)
def test_reason(line: str) -> None:
    said = explain_exit(1, ["loading", line, "exiting"]).splitlines()
    reason = REASONS[line].replace("Llama-server", "llama-server")
    assert said == [f"{reason} (exit code 1). Last log lines:", "loading", line, "exiting"]


def test_the_cause_counts_and_not_what_it_led_to() -> None:
    lines = ["error loading model: unknown model architecture: 'x'", "failed to load model"]
    assert explain_exit(1, lines).startswith("This engine does not know the architecture x (exit code 1)")
    lines = ["error loading model: unable to allocate CPU buffer", "failed to load model"]
    assert explain_exit(1, lines).startswith("Out of memory (exit code 1)")


def test_braces_in_a_log_are_only_text() -> None:
    assert "the argument {0}{x}" in explain_exit(1, ["invalid argument: {0}{x}"])


def test_killed_without_a_word() -> None:
    said = explain_exit(-9, [])
    assert (
        said == "llama-server was killed, perhaps because memory ran out (killed by SIGKILL). It left no log."
    )


def test_a_build_for_another_processor_says_what_to_do() -> None:
    said = explain_exit(-4, ["init: llama threadpool init, n_threads = 2"])
    assert said.startswith("This llama-server was built for another kind of processor. Put a build for")
    assert "LLAMA_SERVER_PATH (killed by SIGILL)" in said


EXITS = [
    (0, "exit code 0"),
    (1, "exit code 1"),
    (-11, "killed by SIGSEGV"),
    (-200, "killed by signal 200"),
    (None, "exit status unknown"),
]


@pytest.mark.parametrize(("code", "words"), EXITS)
def test_exit(code: int | None, words: str) -> None:
    assert describe_exit(code) == words


def test_only_the_last_lines_are_shown_and_empty_ones_are_not() -> None:
    said = with_log("Ended", [str(number) for number in range(30)] + ["", "  "])
    assert said.splitlines() == ["Ended. Last log lines:", *(str(number) for number in range(18, 30))]


def test_port_taken() -> None:
    assert is_port_taken(["x", "E srv start: couldn't bind HTTP server socket, hostname: 127.0.0.1"])
    assert is_port_taken(["bind: Address already in use"])
    assert not is_port_taken(["all is well"])
    assert not is_port_taken([])
