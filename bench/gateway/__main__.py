"""The gateway against what could stand in its place, in one run, in turn."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.gguf_files import write_llama

from bench.control_plane import model_path
from bench.gateway import contenders as who
from bench.gateway.contenders import Contender
from bench.gateway.cores import Cores, peak_memory_mb, split_cores
from bench.gateway.figures import CONTENDERS, print_figures, print_gates
from bench.gateway.llama_swap import find_llama_swap
from bench.gateway.measure import LOADS, Run, measure_all
from bench.gateway.upstreams import (
    Upstream,
    missing_tools,
    real_engine,
    write_chat,
    write_streams,
    write_tokenize,
)
from bench.gateway.wrk import CHAT, TOKENIZE, write_script
from bench.sidebyside import print_machine

KINDS = ("chat", "tokenize", "streams")


def main() -> None:
    options = parse_options()
    cores = split_cores()
    print_machine()
    print(f"# contenders alone on core {sorted(cores.contender)}, load and servers on {sorted(cores.load)}")
    os.sched_setaffinity(0, cores.load)
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        upstreams = write_upstreams(folder, options.kinds, cores)
        if not upstreams:
            raise SystemExit("nothing is left to measure with")
        taking_part = list(enter_all(stack, options.names, upstreams, cores, folder))
        scripts = write_scripts(folder, upstreams)
        loads = [load for load, (kind, _) in LOADS.items() if any(up.kind == kind for up in upstreams)]
        figures = measure_all(Run(cores, scripts, options.rounds, options.seconds), loads, taking_part)
        print_figures(figures)
        print_resources(taking_part)
        print_gates(figures)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="of every load and contender (10)")
    parser.add_argument("--seconds", type=int, default=4, help="of every run (4)")
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=[],
        help=f"contenders ({', '.join(CONTENDERS)}) and loads ({', '.join(KINDS)}), split at commas",
    )
    options = parser.parse_args()
    if unknown := set(options.only) - {*CONTENDERS, *KINDS}:
        parser.error(f"--only: unknown {', '.join(sorted(unknown))}")
    options.names = [name for name in CONTENDERS if name in options.only] or list(CONTENDERS)
    options.kinds = [kind for kind in KINDS if kind in options.only] or list(KINDS)
    return options


def write_upstreams(folder: Path, kinds: Sequence[str], cores: Cores) -> list[Upstream]:
    """One for each kind of load that can be measured here; says what cannot, and why."""
    missing = missing_tools()
    if real_engine() is None:
        missing["llama-server"] = "pip install 'synapse-engine[engine]'"
    for tool, way in missing.items():
        print(f"# {tool} is not here ({way}); what needs it is not compared")
    if "taskset" in missing:
        return []
    models = folder / "models"
    models.mkdir()
    upstreams = []
    if "chat" in kinds and not {"nginx", "wrk"} & set(missing):
        upstreams.append(write_chat(folder, write_llama(models / "relay-1B.gguf"), cores))
    if "tokenize" in kinds and "wrk" not in missing and (engine := real_engine()):
        path = models / "SmolLM2-135M.gguf"
        path.symlink_to(model_path())
        upstreams.append(write_tokenize(folder, path, engine, cores))
    if "streams" in kinds:
        upstreams.append(write_streams(folder, write_llama(models / "stream-1B.gguf", seed=1), cores))
    return upstreams


def enter_all(
    stack: ExitStack, names: Sequence[str], upstreams: list[Upstream], cores: Cores, folder: Path
) -> Iterator[Contender]:
    """Those that were asked for and can be had, each with what it can do."""
    base = stack.enter_context(who.direct(upstreams, cores, folder))
    if "direct" in names:
        yield base
    if "ours" in names:
        yield announced(stack.enter_context(who.ours(upstreams, cores, folder)), upstreams)
    if "haproxy" in names and shutil.which("haproxy"):
        print("# " + first_line(["haproxy", "-v"]))
        yield announced(stack.enter_context(who.haproxy(upstreams, base.ports, cores, folder)), upstreams)
    real = [up for up in upstreams if up.kind == "tokenize"]
    engine = real_engine()
    if "router" in names and real and engine is not None:
        print("# llama-server " + first_line([engine, "--version"]))
        yield stack.enter_context(who.router(real[0], engine, cores, folder))
    if "llama-swap" in names and (program := find_llama_swap()):
        print("# " + first_line([program, "--version"]))
        yield announced(stack.enter_context(who.llama_swap(program, upstreams, cores, folder)), upstreams)


def announced(contender: Contender, upstreams: Sequence[Upstream]) -> Contender:
    for up in upstreams:
        if up.kind not in contender.ports:
            print(f"# {contender.name} does not answer {who.PATHS[up.kind]}: not compared there")
        elif contender.paths[up.kind] != who.PATHS[up.kind]:
            print(f"# {contender.name} is asked at {contender.paths[up.kind]}")
    return contender


def first_line(command: Sequence[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.partition("\n")[0]


def write_scripts(folder: Path, upstreams: Sequence[Upstream]) -> dict[str, Path]:
    bodies = {"chat": CHAT, "tokenize": TOKENIZE}
    return {
        up.kind: write_script(folder / f"{up.kind}.lua", bodies[up.kind], up.model_id)
        for up in upstreams
        if up.kind in bodies
    }


def print_resources(taking_part: Sequence[Contender]) -> None:
    print("\n## peak resident memory of what relays, MB")
    for contender in taking_part:
        if contender.pid is not None:
            print(f"  {contender.name:<10} {peak_memory_mb(contender.pid):7.1f}")


if __name__ == "__main__":
    main()
