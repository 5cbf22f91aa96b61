"""The idle control plane: memory and processor time, with the first scan done and nothing running."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench.control_plane import control_plane
from bench.sidebyside import print_machine, print_spread

SAMPLES = 6


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print_machine()
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch, "models")
        models.mkdir()
        with control_plane(Path(scratch, "data"), models) as plane:
            process = psutil.Process(plane.process.pid)
            shares, resident = [], []
            for _ in range(SAMPLES):
                before = sum(process.cpu_times()[:2])
                time.sleep(seconds)
                shares.append((sum(process.cpu_times()[:2]) - before) / seconds * 100)
                resident.append(process.memory_info().rss / 1e6)
                print(f"  {resident[-1]:6.1f} MB resident, {shares[-1]:5.2f}% of a core")
            print_spread("resident", resident, "MB")
            print_spread("processor", shares, "% of a core")


if __name__ == "__main__":
    main()
