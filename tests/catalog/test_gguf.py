from __future__ import annotations

import os
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import gguf
import pytest
from tests.gguf_files import (
    ARRAY,
    FLOAT32,
    INT32,
    STRING,
    UINT32,
    UINT64,
    Raw,
    Tensor,
    Typed,
    build_file,
    build_header,
    pack_string,
    write_llama,
)

from synapse_engine.catalog.cursor import GgufError
from synapse_engine.catalog.ggml import FILE_TYPES, TENSOR_TYPES
from synapse_engine.catalog.gguf import ArrayMemo
from synapse_engine.catalog.header import Header, read_header, read_header_from

LLAMA = {"general.architecture": "llama"}


def read(keys: dict[str, Any], tensors: tuple[Tensor, ...] = (), **options: Any) -> Header:
    return read_header(build_file(keys, tensors, **options))


def reason(content: bytes) -> str:
    with pytest.raises(GgufError) as caught:
        read_header(content)
    return str(caught.value)


def array_of(kind: int, count: int, content: bytes = b"") -> Raw:
    return Raw(struct.pack("<IIQ", ARRAY, kind, count) + content)


# -- what a header says ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
def test_versions_two_and_three_are_read(version: int) -> None:
    assert read_header(build_header(LLAMA, version=version)).architecture == "llama"


def test_a_big_endian_file_is_read_and_says_so() -> None:
    header = read_header(build_header(LLAMA | {"llama.context_length": 4096}, byte_order=">"))
    assert (header.architecture, header.context_length, header.byte_order) == ("llama", 4096, "big")


@pytest.mark.parametrize("kind", [UINT32, UINT64, INT32])
def test_integers_of_any_width(kind: int) -> None:
    assert read(LLAMA | {"llama.context_length": Typed(kind, 4096)}).context_length == 4096


def test_a_number_of_the_wrong_sort_is_no_fact() -> None:
    keys = LLAMA | {"llama.context_length": "many", "llama.block_count": -1, "llama.expert_count": True}
    header = read(keys)
    assert header.context_length is None
    assert header.geometry.block_count is None
    assert header.geometry.expert_count is None


def test_facts_per_layer_are_lists() -> None:
    geometry = read(LLAMA | {"llama.attention.head_count_kv": [4, 0, 8]}).geometry
    assert geometry.head_count_kv == [4, 0, 8]


@pytest.mark.parametrize(
    ("file_type", "name"),
    [(15, "Q4_K_M"), (1024 + 15, "Q4_K_M"), (38, "MXFP4"), (30, "IQ4_XS"), (33, None), (9999, None)],
)
def test_file_types(file_type: int, name: str | None) -> None:
    assert read(LLAMA | {"general.file_type": file_type}).file_type == name


@pytest.mark.parametrize(
    ("template", "has_tools", "has_thinking"),
    [
        ("{% for m in messages %}{{ m.content }}{% endfor %}", False, False),
        ("{% if tools %}{{ tools | tojson }}{% endif %}", True, False),
        ("{% if enable_thinking is false %}<think></think>{% endif %}", False, True),
        ("{{ 'toolset' }}", False, False),
    ],
)
def test_what_a_chat_template_can(template: str, has_tools: bool, has_thinking: bool) -> None:
    header = read(LLAMA | {"tokenizer.chat_template": template})
    assert (header.template_has_tools, header.template_has_thinking) == (has_tools, has_thinking)


def test_a_clip_architecture_is_an_mmproj() -> None:
    header = read({"general.architecture": "clip", "clip.vision.projection_dim": 2048})
    assert (header.type, header.projection_dimension) == ("mmproj", 2048)


def test_parameters_are_counted_by_tensor_type() -> None:
    tensors = (Tensor("a", (64, 2), 0), Tensor("b", (32,), 8, 512), Tensor("c", (3,), 0, 576))
    header = read(LLAMA, tensors, data_bytes=588)
    assert header.parameters_by_type == {"F32": 131, "Q8_0": 32}


def test_no_tensors_is_no_hint_and_not_broken() -> None:
    assert read(LLAMA).parameters_by_type == {}


def test_an_unknown_tensor_type_is_counted() -> None:
    assert read(LLAMA, (Tensor("a", (64,), 99),), data_bytes=8).parameters_by_type == {"type 99": 64}


def test_the_digest_tells_headers_apart_and_leaves_vocabularies_out() -> None:
    plain, other = read(LLAMA | {"a": 1}), read(LLAMA | {"a": 2})
    assert plain.digest != other.digest
    one, two = (read(LLAMA | {"tokens": [word, "b"], "c": 1}) for word in ("x", "y"))
    assert one.digest == two.digest


# -- tokenizers met before -------------------------------------------------------------------------


def test_a_vocabulary_met_before_is_not_walked_again() -> None:
    keys = {"tokenizer.ggml.tokens": [f"t{n:05}" for n in range(50_000)], "llama.context_length": 77}
    content = build_file(LLAMA | keys)
    memo = ArrayMemo()
    first = read_header(content, memo)
    assert first.geometry.vocabulary_size == 50_000
    unwalkable = content.replace(pack_string("t25000"), b"\xff" * 14)
    assert read_header(unwalkable, memo) == first
    assert "goes on for" in reason(unwalkable)


def test_a_vocabulary_that_only_begins_alike_is_walked() -> None:
    words = ["x" * 100] * 9
    memo = ArrayMemo()
    read_header(build_file({"tokens": [*words, "short"], **LLAMA}), memo)
    assert read_header(build_file({"tokens": [*words, "longer"], **LLAMA}), memo).architecture == "llama"


# -- what is no GGUF -------------------------------------------------------------------------------

HUGE = 1 << 60
MALFORMED = {
    "empty": (b"", "is empty"),
    "foreign": (b"PK\x03\x04" * 9, "is not a GGUF file"),
    "eight bytes": (build_header()[:8], "is cut short"),
    "version 1": (build_header(version=1), "version 1, too old"),
    "version 4": (build_header(version=4), "version 4"),
    "2^60 keys": (build_header(key_count=HUGE), f"claims {HUGE} keys"),
    "2^60 tensors": (build_header(tensor_count=HUGE), f"claims {HUGE} tensors"),
    "a key's name of 2^60": (build_header(LLAMA)[:24] + struct.pack("<Q", HUGE) + bytes(99), "key's name"),
    "a key without a name": (build_header({"": 1}), "key's name of 0 bytes"),
    "a key's name that is no text": (
        build_header(LLAMA).replace(b"general.", b"\xff\xfe\xff....."),
        "not text",
    ),
    "a string of 2^60": (build_header({"a": Raw(struct.pack("<IQ", STRING, HUGE))}), "goes on for"),
    "an array of 2^60 numbers": (build_header({"a": array_of(UINT32, HUGE)}), "goes on for"),
    "an array of 2^60 strings": (build_header({"a": array_of(STRING, HUGE)}), f"claims {HUGE} strings"),
    "a string in an array of 2^60": (
        build_header({"a": array_of(STRING, 2, struct.pack("<Q", HUGE) + bytes(99))}),
        "goes on for",
    ),
    "a string in an array of 2^64": (
        build_header({"a": array_of(STRING, 2, b"\xff" * 8 + bytes(99))}),
        "goes on for",
    ),
    "an array of arrays": (build_header({"a": array_of(ARRAY, 1, bytes(99))}), "array of arrays"),
    "an unknown type": (build_header({"a": Raw(struct.pack("<I", 13) + bytes(9))}), "unknown type 13"),
    "a key twice": (build_header([("a", 1), ("a", 1)]), "key a twice"),
    "an alignment of 3": (build_header({"general.alignment": 3}), "alignment of 3"),
    "an alignment of text": (build_header({"general.alignment": "x" * 9}), "alignment of x"),
    "five dimensions": (build_header(tensors=[Tensor("a", (1, 1, 1, 1, 1))]), "5 dimensions"),
    "a tensor's name of 2^60": (
        build_header(tensor_count=1) + struct.pack("<Q", HUGE) + bytes(99),
        "tensor's name",
    ),
    "2^120 elements": (build_file(LLAMA, [Tensor("a", (HUGE, HUGE))]), "is cut short"),
    "2^120 elements of an unknown type": (build_file(LLAMA, [Tensor("a", (HUGE, HUGE), 99)]), "is cut short"),
    "an offset of 2^60": (build_file(LLAMA, [Tensor("a", (32,), 0, HUGE)]), "is cut short"),
    "a row that is no whole blocks": (build_file(LLAMA, [Tensor("a", (33,), 8)]), "33 elements in a row"),
    "no tensor data": (build_header(LLAMA, [Tensor("a")]), "is cut short"),
}


@pytest.mark.parametrize(("content", "words"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_files_give_a_reason_at_once(content: bytes, words: str) -> None:
    started = time.perf_counter()
    tracemalloc.start()
    assert words in reason(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert time.perf_counter() - started < 0.5


def test_a_file_cut_anywhere_is_cut_short(tmp_path: Path) -> None:
    content = write_llama(tmp_path / "x.gguf").read_bytes()
    assert read_header(content).architecture == "llama"
    for length in [*range(1, 3000, 7), len(content) // 2, len(content) - 1]:
        assert "cut short" in reason(content[:length]) or length < 4


def test_a_large_alignment_is_honoured() -> None:
    content = build_file({"general.alignment": 4096}, [Tensor("a")], alignment=4096, data_bytes=128)
    assert read_header(content).parameters_by_type == {"F32": 32}
    assert "is cut short: it has 4223 bytes of 4224" in reason(content[:-1])


def test_a_file_that_shrinks_while_it_is_read_is_an_error_in_words(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "x.gguf", vocabulary=20_000)
    size = path.stat().st_size
    with open(path, "rb") as file:

        def read_and_cut(at: int, byte_count: int) -> bytes:
            content = os.pread(file.fileno(), byte_count, at)
            os.truncate(path, 40_000)
            return content

        with pytest.raises(GgufError, match="was cut short while it was being read"):
            read_header_from(read_and_cut, size, ArrayMemo())


# -- the gguf library as the oracle ----------------------------------------------------------------


def test_the_tables_agree_with_the_library() -> None:
    for number, ours in TENSOR_TYPES.items():
        theirs = gguf.GGMLQuantizationType(number)
        assert (ours.name, (ours.block_elements, ours.block_bytes)) == (
            theirs.name,
            gguf.GGML_QUANT_SIZES[theirs],
        )
    assert len(TENSOR_TYPES) == len(gguf.GGML_QUANT_SIZES)
    for number, name in FILE_TYPES.items():
        theirs_name = gguf.LlamaFileType(number).name
        assert theirs_name.removeprefix("ALL_").removeprefix("MOSTLY_").removesuffix("_MOE") == name


def assert_equals_library(path: Path) -> None:
    header = read_header(path.read_bytes())
    reader = gguf.GGUFReader(path)

    def value(key: str) -> Any:
        field = reader.get_field(key)
        return None if field is None else field.contents()

    architecture = header.architecture
    assert architecture == value("general.architecture")
    assert header.name == value("general.name")
    assert header.size_label == value("general.size_label")
    assert header.context_length == value(f"{architecture}.context_length")
    assert header.geometry.block_count == value(f"{architecture}.block_count")
    assert header.geometry.head_count_kv == value(f"{architecture}.attention.head_count_kv")
    assert header.geometry.expert_count == value(f"{architecture}.expert_count")
    assert header.pooling_type == value(f"{architecture}.pooling_type")
    assert header.geometry.vocabulary_size == len(reader.fields["tokenizer.ggml.tokens"].data)
    counted: dict[str, int] = {}
    for tensor in reader.tensors:
        counted[tensor.tensor_type.name] = counted.get(tensor.tensor_type.name, 0) + int(tensor.n_elements)
    assert header.parameters_by_type == counted


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma3", "bert"])
@pytest.mark.parametrize("endian", list(gguf.GGUFEndian), ids=lambda endian: endian.name)
def test_equals_the_library_on_synthetic_models(
    tmp_path: Path, architecture: str, endian: gguf.GGUFEndian
) -> None:
    extra: dict[str, Any] = {
        f"{architecture}.pooling_type": 2,
        f"{architecture}.expert_count": 8,
        f"{architecture}.attention.head_count_kv": [4, 2, 1],
    }
    path = write_llama(
        tmp_path / "x.gguf", name="A Name", size_label="1B", layers=3, architecture=architecture,
        endian=endian, **extra,
    )  # fmt: skip
    assert_equals_library(path)


def test_equals_the_library_on_a_real_model(smollm2_path: Path) -> None:
    assert_equals_library(smollm2_path)


def test_floats_are_no_counts() -> None:
    assert read(LLAMA | {"llama.context_length": Typed(FLOAT32, 4096.0)}).context_length is None


def test_a_text_beyond_a_mebibyte_is_stepped_over() -> None:
    keys = {"a": Raw(struct.pack("<I", STRING) + pack_string("x" * 1_100_000)), **LLAMA}
    assert read(keys).architecture == "llama"
