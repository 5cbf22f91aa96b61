"""`python -m tests.chaos [--steps N] [--seed S ...] [--real]`: long runs, with their counts."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.driver import Broken, Chaos


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, nargs="*", help="default: three random ones")
    parser.add_argument("--real", action="store_true", help="with the real llama-server")
    asked = parser.parse_args()
    broken = 0
    for seed in asked.seed or [random.randrange(1 << 32) for _ in range(3)]:
        with tempfile.TemporaryDirectory() as folder:
            chaos = Chaos(Path(folder), seed, asked.real)
            try:
                chaos.run(asked.steps)
                verdict = "no invariant broken"
            except Broken as problem:
                broken += 1
                verdict = f"BROKEN: {problem}"
            sys.stdout.write(f"seed {seed}, {asked.steps} steps: {verdict}\n")
            for name, count in sorted(chaos.counts.items()):
                sys.stdout.write(f"  {count:6} {name}\n")
            sys.stdout.flush()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
