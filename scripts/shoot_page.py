"""The pictures in docs/images: the page's pages over the real engine, wide and narrow, light and dark.

    python scripts/shoot_page.py MODEL.gguf [FOLDER]

MODEL.gguf is a small chat model; three copies of it run. All pictures go into FOLDER, `tests/e2e/shots` where
none is given; those that docs/page.md or README.md show are put into docs/images too.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from playwright.sync_api import Locator, Page, expect

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.e2e.browsing import LOAD_MS, SHOTS, browsing  # noqa: E402
from tests.e2e.furnished import FAILED, NAMES, QUESTION, RUNNING, furnished  # noqa: E402
from tests.e2e.serving import serving, serving_environment  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SHOWN = re.compile(r"images/([\w-]+\.png)")
SIZES = ((1440, 900), (390, 844))
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MOST_BYTES = 200_000


def main(model: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch, "models")
        models.mkdir()
        environment = serving_environment(Path(scratch, "data"), models)
        with serving(environment) as plane, browsing(plane.url) as page:
            page.get_by_role("region", name="Where it looked").get_by_role("listitem").first.wait_for()
            shoot(page, folder, "first-run")
    with tempfile.TemporaryDirectory() as scratch, furnished(Path(scratch), model, tokens=96) as plane:
        with browsing(plane.url) as page:
            expect(page.locator(f"[data-model='{FAILED}'][data-status=failed]")).to_be_visible()
            shoot(page, folder, "models")
            for name, (place, is_there) in VIEWS.items():
                page.evaluate("scrollTo(0, 0)")
                at(page, place)
                expect(is_there(page).first).to_be_visible(timeout=LOAD_MS)
                shoot(page, folder, name)
            ask_two_things(page)
            shoot(page, folder, "ask")
            page.keyboard.press("Control+k")
            page.get_by_role("option", name="RE-SCAN HUB").wait_for()
            shoot(page, folder, "palette")
    keep(folder)


# A place, and what is to be seen there.
VIEWS: dict[str, tuple[str, Callable[[Page], Locator]]] = {
    # Memory is told every other second.
    "details": (
        f"?model={RUNNING}",
        lambda page: page.get_by_role("img", name=re.compile(r"^Memory, the last 10 min: \d+ MB$")),
    ),
    "details-settings": (
        f"?model={RUNNING}&tab=settings",
        lambda page: page.get_by_role("button", name=re.compile("ctx_size 4096:.*MB")),
    ),
    "council": ("ask?q=1", lambda page: page.get_by_role("region", name="Synthesis")),
    "benchmarks": ("benchmarks?run=1", lambda page: page.get_by_role("table", name="Models, over all")),
    "activity": ("activity", lambda page: page.get_by_role("table", name="Requests that have ended")),
    "logs": ("logs?of=*", lambda page: page.get_by_role("log").get_by_text("llama_server")),
    "system": ("system", lambda page: page.get_by_role("region", name="Settings").get_by_role("combobox")),
}


def at(page: Page, place: str) -> None:
    page.evaluate(f"location.hash = '#/{place}'")


def ask_two_things(page: Page) -> None:
    at(page, f"ask?model={RUNNING}")
    for number, question in enumerate((QUESTION, "Name three fruits, as a list."), 1):
        page.get_by_role("textbox", name="Question", exact=True).fill(question)
        page.keyboard.press("Enter")
        answers = page.get_by_role("region", name=f"Answer of {NAMES[RUNNING]}")
        expect(answers.filter(has_text="tokens/s")).to_have_count(number, timeout=LOAD_MS)


def shoot(page: Page, folder: Path, name: str) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.screenshot(path=folder / f"{name}-{width}-{theme}.png", animations="disabled")
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})


def keep(folder: Path) -> None:
    """Puts what the documentation shows into its folder, and nothing else."""
    texts = [(ROOT / name).read_text() for name in ("README.md", "docs/page.md")]
    shown = {name for text in texts for name in SHOWN.findall(text)}
    for old in IMAGES.glob("*.png"):
        if old.name not in shown:
            old.unlink()
    for name in sorted(shown):
        size = (folder / name).stat().st_size
        print(f"{name}: {size // 1000} kB{', too large' if size > MOST_BYTES else ''}")
        shutil.copy(folder / name, IMAGES / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else SHOTS)
