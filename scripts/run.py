"""`make run`: the control plane, with the demo model where there is no model at all."""

from __future__ import annotations

import os
import sys

from demo_model import fetch_demo_model

from synapse_engine.catalog.discovery import HeaderCache, scan
from synapse_engine.catalog.scanner import scan_roots
from synapse_engine.datafolder import DataFolder
from synapse_engine.preferences import Preferences
from synapse_engine.settings import Settings


def main() -> None:
    settings = Settings()
    added = Preferences(settings, DataFolder(settings.data_dir).preferences).folders
    if not scan(scan_roots(settings, added, os.environ), HeaderCache()).models:
        fetch_demo_model(settings.own_models)
    os.execv(sys.executable, [sys.executable, "-m", "synapse_engine", "serve", *sys.argv[1:]])


if __name__ == "__main__":
    main()
