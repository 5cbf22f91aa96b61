"""JavaScript that watches the models' table from within the page, for its tests and its bench."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

# `firstRows`: milliseconds from the beginning of the navigation to the frame with the first row. `painted`
# tells when the next frame has been drawn.
FIRST_ROWS = """
window.painted = (then) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => then(performance.now());
  channel.port2.postMessage(0);
});
window.firstRows = new Promise((resolve) => {
  const observer = new MutationObserver(() => {
    if (!document.querySelector("tbody[data-model]")) return;
    observer.disconnect();
    painted(resolve);
  });
  observer.observe(document, { childList: true, subtree: true });
});
"""

# Of each letter in milliseconds: `letters` until the next frame, which shows it, `rows` until the frame with
# the rows that it leaves.
WATCH_TYPING = """() => {
  window.letters = [];
  window.rows = [];
  const told = () => document.querySelector(".filter-count").textContent;
  let began = null;
  let before = told();
  document.querySelector("input[type=search]").addEventListener("keydown", (event) => {
    began = event.timeStamp;
    const from = began;
    painted((at) => window.letters.push(at - from));
  }, true);
  new MutationObserver(() => {
    if (began === null || told() === before) return;
    before = told();
    const from = began;
    painted((at) => window.rows.push(at - from));
  }).observe(document.querySelector("main"), { childList: true, subtree: true, characterData: true });
}"""

# Of each frame: milliseconds after the one before, and how many px of the table's place have no row.
WATCH_SCROLLING = """() => {
  const frames = window.frames = [];
  let before = null;
  const look = (now) => {
    const bars = document.querySelectorAll(".top-bar, .models thead");
    const from = Math.max(...[...bars].map((bar) => bar.getBoundingClientRect().bottom));
    let blank = 0;
    for (const gap of document.querySelectorAll(".models .gap")) {
      const { top, bottom, height } = gap.getBoundingClientRect();
      // Between cards there is a little space.
      if (height > 12) blank += Math.max(0, Math.min(bottom, innerHeight) - Math.max(top, from));
    }
    frames.push([before === null ? 0 : now - before, blank]);
    before = now;
    if (window.frames === frames) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def scroll_by_wheel(page: Page) -> list[tuple[float, float]]:
    """Fast, down through the table and up again: each frame's milliseconds and blank px."""
    page.mouse.move(200, 600)
    page.evaluate(WATCH_SCROLLING)
    for by in [700] * 24 + [-900] * 12:
        page.mouse.wheel(0, by)
        page.wait_for_timeout(16)
    return take_frames(page)


def leap(page: Page) -> list[tuple[float, float]]:
    """As with the scroll bar's handle, far each time: each frame's milliseconds and blank px."""
    page.evaluate(WATCH_SCROLLING)
    for share in (0.5, 0.1, 0.9, 0.3, 1.0, 0.0):
        page.evaluate(f"scrollTo(0, {share} * document.documentElement.scrollHeight)")
        page.wait_for_timeout(200)
    return take_frames(page)


def take_frames(page: Page) -> list[tuple[float, float]]:
    frames: list[Any] = page.evaluate("(() => { const seen = frames; window.frames = null; return seen; })()")
    # The first one has none before it.
    return [(took, blank) for took, blank in frames[1:]]
