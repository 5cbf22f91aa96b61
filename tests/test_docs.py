"""The documentation says what the code does, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
REGISTRY_HOSTS = re.compile(
    r'"resolved": *"https?:|registry *= *"?https?:|^(?:--|-i )?(?:extra-)?index-url', re.MULTILINE
)


def test_what_is_taken_from_the_code_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "write_docs.py"), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [page.parent / target for target in LINK.findall(page.read_text())]
    assert [target for target in targets if not target.exists()] == []


def test_no_file_names_a_package_registry() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    naming = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".json", ".txt", ".toml", ".cfg", ".npmrc", ""} and path.is_file():
            if REGISTRY_HOSTS.search(path.read_text(errors="replace")):
                naming.append(name)
    assert naming == []
