"""Writes what the documentation takes from the code: the OpenAPI document, the lifecycle and settings tables.

With --check nothing is written; the exit code is 1 where a file is not what the code says.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from synapse_engine.app import wire
from synapse_engine.datafolder import DataFolder
from synapse_engine.fleet.state import transition_table
from synapse_engine.settings import CHANGEABLE, Settings

DOCS = Path(__file__).parent.parent / "docs"


async def openapi() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), scan_defaults=False, _env_file=None)
        async with wire(settings, DataFolder(Path(folder))) as (_, application):
            return application.openapi()


def settings_table() -> str:
    lines = ["| name | default | at once | what it is |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        if field.default_factory is not None:
            default = "the platform's user data folder" if field.annotation is Path else "none"
        elif field.default in (None, ()):
            default = "none"
        elif isinstance(field.default, bool):
            default = f"`{int(field.default)}`"
        else:
            default = f"`{field.default}`"
        mark = "x" if name in CHANGEABLE else ""
        lines.append(f"| `{field.validation_alias}` | {default} | {mark} | {field.description} |")
    return "\n".join(lines) + "\n"


def with_block(path: Path, block: str) -> str:
    """The file's text with what stands between its two `generated` marks replaced."""
    begin, end = "<!-- generated: begin -->\n", "<!-- generated: end -->"
    pattern = re.compile(f"({re.escape(begin)}).*?({re.escape(end)})", re.DOTALL)
    return pattern.sub(lambda found: found[1] + block + found[2], path.read_text())


def documents() -> dict[Path, str]:
    """Every generated file's path and what must stand in it."""
    return {
        DOCS / "openapi.json": json.dumps(asyncio.run(openapi()), indent=1, ensure_ascii=False) + "\n",
        DOCS / "lifecycle.md": with_block(DOCS / "lifecycle.md", transition_table()),
        DOCS / "settings.md": with_block(DOCS / "settings.md", settings_table()),
    }


def main() -> int:
    stale = [path for path, text in documents().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path} is not what the code says; run: make types", file=sys.stderr)
        return len(stale)
    for path, text in documents().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
