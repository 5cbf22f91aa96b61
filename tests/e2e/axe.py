"""What axe finds wrong on a page, for whoever cannot see it, or not well."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

SOURCE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = ((390, 844), (1440, 900))
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RUN = """async () => {
  // What fades in is looked at when it is there.
  await Promise.all(document.getAnimations().map((moving) =>
    moving.effect.getComputedTiming().iterations === Infinity ? null : moving.finished.catch(() => null)));
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(" ")}: ${failureSummary}`));
}"""


def violations(page: Page, place: str) -> list[str]:
    """Wide and narrow, light and dark: one line for each element that breaks one of axe's rules."""
    # By the debugger, as the page's Content-Security-Policy lets no script in.
    if not page.evaluate("'axe' in window"):
        page.evaluate(SOURCE.read_text())
    found = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            found += [f"{place}, {width}, {theme}: {wrong}" for wrong in page.evaluate(RUN)]
    return found
