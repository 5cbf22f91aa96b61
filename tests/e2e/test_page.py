"""The page in a real Chromium, over the real control plane and the real llama-server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from tests.e2e.serving import Serving, serving, serving_environment
from tests.gguf_files import write_llama

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

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
REAL = "SmolLM2 135M Instruct (Q4_1)"
SMALL = "Tiny Llama 1B Instruct (F32)"
LOAD_MS = 60_000


@pytest.fixture
def control_plane(tmp_path: Path, smollm2_path: Path) -> Iterator[Serving]:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(smollm2_path, models)
    write_llama(models / "Tiny-Llama-1B-Instruct-F32.gguf")
    with open(smollm2_path, "rb") as whole:
        (models / "cut-in-half-7B-Q4_K_M.gguf").write_bytes(whole.read(50_000_000))
    with serving(serving_environment(tmp_path / "data", models)) as plane:
        yield plane


@pytest.fixture
def page(control_plane: Serving) -> Iterator[Page]:
    """A wide window on the page; any error in its console fails the test."""
    chromium = shutil.which("chromium") or os.environ.get("CHROMIUM_PATH")
    if chromium is None:
        pytest.fail("The browser test needs Chromium: apt-get install chromium, or set CHROMIUM_PATH.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        window = browser.new_page(viewport={"width": 1440, "height": 900})
        complaints: list[str] = []
        window.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        window.on("pageerror", lambda error: complaints.append(str(error)))
        window.goto(control_plane.url)
        yield window
        browser.close()
        assert complaints == []


def expect_status(page: Page, name: str, status: str) -> None:
    row = page.locator("tbody[data-model]").filter(has=page.get_by_role("rowheader", name=name))
    expect(row).to_have_attribute("data-status", status, timeout=LOAD_MS)


def shoot(page: Page, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=SHOTS / f"{name}-{width}.png")
    page.set_viewport_size({"width": 1440, "height": 900})


def button(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_tick_start_all_stop_all(page: Page, control_plane: Serving) -> None:
    expect_status(page, REAL, "stopped")
    assert control_plane.children() == []
    for name in (REAL, SMALL):
        page.get_by_role("checkbox", name=f"Enabled {name}", exact=True).check()
    button(page, "START ALL ENABLED")
    for name in (REAL, SMALL):
        expect_status(page, name, "running")
    assert len(control_plane.children()) == 2
    shoot(page, "running")
    button(page, "STOP ALL SERVERS")
    for name in (REAL, SMALL):
        expect_status(page, name, "stopped")
    assert control_plane.children() == []
    shoot(page, "stopped")


def test_start_and_stop_one(page: Page) -> None:
    button(page, f"START {REAL}")
    expect_status(page, REAL, "running")
    button(page, f"STOP {REAL}")
    expect_status(page, REAL, "stopped")


def test_a_file_cut_in_half_is_listed_with_its_reason(page: Page) -> None:
    page.get_by_text("1 file skipped").click()
    expect(page.get_by_text("cut-in-half-7B-Q4_K_M.gguf")).to_be_visible()
    expect(page.get_by_text("cut short")).to_be_visible()


def test_a_failure_is_explained_in_its_row(page: Page, control_plane: Serving) -> None:
    model = next(
        model
        for model in control_plane.http.get("/api/models/registry").json()["models"]
        if model["display_name"] == SMALL
    )
    answer = control_plane.http.patch(
        f"/api/models/{model['model_id']}", json={"settings": {"cache_type_k": "no_such_type"}}
    )
    assert answer.status_code == 200
    button(page, f"START {SMALL}")
    expect_status(page, SMALL, "failed")
    failure = page.get_by_role("region", name=f"Failure of {SMALL}")
    expect(failure).to_contain_text("exit code 1")
    shoot(page, "failed")
    button(page, f"Dismiss failure of {SMALL}")
    expect(failure).to_be_hidden()


def test_what_is_edited_is_kept(page: Page, control_plane: Serving) -> None:
    page.get_by_role("combobox", name=f"Tier {REAL}").select_option("POWERFUL")
    port = page.get_by_role("textbox", name=f"Port {REAL}")
    port.fill("18099")
    port.press("Enter")
    page.get_by_role("checkbox", name=f"Enabled {REAL}", exact=True).check()
    page.reload()
    expect(page.get_by_role("textbox", name=f"Port {REAL}")).to_have_value("18099")
    expect(page.get_by_role("checkbox", name=f"Enabled {REAL}", exact=True)).to_be_checked()
    model = control_plane.http.get("/api/models/smollm2_135m_fast").json()
    assert (model["tier"], model["tier_is_override"]) == ("powerful", True)
    assert (model["port"], model["port_is_pinned"], model["enabled"]) == (18099, True, True)
