"""The models' table with 2,000 models: the first rows, a letter typed into the search, and scrolling.

A real Chromium over the real control plane. What is timed is timed by the browser: from the event to the
frame that shows what came of it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from tests.e2e.watching import FIRST_ROWS, WATCH_TYPING, leap, scroll_by_wheel
from tests.fakes.stage import write_engine

from bench.control_plane import control_plane
from bench.scale import MODELS, write_models
from bench.sidebyside import print_machine, print_spread

ROUNDS = 5
WORDS = ("model-1", "99 gguf", "stopped fast")
WIDTHS = {"wide": (1440, 900), "narrow": (390, 844)}
FIRST_ROWS_BUDGET_MS = 1000
TYPING_BUDGET_MS = 50


def main() -> None:
    print_machine()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        models = Path(scratch, "models")
        models.mkdir()
        write_models(models)
        engine = write_engine(Path(scratch, "llama-server"), sys.executable)
        environment = {"LLAMA_SERVER_PATH": str(engine)}
        with control_plane(Path(scratch, "data"), models, environment=environment) as plane:
            executable = shutil.which("chromium") or os.environ.get("CHROMIUM_PATH")
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            for name, (width, height) in WIDTHS.items():
                print(f"\n{MODELS} models, {name}, {width} x {height}")
                measure(browser, f"http://127.0.0.1:{plane.port}", width, height)
            browser.close()


def measure(browser: Browser, url: str, width: int, height: int) -> None:
    def open_page() -> tuple[Page, CDPSession]:
        context = browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        page.add_init_script(FIRST_ROWS)
        thread = watch_thread(page)
        page.goto(url)
        return page, thread

    opened, worked = [], []
    for _ in range(ROUNDS):
        page, thread = open_page()
        opened.append(page.evaluate("window.firstRows"))
        worked.append(thread_ms(thread))
        page.context.close()
    print_spread(f"first rows, nothing cached, budget {FIRST_ROWS_BUDGET_MS} ms", opened, "ms")
    print_spread("their processor time", worked, "ms")
    page, thread = open_page()
    page.get_by_text(f"{MODELS:,} models", exact=True).wait_for()
    before = thread_ms(thread)
    letters, rows = type_words(page)
    each = (thread_ms(thread) - before) / len(letters)
    print_spread(f"a letter in the search, until it is seen, budget {TYPING_BUDGET_MS} ms", letters, "ms")
    print_spread("the same, until its rows are seen", rows, "ms")
    print(f"  the processor time of a letter and its rows: {each:.1f} ms")
    print_frames("the wheel, 700 px a turn: a frame", scroll_by_wheel(page))
    print_frames("leaps through the whole table: a frame", leap(page))
    page.context.close()


def watch_thread(page: Page) -> CDPSession:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return session


def thread_ms(session: CDPSession) -> float:
    """What the page's own thread has computed so far: other work on the machine does not count."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def type_words(page: Page) -> tuple[list[float], list[float]]:
    """Milliseconds until each letter was seen, and until its rows were."""
    page.wait_for_timeout(1000)
    field = page.get_by_role("searchbox", name="Search models")
    field.focus()
    page.evaluate(WATCH_TYPING)
    for word in WORDS:
        for letter in word:
            page.keyboard.press(letter if letter != " " else "Space")
            page.wait_for_timeout(120)
        for _ in word:
            page.keyboard.press("Backspace")
            page.wait_for_timeout(120)
    page.wait_for_timeout(500)
    return page.evaluate("window.letters"), page.evaluate("window.rows")


def print_frames(what: str, frames: list[tuple[float, float]]) -> None:
    blank = sum(1 for _, missing in frames if missing > 0)
    print_spread(what, [took for took, _ in frames], "ms")
    print(f"  {len(frames)} frames, {blank} of them with a place where a row was missing")


if __name__ == "__main__":
    main()
