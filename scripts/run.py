"""`make run`: the control plane, with the demo model where there is no model at all."""

from __future__ import annotations

import os
import sys

from demo_model import fetch_demo_model

from synapse_engine.catalog.discovery import HeaderCache, scan
from synapse_engine.catalog.scanner import scan_roots
from synapse_engine.settings import Settings


def main() -> None:
    settings = Settings()
    roots = scan_roots(settings, os.environ)
    if not scan(roots, HeaderCache()).models:
        folder = fetch_demo_model(settings.own_models).parent
        if folder not in roots:
            os.environ["MODEL_SCAN_PATH"] = os.pathsep.join(map(str, (*settings.scan_paths, folder)))
    os.execv(sys.executable, [sys.executable, "-m", "synapse_engine", "serve", *sys.argv[1:]])


if __name__ == "__main__":
    main()
