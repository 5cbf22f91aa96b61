"""Builds the page before it is packed, so that the wheel brings it along."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Wheels, editable ones included, and source archives all carry a page that matches its sources."""

    def dependencies(self) -> list[str]:
        """Node.js from PyPI, where there is none and the page is not built yet."""
        page = self._page()
        return [] if page.is_built() or page.node_on_path() else [page.FALLBACK_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        try:
            self._page().build_page()
        except Exception as failure:
            if type(failure).__name__ != "CannotBuild":
                raise
            self.app.abort(str(failure))

    def _page(self) -> ModuleType:
        """`web/build.py`, which is a script and no package."""
        path = Path(self.root, "web", "build.py")
        spec = importlib.util.spec_from_file_location("synapse_page_build", path)
        if spec is None or spec.loader is None:
            sys.exit(f"{path} is missing")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
