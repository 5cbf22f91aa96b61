from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.catalog.model_files import LLAMA, only_model, put, reasons
from tests.gguf_files import build_header, write_llama

from synapse_engine.catalog.discovery import HeaderCache, Scan, scan
from synapse_engine.catalog.model import Kind

# -- folders and files -----------------------------------------------------------------------------


def test_models_are_found_at_any_depth_and_sorted(tmp_path: Path) -> None:
    paths = [put(tmp_path / name) for name in ("b.gguf", "a/deep/er/x.GGUF", "a/y.Gguf", "notes.txt")]
    found = scan([tmp_path])
    assert [model.path for model in found.models] == sorted(str(path) for path in paths[:3])
    assert found.roots == (str(tmp_path),)


def test_a_real_header_s_facts_reach_the_model(tmp_path: Path) -> None:
    path = write_llama(
        tmp_path / "Tiny-Q4_K_XL.gguf", layers=3, file_type=15, chat_template="{{ tools }}<think>"
    )
    model = only_model(scan([tmp_path]))
    assert model.identity == model.path == str(path)
    assert model.quantization == "Q4_K_XL"
    assert model.capabilities == ("tools", "thinking")
    assert model.parameter_count == 164_288
    assert model.size_b == 164_288 / 1e9
    assert model.base_id == "tiny_1m_fast"
    assert (model.geometry.block_count, model.geometry.vocabulary_size) == (3, 320)
    assert model.file_size_bytes == path.stat().st_size
    assert model.problem is None


def test_a_file_may_be_a_root(tmp_path: Path) -> None:
    path = put(tmp_path / "x.gguf")
    assert only_model(scan([path])).path == str(path)


def test_loops_of_links_end(tmp_path: Path) -> None:
    put(tmp_path / "a" / "x.gguf")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    only_model(scan([tmp_path, tmp_path / "b"]))


def test_links_to_one_file_are_one_model(tmp_path: Path) -> None:
    path = put(tmp_path / "a" / "x.gguf")
    (tmp_path / "soft.gguf").symlink_to(path)
    os.link(path, tmp_path / "hard.gguf")
    only_model(scan([tmp_path]))


def test_equal_copies_are_two_models(tmp_path: Path) -> None:
    shutil.copy(put(tmp_path / "x.gguf"), tmp_path / "y.gguf")
    assert len(scan([tmp_path]).models) == 2


def test_names_that_differ_in_case_are_two_models(tmp_path: Path) -> None:
    put(tmp_path / "x.gguf")
    put(tmp_path / "x.GGUF")
    assert len(scan([tmp_path]).models) == 2


def test_broken_files_are_skipped_with_their_reason(tmp_path: Path) -> None:
    put(tmp_path / "good.gguf")
    whole = put(tmp_path / "whole.bin").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.gguf").touch()
    (tmp_path / "foreign.gguf").write_bytes(b"not a model at all, whatever it is called")
    (tmp_path / "huge.gguf").write_bytes(build_header(key_count=1 << 60))
    (tmp_path / "lost.gguf").symlink_to(tmp_path / "nowhere.gguf")
    (tmp_path / "loop.gguf").symlink_to(tmp_path / "loop.gguf")
    os.mkfifo(tmp_path / "pipe.gguf")
    found = scan([tmp_path])
    assert [Path(model.path).name for model in found.models] == ["good.gguf"]
    told = reasons(found)
    assert told["empty.gguf"] == "is empty"
    assert "cut short" in told["cut.gguf"]
    assert "is not a GGUF file" in told["foreign.gguf"]
    assert "claims" in told["huge.gguf"]
    assert "a link to a file that is not there" in told["lost.gguf"]
    assert "cannot be read" in told["loop.gguf"]
    assert told["pipe.gguf"] == "is not a regular file"


def test_a_name_that_is_not_utf_8_is_skipped_and_can_be_shown(tmp_path: Path) -> None:
    put(tmp_path / "x.gguf").rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.gguf"))
    found = scan([tmp_path])
    assert found.models == ()
    assert found.skipped[0].reason == "has a name that is not UTF-8. Rename it"
    assert found.skipped[0].path.encode().endswith("/\ufffd.gguf".encode())


def test_partial_downloads_are_neither_models_nor_broken(tmp_path: Path) -> None:
    for name in ("x.gguf.incomplete", "y.gguf.downloadInProgress", "blobs/abc.incomplete"):
        put(tmp_path / name)
    (tmp_path / "z.gguf").symlink_to(tmp_path / "blobs" / "abc.incomplete")
    found = scan([tmp_path])
    assert (found.models, found.skipped) == ((), ())


def test_a_root_that_is_not_there_is_said(tmp_path: Path) -> None:
    found = scan([tmp_path / "nowhere"])
    assert "MODEL_SCAN_PATH" in reasons(found)["nowhere"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def scan_as_nobody(root: Path) -> Scan:
    """Scan without root's rights, which no permission stops."""
    script = (
        "import os, sys, msgspec; from pathlib import Path\n"
        "from synapse_engine.catalog.discovery import scan\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "sys.stdout.buffer.write(msgspec.json.encode(scan([Path(sys.argv[1])])))"
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script, str(root)], env=environ, check=True, stdout=subprocess.PIPE
    )
    return msgspec.json.decode(done.stdout, type=Scan)


def test_what_may_not_be_read_is_skipped_with_what_to_do(open_folder: Path) -> None:
    put(open_folder / "good.gguf")
    put(open_folder / "secret.gguf").chmod(0)
    put(open_folder / "closed" / "x.gguf")
    (open_folder / "closed").chmod(0)
    try:
        found = scan_as_nobody(open_folder)
    finally:
        (open_folder / "closed").chmod(0o755)
    assert [Path(model.path).name for model in found.models] == ["good.gguf"]
    told = reasons(found)
    assert "permission denied. Allow it with chmod a+rx" in told["closed"]
    assert "permission denied. Allow it with chmod a+r " in told["secret.gguf"]


# -- shards, parts, kinds --------------------------------------------------------------------------


def test_shards_are_one_model(tmp_path: Path) -> None:
    shards = [put(tmp_path / f"x-7b-0000{n}-of-00003.gguf") for n in (1, 2, 3)]
    model = only_model(scan([tmp_path]))
    assert model.files == tuple(map(str, shards))
    assert (model.shard_count, model.stem, model.problem) == (3, "x-7b", None)
    assert model.parameter_count == 96
    assert model.file_size_bytes == sum(shard.stat().st_size for shard in shards)


def test_a_missing_shard_is_a_problem_that_names_it(tmp_path: Path) -> None:
    put(tmp_path / "x-00002-of-00003.gguf")
    put(tmp_path / "x-00003-of-00003.gguf")
    model = only_model(scan([tmp_path]))
    assert model.problem == "x-00001-of-00003.gguf is missing (1 of 3 shards are)"
    assert model.identity == str(tmp_path / "x-00001-of-00003.gguf")


def test_a_broken_shard_is_a_problem_that_names_it(tmp_path: Path) -> None:
    put(tmp_path / "x-00001-of-00002.gguf")
    (tmp_path / "x-00002-of-00002.gguf").touch()
    found = scan([tmp_path])
    assert found.models[0].problem == "x-00002-of-00002.gguf is empty"
    assert reasons(found) == {"x-00002-of-00002.gguf": "is empty"}


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ({"split.count": 2}, "is a shard of 2"),
        ({"general.architecture": 3}, "names no architecture"),
    ],
)
def test_other_problems(tmp_path: Path, extra: dict[str, Any], problem: str) -> None:
    put(tmp_path / "x.gguf", LLAMA | extra)
    assert problem in str(only_model(scan([tmp_path])).problem)


def test_another_byte_order_is_a_problem(tmp_path: Path) -> None:
    other = ">" if sys.byteorder == "little" else "<"
    (tmp_path / "x.gguf").write_bytes(build_header(LLAMA, byte_order=other))
    assert "-endian" in str(only_model(scan([tmp_path])).problem)


def test_parts_are_no_models(tmp_path: Path) -> None:
    put(tmp_path / "vision.gguf", {"general.architecture": "clip"})
    put(tmp_path / "lora.gguf", **{"general.type": "adapter"})
    put(tmp_path / "data.gguf", {"general.type": "imatrix"})
    put(tmp_path / "head.gguf", {"general.architecture": "eagle3"})
    for name in ("mmproj-x.gguf", "imatrix.gguf", "mtp-x.gguf", "eagle3-x.gguf"):
        put(tmp_path / name)
    found = scan([tmp_path])
    assert (found.models, found.skipped) == ((), ())


def test_a_header_that_says_model_outweighs_the_name(tmp_path: Path) -> None:
    put(tmp_path / "x-imatrix-Q4_K_M.gguf", **{"general.type": "model"})
    only_model(scan([tmp_path]))


@pytest.mark.parametrize(
    ("name", "keys", "kind"),
    [
        ("x", {}, Kind.CHAT),
        ("x", {"llama.pooling_type": 3}, Kind.EMBEDDING),
        ("x", {"llama.pooling_type": 4}, Kind.RERANKING),
        ("x", {"general.architecture": "nomic-bert"}, Kind.EMBEDDING),
        ("bge-reranker-v2-m3", {"general.architecture": "bert"}, Kind.RERANKING),
    ],
)
def test_kinds(tmp_path: Path, name: str, keys: dict[str, Any], kind: Kind) -> None:
    put(tmp_path / f"{name}.gguf", LLAMA | keys)
    assert only_model(scan([tmp_path])).kind is kind


# -- scanning again --------------------------------------------------------------------------------


def test_a_rescan_reads_only_what_changed(tmp_path: Path) -> None:
    same, changed = put(tmp_path / "same.gguf"), put(tmp_path / "changed.gguf")
    headers = HeaderCache()
    scan([tmp_path], headers)
    # Unread content under an old size and time shows that a file was not opened.
    status = same.stat()
    same.write_bytes(bytes(status.st_size))
    os.utime(same, ns=(status.st_atime_ns, status.st_mtime_ns))
    put(changed, **{"llama.context_length": 4096})
    found = scan([tmp_path], headers)
    assert found.skipped == ()
    assert [model.context_length for model in found.models] == [4096, None]


def test_a_broken_file_is_remembered_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.touch()
    headers = HeaderCache()
    assert reasons(scan([tmp_path], headers)) == reasons(scan([tmp_path], headers)) == {"x.gguf": "is empty"}
    put(path)
    only_model(scan([tmp_path], headers))


def test_a_thousand_models_are_found_quickly(tmp_path: Path) -> None:
    content = put(tmp_path / "m0.gguf", **{"tokens": [f"token{n}" for n in range(2000)]}).read_bytes()
    for number in range(1, 1000):
        (tmp_path / f"m{number}.gguf").write_bytes(content)
    headers = HeaderCache()
    first = scan([tmp_path], headers)
    again = scan([tmp_path], headers)
    assert len(first.models) == len(again.models) == 1000
    assert first.seconds < 3
    assert again.seconds < first.seconds


def test_a_scan_survives_json(tmp_path: Path) -> None:
    put(tmp_path / "x.gguf")
    found = scan([tmp_path])
    encoded = msgspec.json.encode(found)
    assert json.loads(encoded)["roots"] == [str(tmp_path)]
    assert msgspec.json.decode(encoded, type=Scan) == found
