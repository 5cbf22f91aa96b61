"""A model's details on the page: settings that reach the engine, names, the log, and code that works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.browsing import LOAD_MS, browsing, press, shoot
from tests.e2e.serving import Serving, serving, serving_environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MODEL = "smollm2_135m_fast"
NAME = "SmolLM2 135M Instruct (Q4_1)"
START = f"/api/models/servers/{MODEL}/start"


@pytest.fixture
def control_plane(tmp_path: Path, smollm2_path: Path) -> Iterator[Serving]:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(smollm2_path, models)
    with serving(serving_environment(tmp_path / "data", models)) as plane:
        yield plane


@pytest.fixture
def page(control_plane: Serving) -> Iterator[Page]:
    with browsing(control_plane.url) as page:
        yield page


def open_drawer(page: Page, tab: str = "Overview") -> Locator:
    press(page, f"Details {NAME}")
    drawer = page.get_by_role("dialog", name=NAME)
    drawer.get_by_role("tab", name=tab).click()
    return drawer


def argv_of(plane: Serving) -> list[str]:
    (server,) = plane.children()
    return server.cmdline()


def test_what_its_header_says_and_what_it_does_now(page: Page, control_plane: Serving) -> None:
    drawer = open_drawer(page)
    expect(drawer).to_contain_text("Layers30")
    expect(drawer).to_contain_text("9, 3 of them cached")
    press(page, f"START {NAME}")
    expect(drawer.get_by_role("status").filter(has_text="running")).to_be_visible(timeout=LOAD_MS)
    # Told every other second: memory is drawn as it is taken.
    drawn = re.compile(r"^Memory, the last 10 min: [1-9]\d\d MB$")
    expect(drawer.get_by_role("img", name=drawn)).to_be_visible(timeout=LOAD_MS)
    question = {"role": "user", "content": "Say yes."}
    body = {"model": MODEL, "messages": [question], "max_tokens": 8}
    control_plane.http.post("/v1/chat/completions", json=body).raise_for_status()
    expect(drawer.get_by_role("img", name="Requests, the last 10 min: 1")).to_be_visible(timeout=LOAD_MS)
    expect(drawer.locator("figure").filter(has_text="Speed")).to_contain_text("t/s")
    shoot(page, "details")
    press(page, f"STOP {NAME}")
    expect(drawer.get_by_role("status").filter(has_text="stopped")).to_be_visible()
    expect(drawer).to_contain_text("requests do not start it")
    press(page, "RELEASE")
    expect(drawer.get_by_text("requests do not start it")).to_be_hidden()


def test_a_setting_is_priced_saved_and_taken_up_by_a_restart(page: Page, control_plane: Serving) -> None:
    control_plane.http.post(START).raise_for_status()
    before = argv_of(control_plane)
    assert before[before.index("--ctx-size") + 1] == "8192"
    drawer = open_drawer(page, "Settings")
    tag = drawer.get_by_role("button", name="ctx_size 4096:")
    expect(tag).to_contain_text("MB")
    tag.click()
    expect(drawer.get_by_label("Memory").first).to_contain_text("−")
    expect(drawer).to_contain_text("size of the prompt context")
    expect(drawer).to_contain_text("with a context of 4k tokens")
    drawer.get_by_role("searchbox", name="Search the settings").fill("memory-map")
    drawer.get_by_role("checkbox", name=f"mmap of {NAME}").uncheck()
    shoot(page, "settings")
    press(page, "SAVE AND RESTART")
    # From the old server over none to the new one.
    expect(drawer.get_by_role("status").filter(has_text=re.compile("^(?!running)"))).to_be_visible()
    expect(drawer.get_by_role("status").filter(has_text="running")).to_be_visible(timeout=LOAD_MS)
    argv = argv_of(control_plane)
    assert "--no-mmap" in argv
    assert argv[argv.index("--ctx-size") + 1] == "4096"
    assert control_plane.http.get(f"/api/models/{MODEL}").json()["settings"] == {
        "ctx_size": 4096,
        "mmap": False,
    }


def test_what_an_engine_refuses_is_said_at_the_field_and_nothing_is_lost(page: Page) -> None:
    drawer = open_drawer(page, "Settings")
    replicas = drawer.get_by_label(f"replicas of {NAME}")
    replicas.fill("65")
    field = drawer.get_by_role("listitem").filter(has=page.get_by_label(f"replicas of {NAME}"))
    expect(field.get_by_role("alert")).to_contain_text("less than or equal to 64")
    expect(replicas).to_have_value("65")
    page.keyboard.press("Escape")
    open_drawer(page, "Settings")
    expect(replicas).to_have_value("65")
    press(page, "DISCARD")
    expect(replicas).to_have_value("")


def test_undo_brings_a_setting_back(page: Page, control_plane: Serving) -> None:
    drawer = open_drawer(page, "Settings")
    drawer.get_by_label(f"threads of {NAME}").fill("1")
    with page.expect_response(lambda response: response.request.method == "PATCH"):
        press(page, "SAVE")
    with page.expect_response(lambda response: response.request.method == "PATCH"):
        page.get_by_role("region", name="Messages").get_by_role("button", name="Undo").click()
    assert control_plane.http.get(f"/api/models/{MODEL}").json()["settings"] == {}
    expect(drawer).to_be_visible()


def test_the_address_keeps_it_and_escape_gives_the_focus_back(page: Page) -> None:
    button = page.get_by_role("button", name=f"Details {NAME}", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name=NAME)
    expect(drawer).to_be_visible()
    drawer.get_by_role("tab", name="Overview").focus()
    page.keyboard.press("ArrowRight")
    expect(drawer.get_by_role("tab", name="Settings")).to_have_attribute("aria-selected", "true")
    page.reload()
    expect(drawer.get_by_role("searchbox", name="Search the settings")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert page.evaluate("location.hash") == "#/"
    button.focus()
    page.keyboard.press("Enter")
    expect(drawer).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(button).to_be_focused()


def test_its_log_is_followed(page: Page, control_plane: Serving) -> None:
    drawer = open_drawer(page, "Log")
    log = drawer.get_by_role("log")
    expect(log).to_contain_text("Nothing logged yet")
    press(page, f"START {NAME}")
    expect(log).to_contain_text("llama_server", timeout=LOAD_MS)
    shoot(page, "details-log")


def test_a_variant_answers_by_its_name(page: Page, control_plane: Serving) -> None:
    drawer = open_drawer(page, "Names")
    press(page, "ADD A VARIANT")
    drawer.get_by_label("Name", exact=True).fill("shouter")
    drawer.get_by_label("System prompt").fill("Answer in capitals.")
    drawer.get_by_label("max_tokens").fill("4")
    shoot(page, "details-variant")
    press(page, "SAVE VARIANT")
    expect(drawer.get_by_role("article", name="Variant shouter")).to_contain_text("max_tokens 4")
    control_plane.http.post(START).raise_for_status()
    body = {"model": "shouter", "messages": [{"role": "user", "content": "Tell me a long story."}]}
    answer = control_plane.http.post("/v1/chat/completions", json=body).json()
    assert answer["usage"]["completion_tokens"] == 4


def test_the_code_works_as_it_is_copied(page: Page, control_plane: Serving) -> None:
    # Short answers: what is looked at is that there are some.
    edit = {"aliases": ["it's mine"], "settings": {"n_predict": 24}}
    control_plane.http.patch(f"/api/models/{MODEL}", json=edit).raise_for_status()
    control_plane.http.post(START).raise_for_status()
    drawer = open_drawer(page, "Use")
    drawer.get_by_role("combobox", name="Ask for").select_option("it's mine")
    shoot(page, "details-use")
    for title in ("curl", "Python"):
        code = drawer.get_by_role("region", name=title).locator("code").inner_text()
        assert "it" in code and control_plane.url in code
    curl = drawer.get_by_role("region", name="curl").locator("code").inner_text()
    ran = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(ran.stdout)["choices"][0]["message"]["content"]


def test_it_is_asked_at_once(page: Page, control_plane: Serving) -> None:
    settings = {"n_predict": 24, "temperature": 0}
    control_plane.http.patch(f"/api/models/{MODEL}", json={"settings": settings}).raise_for_status()
    control_plane.http.post(START).raise_for_status()
    press(page, f"Ask {NAME}")
    drawer = page.get_by_role("dialog", name=NAME)
    drawer.get_by_role("textbox", name=f"Question for {NAME}").fill(
        "What is the capital of France? Answer in one sentence."
    )
    page.keyboard.press("Enter")
    expect(drawer.get_by_label(f"Answer of {NAME}")).to_contain_text("Paris", timeout=LOAD_MS)
