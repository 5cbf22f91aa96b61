"""The page in a real Chromium: wide and narrow, light and dark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

SHOTS = Path(__file__).parent / "shots"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOAD_MS = 60_000
# The real model's shown name.
REAL = "SmolLM2 135M Instruct (Q4_1)"


@contextmanager
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or os.environ.get("CHROMIUM_PATH")
    if path is None:
        pytest.fail("The browser test needs Chromium: apt-get install chromium, or set CHROMIUM_PATH.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@contextmanager
def browsing(url: str, *, forgives: tuple[str, ...] = ()) -> Iterator[Page]:
    """A wide window on the address; any error in its console fails the test, but those with the words."""
    with chromium() as browser:
        window = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        window.set_default_timeout(LOAD_MS)
        complaints: list[str] = []
        window.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
        window.on("pageerror", lambda error: complaints.append(str(error)))
        window.goto(url)
        yield window
        window.close()
        assert [said for said in complaints if not any(words in said for words in forgives)] == []


def is_complaint(said: ConsoleMessage) -> bool:
    """An error; but a browser also writes down each refusal, of which some are what a test is about."""
    return said.type == "error" and "status of 422" not in said.text


def shoot(page: Page, name: str) -> None:
    """Wide and narrow, light and dark; nothing may be wider than the window."""
    SHOTS.mkdir(exist_ok=True)
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.screenshot(path=SHOTS / f"{name}-{width}-{theme}.png")
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, f"{name} is {too_wide} px too wide at {width}"
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def expect_status(page: Page, name: str, status: str) -> None:
    """What the row of the model of that name says."""
    row = page.locator("[data-model]").filter(has_text=name)
    expect(row).to_have_attribute("data-status", status, timeout=LOAD_MS)


def rate_words(per_second: float) -> str:
    """As the page writes it."""
    return f"{per_second:.1f} t/s" if per_second < 100 else f"{per_second:.0f} t/s"
