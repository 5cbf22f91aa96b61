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
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from tests.fakes.stage import write_engine

from bench.control_plane import control_plane
from bench.scale import MODELS, write_models
from bench.sidebyside import print_machine, print_spread

ROUNDS = 10
WORDS = ("model-1", "99 gguf", "stopped fast")
WIDTHS = {"wide": (1440, 900), "narrow": (390, 844)}
FIRST_ROWS_BUDGET_MS = 1000
TYPING_BUDGET_MS = 50

# Milliseconds from the beginning of the navigation to the frame with the first row.
FIRST_ROWS = """
const painted = (then) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => then(performance.now());
  channel.port2.postMessage(0);
});
window.painted = painted;
window.firstRows = new Promise((resolve) => {
  const observer = new MutationObserver(() => {
    if (!document.querySelector("tbody[data-model]")) return;
    observer.disconnect();
    painted(resolve);
  });
  observer.observe(document, { childList: true, subtree: true });
});
"""

# Of each letter: until the next frame, which shows the letter, and until the frame that shows the rows it leaves.
WATCH_TYPING = """() => {
  window.letters = [];
  window.rows = [];
  const field = document.querySelector("input[type=search]");
  let began = null;
  field.addEventListener("keydown", (event) => {
    began = event.timeStamp;
    const from = began;
    painted((at) => window.letters.push(at - from));
  }, true);
  let told = document.querySelector(".filter-count").textContent;
  new MutationObserver(() => {
    const now = document.querySelector(".filter-count").textContent;
    if (began === null || now === told) return;
    told = now;
    const from = began;
    painted((at) => window.rows.push(at - from));
  }).observe(document.querySelector("main"), { childList: true, subtree: true, characterData: true });
}"""

# Every frame while it scrolls: how long after the one before, and how much of the table's place has no row.
WATCH_SCROLLING = """() => {
  window.frames = [];
  window.scrolling = true;
  let before = null;
  const look = (now) => {
    const head = document.querySelector(".models thead").getBoundingClientRect().bottom;
    const from = Math.max(head, document.querySelector(".top-bar").offsetHeight) + 2;
    let blank = 0;
    for (let y = from; y < innerHeight - 4; y += 20) {
      const there = document.elementFromPoint(innerWidth / 2, y);
      if (there?.closest(".gap") && there.getBoundingClientRect().height > 12) blank += 20;
    }
    if (before !== null) window.frames.push([now - before, blank]);
    before = now;
    if (window.scrolling) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


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
    def open_page() -> Page:
        context = browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        page.add_init_script(FIRST_ROWS)
        page.goto(url)
        return page

    opened = []
    for _ in range(ROUNDS):
        page = open_page()
        opened.append(page.evaluate("window.firstRows"))
        page.context.close()
    print_spread(f"first rows, nothing cached, budget {FIRST_ROWS_BUDGET_MS} ms", opened, "ms")
    page = open_page()
    page.get_by_text(f"{MODELS:,} models", exact=True).wait_for()
    letters, rows = type_words(page)
    print_spread(f"a letter in the search, until it is seen, budget {TYPING_BUDGET_MS} ms", letters, "ms")
    print_spread("the same, until its rows are seen", rows, "ms")
    scroll(page)
    page.context.close()


def type_words(page: Page) -> tuple[list[float], list[float]]:
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


def scroll(page: Page) -> None:
    """By the wheel, fast; then by leaps, as with the bar's handle."""
    page.mouse.move(300, 500)
    page.evaluate(WATCH_SCROLLING)
    for _ in range(60):
        page.mouse.wheel(0, 700)
        page.wait_for_timeout(16)
    print_frames("scrolling by the wheel, 700 px a turn", take_frames(page))
    page.evaluate(WATCH_SCROLLING)
    for share in (0.5, 0.1, 0.9, 0.3, 1.0, 0.0):
        page.evaluate(f"scrollTo(0, {share} * document.documentElement.scrollHeight)")
        page.wait_for_timeout(300)
    print_frames("leaps through the whole table", take_frames(page))


def take_frames(page: Page) -> list[tuple[float, float]]:
    page.wait_for_timeout(300)
    frames: list[Any] = page.evaluate("(window.scrolling = false, window.frames)")
    return [(took, blank) for took, blank in frames]


def print_frames(what: str, frames: list[tuple[float, float]]) -> None:
    blank = sum(1 for _, missing in frames if missing > 0)
    print_spread(f"{what}: a frame", [took for took, _ in frames], "ms")
    print(f"  {len(frames)} frames, {blank} of them with a place where a row was missing")


if __name__ == "__main__":
    main()
