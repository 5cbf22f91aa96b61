"""The first scan of 1,000 models with 20 distinct tokenizers, a rescan, and how long the event loop waits.

Every cold run is a new process that has never seen the files, which the machine's page cache has. The models
are headers of real size (32 layers, 291 tensors); their tensors' data is a hole, so the disk stays small.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.gguf_files import Tensor, build_header

from bench.sidebyside import print_machine, print_spread
from synapse_engine.catalog.discovery import HeaderCache, scan

Result = TypeVar("Result")

MODELS = 1000
ROUNDS = 10
RESCANS = 10
LAYERS = 32
WIDTH = 4096
TENSORS_OF_A_LAYER = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
NORMS_OF_A_LAYER = ("attn_norm", "ffn_norm")
Q4_K = 12
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ tools }}{% endfor %}"


class Run(NamedTuple):
    """Seconds of the first scan and of each rescan; the event loop's longest wait, and without a scan."""

    cold: float
    warm: list[float]
    lag_ms: float
    idle_lag_ms: float


class Tokenizer(NamedTuple):
    """`share` of all models have one of `distinct` tokenizers of this size."""

    tokens: int
    merges: int
    distinct: int
    share: float


TOKENIZERS = (
    Tokenizer(32_000, 0, 8, 0.4),
    Tokenizer(128_256, 0, 6, 0.3),
    Tokenizer(151_936, 151_387, 4, 0.2),
    Tokenizer(262_144, 0, 2, 0.1),
)


def main() -> None:
    if "--once" in sys.argv:
        print(json.dumps(asyncio.run(run_once(Path(sys.argv[-1])))))
        return
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        write_models(Path(folder))
        # Until they are on the disk, the kernel spends ten seconds on reading these holes.
        os.sync()
        print(f"{MODELS} models written in {time.perf_counter() - began:.0f} s")
        # The first one brings the files' beginnings into the page cache.
        _, *runs = [run_apart(folder) for _ in range(ROUNDS + 1)]
    print(f"\n{ROUNDS} processes: seconds of the first scan and of {RESCANS} rescans, longest waits in ms")
    for run in runs:
        print(f"  {run.cold:7.3f} {min(run.warm):7.3f}..{max(run.warm):.3f} {run.lag_ms:7.1f}")
    print_spread("first scan", [run.cold for run in runs], "s")
    print_spread("rescan", [seconds for run in runs for seconds in run.warm], "s")
    print_spread("the loop's longest wait", [run.lag_ms for run in runs], "ms")
    print_spread("the same without a scan", [run.idle_lag_ms for run in runs], "ms")


def run_apart(folder: str) -> Run:
    command = [sys.executable, "-m", "bench.discovery", "--once", folder]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Run(*json.loads(done.stdout))


async def run_once(folder: Path) -> Run:
    """Scan once and again, in a thread as the control plane does, with a heartbeat beside it."""
    headers = HeaderCache()
    first, lag = await beside_heartbeat(asyncio.to_thread(scan, [folder], headers))
    assert len(first.models) == MODELS and not first.skipped, first.skipped[:3]
    again = [await asyncio.to_thread(scan, [folder], headers) for _ in range(RESCANS)]
    _, idle_lag = await beside_heartbeat(asyncio.sleep(first.seconds))
    return Run(first.seconds, [one.seconds for one in again], lag * 1000, idle_lag * 1000)


async def beside_heartbeat(work: Awaitable[Result]) -> tuple[Result, float]:
    """The work's result, and the longest that the event loop was late meanwhile, in seconds."""
    lags = [0.0]
    heart = asyncio.create_task(beat(lags))
    result = await work
    heart.cancel()
    return result, max(lags)


async def beat(lags: list[float], period_seconds: float = 0.001) -> None:
    """Note by how much each wake-up comes too late."""
    while True:
        due = time.perf_counter() + period_seconds
        await asyncio.sleep(period_seconds)
        lags.append(time.perf_counter() - due)


def write_models(folder: Path) -> None:
    for tokenizer in TOKENIZERS:
        for number in range(tokenizer.distinct):
            header, size = template(tokenizer, number)
            copies = round(MODELS * tokenizer.share / tokenizer.distinct)
            for copy in range(copies):
                name = f"Model{tokenizer.tokens}-{number}-{copy}-7B-Q4_K_M.gguf"
                path = folder / f"org{number}" / f"Repo-{copy}-GGUF" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, "wb") as file:
                    file.write(header)
                    file.truncate(size)


def template(tokenizer: Tokenizer, number: int) -> tuple[bytes, int]:
    """A header, and the size of the file it would begin."""
    keys = {
        "general.architecture": "llama",
        "general.name": f"Model {number}",
        "general.file_type": 15,
        "llama.context_length": 32_768,
        "llama.embedding_length": WIDTH,
        "llama.block_count": LAYERS,
        "llama.feed_forward_length": 11_008,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": [f"<{number}:{token}>" for token in range(tokenizer.tokens)],
        "tokenizer.ggml.token_type": [1] * tokenizer.tokens,
        "tokenizer.ggml.merges": [f"m{number} {merge}" for merge in range(tokenizer.merges)] or ["a b"],
        "tokenizer.chat_template": TEMPLATE,
    }
    tensors = list(tensors_of(tokenizer.tokens))
    header = build_header(keys, tensors)
    return header, len(header) + 32 + tensors[-1].offset + WIDTH * tokenizer.tokens


def tensors_of(tokens: int) -> Iterator[Tensor]:
    offset = 0
    shapes = [("token_embd.weight", (WIDTH, tokens))]
    for layer in range(LAYERS):
        shapes += [(f"blk.{layer}.{name}.weight", (WIDTH, WIDTH)) for name in TENSORS_OF_A_LAYER]
        shapes += [(f"blk.{layer}.{name}.weight", (WIDTH, 1)) for name in NORMS_OF_A_LAYER]
    for name, shape in [*shapes, ("output_norm.weight", (WIDTH, 1)), ("output.weight", (WIDTH, tokens))]:
        yield Tensor(name, shape, Q4_K, offset)
        offset += shape[0] * shape[1] * 144 // 256


if __name__ == "__main__":
    main()
