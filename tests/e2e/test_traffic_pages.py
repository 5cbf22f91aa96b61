"""Activity, logs and system in a real Chromium, over the real control plane and the real llama-server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.browsing import REAL, browsing, shoot
from tests.e2e.serving import Serving, serving, serving_environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MODEL_ID = "smollm2_135m_fast"


@pytest.fixture
def control_plane(tmp_path: Path, smollm2_path: Path) -> Iterator[Serving]:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(smollm2_path, models)
    with serving(serving_environment(tmp_path / "data", models)) as plane:
        answer = plane.http.post(f"/api/models/servers/{MODEL_ID}/start")
        assert answer.status_code == 200, answer.text
        yield plane


@pytest.fixture
def page(control_plane: Serving) -> Iterator[Page]:
    with browsing(control_plane.url) as page:
        # Keys are heard once the page is there.
        page.locator("tbody[data-model]").first.wait_for()
        yield page


def test_logs_of_a_server_and_of_the_control_plane(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("l")
    log = page.get_by_role("log")
    expect(log).to_contain_text("INFO")
    page.get_by_role("combobox", name="Log of").select_option(label=REAL)
    expect(log).to_contain_text("llama_server")
    expect(page.get_by_text("Following.")).to_be_visible()
    at_end = "box => box.scrollHeight - box.scrollTop - box.clientHeight"
    assert log.evaluate(at_end) <= 1
    shoot(page, "logs")
    page.keyboard.press("/")
    page.keyboard.type("Load")
    expect(log.locator("mark").first).to_have_text("load", ignore_case=True)
    shoot(page, "logs-found")
    with page.expect_download() as started:
        page.get_by_role("button", name="DOWNLOAD").click()
    assert started.value.suggested_filename == f"{MODEL_ID}.log"
    lines = Path(started.value.path()).read_text().splitlines()
    assert lines and all("load" in line.lower() for line in lines)


def ask(plane: Serving, words: int) -> int:
    """The status of an answer of at most so many words."""
    asked = {"model": MODEL_ID, "prompt": "Once upon a time", "max_tokens": words, "ignore_eos": True}
    return plane.http.post("/v1/completions", json=asked).status_code


def test_activity_live_cancelled_and_past(page: Page, control_plane: Serving) -> None:
    for _ in range(3):
        assert ask(control_plane, 8) == 200
    assert control_plane.http.post("/v1/completions", json={"model": "nobody"}).status_code == 404
    page.keyboard.press("g")
    page.keyboard.press("t")
    past = page.get_by_role("table", name="Requests that have ended")
    expect(past.get_by_role("row")).to_have_count(5)
    with ThreadPoolExecutor() as clients:
        asked = [clients.submit(ask, control_plane, 3000) for _ in range(2)]
        live = page.get_by_role("table", name="Requests in flight")
        expect(live.get_by_role("row")).to_have_count(3)
        expect(page.get_by_role("table", name="Queue").get_by_role("row")).to_have_count(2)
        shoot(page, "activity")
        for _ in asked:
            before = live.get_by_role("button").count()
            live.get_by_role("button").first.click()
            if before > 1:
                expect(live.get_by_role("button")).to_have_count(before - 1)
        expect(page.get_by_text("No request is in flight.")).to_be_visible()
        # An answer that had not begun is cut off, else an error is sent.
        assert all(answer.exception() or answer.result() >= 400 for answer in asked)
    expect(past.locator(".outcome", has_text="cancelled")).to_have_count(2)
    page.get_by_role("combobox", name="Outcome").select_option(label="refused")
    expect(past.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("img", name="Requests, the last 1 h: 6, 1 failed")).to_be_visible(timeout=30_000)
    shoot(page, "activity-refused")


def test_system_as_the_control_plane_tells_it(page: Page, control_plane: Serving) -> None:
    page.keyboard.press("g")
    page.keyboard.press("s")
    told = control_plane.http.get("/api/system").json()
    expect(page.get_by_role("region", name="Engines")).to_contain_text(told["engine"]["path"])
    expect(page.get_by_role("region", name="Own files")).to_contain_text(told["paths"]["logs"])
    expect(page.get_by_role("region", name="Devices").get_by_role("row")).to_have_count(
        len(told["devices"]) + 1
    )
    shoot(page, "system")
