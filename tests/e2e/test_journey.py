"""The whole journey on the page with the real engine: with the pointer, with the keyboard alone, in two tabs,
and over the death of the control plane."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.axe import violations
from tests.e2e.browsing import LOAD_MS, browsing, expect_status, press, shoot
from tests.e2e.killing import ControlPlane
from tests.e2e.serving import Serving, serving, serving_environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

MODEL = "smollm2_135m_fast"
NAME = "SmolLM2 135M Instruct (Q4_1)"
QUESTION = "What is the capital of France? Answer in one sentence."
# One thread, as a browser works beside it; and answers that end.
SETTINGS = {"threads": 1, "ctx_size": 2048, "parallel": 1, "n_predict": 48}


@pytest.fixture
def folder(tmp_path: Path, smollm2_path: Path) -> Path:
    folder = tmp_path / "my models"
    folder.mkdir()
    shutil.copy(smollm2_path, folder)
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Serving]:
    """One that finds no model."""
    (tmp_path / "nothing").mkdir()
    with serving(serving_environment(tmp_path / "data", tmp_path / "nothing")) as plane:
        yield plane


@pytest.fixture
def settled(tmp_path: Path, folder: Path) -> Iterator[Serving]:
    """One that has found its model."""
    with serving(serving_environment(tmp_path / "data", folder)) as plane:
        plane.http.patch(f"/api/models/{MODEL}", json={"settings": SETTINGS}).raise_for_status()
        yield plane


def answer_in(page: Page) -> Locator:
    return page.get_by_role("region", name=f"Answer of {NAME}")


def test_from_nothing_to_an_answer_and_back(empty: Serving, folder: Path, tmp_path: Path) -> None:
    with browsing(empty.url) as page:
        looked = page.get_by_role("region", name="Where it looked")
        expect(looked).to_contain_text(str(tmp_path / "nothing"))
        wrong = violations(page, "first run")
        assert wrong == [], "\n".join(wrong)
        shoot(page, "journey-first-run")
        page.get_by_role("textbox", name="Folder with models").fill(str(folder))
        press(page, "ADD FOLDER")
        expect_status(page, NAME, "stopped")
        assert empty.children() == []
        watch_progress(page)
        press(page, f"START {NAME}")
        expect_status(page, NAME, "running")
        assert page.evaluate("window.told").count("starting") == 1
        shoot(page, "journey-running")
        page.get_by_role("link", name="Ask", exact=True).click()
        page.get_by_role("combobox", name="Model").select_option(label=NAME)
        page.get_by_text("System prompt and sampling").click()
        page.get_by_role("spinbutton", name="temperature").fill("0")
        page.get_by_role("textbox", name="Question", exact=True).fill(QUESTION)
        press(page, "ASK")
        expect(answer_in(page)).to_contain_text("Paris", timeout=LOAD_MS)
        expect(answer_in(page)).to_contain_text("tokens/s", timeout=LOAD_MS)
        page.get_by_role("link", name="Activity", exact=True).click()
        past = page.get_by_role("table", name="Requests that have ended")
        expect(past.get_by_role("row")).to_have_count(2)
        page.get_by_role("link", name="Logs", exact=True).click()
        page.get_by_role("combobox", name="Log of").select_option(label=NAME)
        expect(page.get_by_role("log")).to_contain_text("model loaded")
        page.get_by_role("link", name="Models", exact=True).click()
        press(page, f"STOP {NAME}")
        expect_status(page, NAME, "stopped")
        assert empty.children() == []


def watch_progress(page: Page) -> None:
    """`told`: each status that the row shows from now on."""
    page.evaluate(
        """() => {
          const row = document.querySelector("tbody[data-model]");
          window.told = [];
          new MutationObserver(() => {
            if (window.told.at(-1) !== row.dataset.status) window.told.push(row.dataset.status);
          }).observe(row, { attributes: true, attributeFilter: ["data-status"] });
        }"""
    )


def test_with_the_keyboard_alone(settled: Serving) -> None:
    with browsing(settled.url) as page:
        keys = page.keyboard
        row = page.locator("tbody[data-model]")
        row.wait_for()
        # A row is gone to, selected, and let go.
        keys.press("j")
        expect(page.locator(".name:focus")).to_have_text(NAME)
        keys.press("Space")
        expect(page.get_by_role("region", name="Selected models")).to_contain_text("1 selected")
        keys.press("Escape")
        expect(page.get_by_role("region", name="Selected models")).to_be_hidden()
        change_a_setting(page, settled)
        filter_by_status(page)
        tab_to(page, page.locator(".name"))
        keys.press("s")
        expect_status(page, NAME, "running")
        ask_and_stop(page)
        read_the_log(page)
        by_palette(page, "Go to Models")
        by_palette(page, f"STOP {NAME}")
        expect_status(page, NAME, "stopped")
        assert settled.children() == []


def by_palette(page: Page, action: str) -> None:
    """From wherever the focus is."""
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="What to do")).to_be_focused()
    page.keyboard.type(action)
    offered = page.get_by_role("listbox", name="Actions").get_by_role("option", selected=True)
    expect(offered).to_contain_text(action)
    page.keyboard.press("Enter")


def change_a_setting(page: Page, plane: Serving) -> None:
    """In the drawer, by its tabs, and back to the row."""
    keys = page.keyboard
    keys.press("Enter")
    drawer = page.get_by_role("dialog", name=NAME)
    expect(drawer).to_be_visible()
    tab_to(page, drawer.get_by_role("tab", name="Overview"))
    keys.press("ArrowRight")
    tab_to(page, drawer.get_by_role("searchbox", name="Search the settings"))
    keys.type("n_predict")
    tab_to(page, drawer.get_by_label(f"n_predict of {NAME}"))
    keys.press("Control+a")
    keys.type("400")
    tab_to(page, drawer.get_by_role("button", name="SAVE", exact=True))
    with page.expect_response(lambda response: response.request.method == "PATCH"):
        keys.press("Enter")
    assert plane.http.get(f"/api/models/{MODEL}").json()["settings"]["n_predict"] == 400
    keys.press("Escape")
    expect(drawer).to_be_hidden()
    expect(page.locator(".name:focus")).to_have_text(NAME)


def tab_to(page: Page, wanted: Locator) -> None:
    """Tab until it has the focus: everything can be reached."""
    expect(wanted).to_be_visible()
    for _ in range(80):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to {wanted}")


def filter_by_status(page: Page) -> None:
    keys = page.keyboard
    keys.press("/")
    expect(page.get_by_role("searchbox", name="Search models")).to_be_focused()
    keys.type("smol")
    expect(page.get_by_text("1 of 1 model", exact=True)).to_be_visible()
    tab_to(page, page.get_by_role("search").get_by_role("button", name=re.compile("^Tier")))
    keys.press("Enter")
    expect(page.get_by_role("menu")).to_be_visible()
    keys.press("ArrowDown")
    keys.press("Escape")
    expect(page.get_by_role("menu")).to_be_hidden()


def ask_and_stop(page: Page) -> None:
    """A long answer, which Escape stops."""
    keys = page.keyboard
    keys.press("g")
    keys.press("a")
    question = page.get_by_role("textbox", name="Question", exact=True)
    tab_to(page, question)
    keys.type("Tell me a very long story about a river.")
    keys.press("Enter")
    expect(page.locator(".answer .markdown")).to_contain_text(re.compile("."), timeout=LOAD_MS)
    keys.press("Escape")
    expect(page.get_by_text("Stopped.", exact=True)).to_be_visible()


def read_the_log(page: Page) -> None:
    keys = page.keyboard
    by_palette(page, "Go to Logs")
    tab_to(page, page.get_by_role("combobox", name="Log of"))
    keys.type(NAME[:6])
    expect(page.get_by_role("log")).to_contain_text("model loaded")
    tab_to(page, page.get_by_role("searchbox", name="Search the log"))
    keys.type("loaded")
    expect(page.get_by_role("log").locator("mark").first).to_have_text("loaded")


def test_two_tabs_agree(settled: Serving) -> None:
    with browsing(settled.url) as first:
        second = first.context.new_page()
        second.goto(settled.url)
        second.locator("tbody[data-model]").wait_for()
        first.get_by_role("checkbox", name=f"Enabled {NAME}", exact=True).check()
        expect(second.get_by_role("checkbox", name=f"Enabled {NAME}", exact=True)).to_be_checked()
        second.get_by_role("combobox", name=f"Tier {NAME}").select_option("POWERFUL")
        expect(first.get_by_role("combobox", name=f"Tier {NAME}")).to_have_value("powerful")
        press(first, f"START {NAME}")
        expect_status(second, NAME, "running")
        press(second, f"STOP {NAME}")
        expect_status(first, NAME, "stopped")
        for page in (first, second):
            page.goto(f"{settled.url}/#/system")
            page.get_by_role("region", name="Settings").wait_for()
        setting = "Idle stop, in s"
        first.get_by_role("textbox", name=setting).fill("77")
        first.keyboard.press("Tab")
        expect(second.get_by_role("textbox", name=setting)).to_have_value("77")


@pytest.mark.parametrize("end", ["kill", "keep"])
def test_the_control_plane_goes_and_comes_under_an_open_page(tmp_path: Path, folder: Path, end: str) -> None:
    environment = serving_environment(tmp_path / "data", folder) | {"SYNAPSE_KEEP_SERVERS": "1"}
    with ControlPlane(environment, tmp_path) as plane:
        plane.http.patch(f"/api/models/{MODEL}", json={"settings": SETTINGS}).raise_for_status()
        plane.http.post(f"/api/models/servers/{MODEL}/start").raise_for_status()
        pid = plane.status()[MODEL]["pid"]
        with browsing(plane.url, forgives=("ERR_", "503")) as page:
            expect_status(page, NAME, "running")
            if end == "kill":
                plane.kill()
            else:
                plane.end()
            # Long before it looks by itself, every 30 s.
            expect(page.get_by_text("The control plane is unreachable")).to_be_visible(timeout=15_000)
            # What it knew stays in sight.
            expect_status(page, NAME, "running")
            plane.start_again()
            expect(page.get_by_role("region", name="Messages")).to_contain_text(
                "The control plane was restarted. 1 model kept running.", timeout=LOAD_MS
            )
            expect(page.get_by_text("The control plane is unreachable")).to_be_hidden()
            expect_status(page, NAME, "running")
            assert plane.status()[MODEL]["pid"] == pid
            press(page, f"STOP {NAME}")
            expect_status(page, NAME, "stopped")
