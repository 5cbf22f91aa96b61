"""The models' table in a real Chromium, with 2,000 models and with a few; the engine is the fake one."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.e2e.browsing import SHOTS, chromium, expect_status
from tests.e2e.serving import Serving, serving, serving_environment
from tests.e2e.watching import FIRST_ROWS, leap, scroll_by_wheel
from tests.fakes.stage import Behaviour, write_engine
from tests.gguf_files import write_llama

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MANY = 2000
# Of the window's height, of what is built beyond it, and some more.
MOST_BUILT = 60
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}
SOUND, OTHER, BROKEN = "Llama 3.2 1B (F32)", "Qwen2.5 7B Instruct (F32)", "gemma 3 27B it (F32)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextmanager
def with_fakes(folder: Path, files: dict[str, Behaviour], **settings: str) -> Iterator[Serving]:
    """A control plane whose models are of the given names and behave so."""
    models = folder / "models"
    models.mkdir()
    template = write_llama(folder / "template.gguf", layers=1).read_bytes()
    for name, behaviour in files.items():
        path = models / f"{name}.gguf"
        path.write_bytes(template)
        behaviour.write(path, None)
    engine = write_engine(folder / "llama-server", sys.executable)
    environment = serving_environment(folder / "data", models) | {"LLAMA_SERVER_PATH": str(engine)}
    with serving(environment | settings) as plane:
        yield plane


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    files = {f"model-{number}-1B": Behaviour() for number in range(MANY)}
    with with_fakes(tmp_path_factory.mktemp("many"), files) as plane:
        yield plane


FEW = {
    "Llama-3.2-1B-F32": Behaviour(),
    "Qwen2.5-7B-Instruct-F32": Behaviour(),
    "gemma-3-27b-it-F32": Behaviour(exit_code=1, log=["error loading model: no such tensor"]),
}


@pytest.fixture
def few(tmp_path: Path) -> Iterator[Serving]:
    """Two that are sound, and one whose engine ends at once."""
    with with_fakes(tmp_path, FEW) as plane:
        yield plane


@pytest.fixture
def short(tmp_path: Path) -> Iterator[Serving]:
    """The same, with memory for one."""
    with with_fakes(tmp_path, FEW, SYNAPSE_MEMORY_LIMIT_MB="30") as plane:
        yield plane


@contextmanager
def opened(browser: Browser, url: str, size: dict[str, int] = WIDE) -> Iterator[Page]:
    """A window on the page; any error in its console fails the test."""
    page = browser.new_page(viewport={"width": size["width"], "height": size["height"]})
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script(FIRST_ROWS)
    page.goto(url)
    page.locator("tbody[data-model]").first.wait_for()
    yield page
    page.close()
    # A start that is refused is an answer of its own status, which the browser writes down too.
    assert [text for text in complaints if "507" not in text] == []


def names(page: Page) -> list[str]:
    return page.locator("tbody[data-model] .name").all_inner_texts()


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def search(page: Page, words: str) -> None:
    page.get_by_role("searchbox", name="Search models").fill(words)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_of_2000_only_those_near_the_screen_are_built(
    browser: Browser, many: Serving, size: dict[str, int]
) -> None:
    with opened(browser, many.url, size) as page:
        assert page.evaluate("window.firstRows") > 0
        expect(page.get_by_text("2,000 models", exact=True)).to_be_visible()
        table = page.get_by_role("table", name="Models")
        expect(table).to_have_attribute("aria-rowcount", str(MANY + 1))
        assert names(page)[:3] == [f"model {number} 1B (F32)" for number in range(3)]
        assert len(names(page)) <= MOST_BUILT
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        # As high as all of them, so that the scroll bar tells the truth.
        assert table.bounding_box()["height"] > MANY * 45  # type: ignore[index]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_frame_of_scrolling_shows_rows(browser: Browser, many: Serving, size: dict[str, int]) -> None:
    with opened(browser, many.url, size) as page:
        wheel = [blank for _, blank in scroll_by_wheel(page)]
        assert len(wheel) > 20
        assert [blank for blank in wheel if blank > 0] == []
        leaps = [blank for _, blank in leap(page)]
        # Where a leap ends is drawn with the next frame at the latest.
        assert [pair for pair in pairwise(leaps) if min(pair) > 0] == []
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        expect(page.locator(f"tbody[data-index='{MANY - 1}']")).to_be_in_viewport()


def test_the_rest_of_a_word_narrows_it_down_and_the_address_keeps_it(browser: Browser, many: Serving) -> None:
    with opened(browser, many.url) as page:
        page.get_by_role("searchbox", name="Search models").press_sequentially("model-199")
        expect(page.get_by_text("11 of 2,000 models", exact=True)).to_be_visible()
        found = [199, *range(1990, 2000)]
        assert names(page) == [f"model {number} 1B (F32)" for number in found]
        button(page, "Model").click()
        expect(page.get_by_role("columnheader", name="Model")).to_have_attribute("aria-sort", "descending")
        expect(page).to_have_url(re.compile(r"\?(?=.*q=model-199)(?=.*sort=-name)"))
        page.reload()
        expect(page.get_by_text("11 of 2,000 models", exact=True)).to_be_visible()
        assert names(page) == [f"model {number} 1B (F32)" for number in reversed(found)]
        search(page, "no such thing")
        expect(page.get_by_text("No model matches “no such thing”.")).to_be_visible()
        button(page, "Show all models").click()
        expect(page.get_by_text("2,000 models", exact=True)).to_be_visible()


def test_it_is_sorted_by_every_column(browser: Browser, many: Serving) -> None:
    with opened(browser, many.url) as page:
        headers = page.locator(".models thead .sort:visible").all()
        assert len(headers) >= 10
        for header in headers:
            column = page.get_by_role("columnheader", name=header.inner_text().split()[0], exact=True)
            header.click()
            expect(column).to_have_attribute("aria-sort", "ascending")
            header.click()
            expect(column).to_have_attribute("aria-sort", "descending")
            assert page.locator("th[aria-sort$='scending']").count() == 1


def test_the_keyboard_goes_to_the_last_of_2000_and_back(browser: Browser, many: Serving) -> None:
    with opened(browser, many.url) as page:
        focused = page.locator(".name:focus")
        page.keyboard.press("j")
        page.keyboard.press("ArrowDown")
        expect(focused).to_have_text("model 1 1B (F32)")
        page.keyboard.press("End")
        expect(focused).to_have_text("model 1999 1B (F32)")
        expect(focused).to_be_in_viewport()
        for _ in range(20):
            page.keyboard.press("k")
        expect(focused).to_have_text("model 1979 1B (F32)")
        assert_uncovered(page)
        # Who scrolls away from where he was does not lose the place.
        page.mouse.move(700, 600)
        page.mouse.wheel(0, -200_000)
        expect(page.locator("tbody[data-index='0']")).to_be_in_viewport()
        expect(focused).to_have_text("model 1979 1B (F32)")
        page.keyboard.press("Home")
        expect(focused).to_have_text("model 0 1B (F32)")
        expect(focused).to_be_in_viewport()
        assert_uncovered(page)


def assert_uncovered(page: Page) -> None:
    """What has the focus is not behind a bar."""
    page.wait_for_function(
        """() => {
          const { left, top } = document.activeElement.getBoundingClientRect();
          return document.elementFromPoint(left + 4, top + 4) === document.activeElement;
        }"""
    )


def test_all_2000_are_enabled_at_once_and_that_is_taken_back(browser: Browser, many: Serving) -> None:
    with opened(browser, many.url) as page:
        page.get_by_role("checkbox", name="Select all that are shown").check()
        bar = page.get_by_role("region", name="Selected models")
        expect(bar).to_contain_text("2,000 selected")
        button(page, "Enable selected").click()
        expect(page.get_by_text("Enabled 2000 models", exact=True)).to_be_visible()
        expect(page.get_by_role("checkbox", name="Enabled model 0 1B (F32)", exact=True)).to_be_checked()
        button(page, "Undo").click()
        expect(page.get_by_text("Disabled 2000 models", exact=True)).to_be_visible()
        expect(page.get_by_role("checkbox", name="Enabled model 0 1B (F32)", exact=True)).not_to_be_checked()


def test_a_start_is_weighed_before_it_is_made_and_can_be_forced(browser: Browser, short: Serving) -> None:
    with opened(browser, short.url) as page:
        memory = page.get_by_role("region", name="Memory")
        place = page.locator("tbody[data-model]").first.bounding_box()
        button(page, f"START {SOUND}").hover()
        expect(memory).to_contain_text(f"{SOUND} takes 20 MB (estimated) and leaves 10 MB free.")
        button(page, f"START {SOUND}").click()
        expect_status(page, SOUND, "running")
        button(page, f"START {OTHER}").focus()
        expect(memory).to_contain_text(f"{OTHER} does not fit")
        expect(memory).to_contain_text(f"To free enough, {SOUND} would have to stop.")
        shoot(page, "table-short")
        # Nothing has moved for all that.
        assert page.locator("tbody[data-model]").first.bounding_box() == place
        page.keyboard.press("Enter")
        failure = page.get_by_role("region", name=f"Failure of {OTHER}")
        expect(failure).to_contain_text("Not enough memory")
        failure.get_by_role("button", name="Start anyway").click()
        expect_status(page, OTHER, "running")
        expect(failure).to_be_hidden()


def test_a_start_all_shows_what_becomes_of_each(browser: Browser, few: Serving) -> None:
    with opened(browser, few.url) as page:
        for name in (SOUND, BROKEN):
            page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
        button(page, "START selected").click()
        fates = page.get_by_role("region", name="What is being started")
        expect(fates).to_contain_text("Started 1/2 servers")
        expect(fates.get_by_role("listitem").filter(has_text=BROKEN)).to_contain_text("cannot be loaded")
        expect(fates.get_by_role("listitem").filter(has_text=SOUND)).to_contain_text("running on port")
        shoot(page, "table-fates")
        failure = page.get_by_role("region", name=f"Failure of {BROKEN}")
        failure.get_by_text("Last log lines").click()
        expect(failure.get_by_text("no such tensor").last).to_be_visible()
        failure.get_by_role("link", name="Open the log").click()
        expect(page.get_by_role("log")).to_contain_text("no such tensor")


def test_a_held_model_says_so_and_is_released(browser: Browser, few: Serving) -> None:
    with opened(browser, few.url) as page:
        page.keyboard.press("j")
        expect(page.locator(".name:focus")).to_have_text(BROKEN)
        page.keyboard.press("j")
        page.keyboard.press("s")
        expect_status(page, SOUND, "running")
        page.keyboard.press("s")
        expect_status(page, SOUND, "stopped")
        button(page, "Held 1").click()
        expect(page.get_by_text("1 of 3 models", exact=True)).to_be_visible()
        shoot(page, "table-held")
        button(page, f"Release {SOUND}").click()
        expect(page.get_by_text(f"Released {SOUND}: a request may start it again.")).to_be_visible()
        (model,) = [
            model
            for model in few.http.get("/api/models/registry").json()["models"]
            if model["display_name"] == SOUND
        ]
        assert model["held"] is False


def shoot(page: Page, name: str) -> None:
    """Wide and narrow, light and dark; nothing may be wider than the window."""
    SHOTS.mkdir(exist_ok=True)
    for size in (NARROW, WIDE):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        for theme in ("dark", "light"):
            page.emulate_media(color_scheme=theme)
            page.screenshot(path=SHOTS / f"{name}-{size['width']}-{theme}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
