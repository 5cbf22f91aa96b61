"""The pictures in docs/images: the page's pages over the real engine, wide and narrow, light and dark.

    python scripts/shoot_page.py MODEL.gguf [FOLDER]

MODEL.gguf is a small chat model; three copies of it run. All pictures go into FOLDER, `tests/e2e/shots` where none is
given; those that docs/page.md or README.md show are put into docs/images too.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, expect

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
        with (
            serving(serving_environment(Path(scratch, "data"), models)) as plane,
            browsing(plane.url) as page,
        ):
            page.get_by_role("region", name="Where it looked").get_by_role("listitem").first.wait_for()
            shoot(page, folder, "first-run")
    with tempfile.TemporaryDirectory() as scratch, furnished(Path(scratch), model, tokens=96) as plane:
        query_id = plane.http.get("/api/query").json()["queries"][0]["id"]
        run_id = plane.http.get("/api/benchmarks").json()["benchmarks"][0]["id"]
        with browsing(plane.url) as page:
            expect(page.locator(f"[data-model='{FAILED}'][data-status=failed]")).to_be_visible()
            shoot(page, folder, "models")
            at(page, f"?model={RUNNING}")
            expect(page.get_by_role("dialog")).to_contain_text("Layers")
            shoot(page, folder, "details")
            at(page, f"?model={RUNNING}&tab=settings")
            expect(page.get_by_role("button", name="ctx_size 4096:")).to_contain_text("MB")
            shoot(page, folder, "details-settings")
            ask_two_things(page)
            shoot(page, folder, "ask")
            at(page, f"ask?q={query_id}")
            expect(page.get_by_role("heading", name="Question to a mode")).to_be_visible()
            expect(page.get_by_role("region", name="Synthesis")).to_be_visible()
            page.evaluate("scrollTo(0, 0)")
            shoot(page, folder, "council")
            at(page, f"benchmarks?run={run_id}")
            page.get_by_role("table", name="Models, over all prompts").wait_for()
            shoot(page, folder, "benchmarks")
            at(page, "activity")
            page.get_by_role("table", name="Requests that have ended").wait_for()
            shoot(page, folder, "activity")
            at(page, "logs?of=*")
            expect(page.get_by_role("log")).to_contain_text("llama_server")
            shoot(page, folder, "logs")
            at(page, "system")
            page.get_by_role("region", name="Settings").get_by_role("combobox").first.wait_for()
            shoot(page, folder, "system")
            page.keyboard.press("Control+k")
            page.get_by_role("option", name="RE-SCAN HUB").wait_for()
            shoot(page, folder, "palette")
    keep(folder)


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
