"""Benchmarks in a real Chromium, over the real control plane and the real llama-server."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e import test_traffic_pages
from tests.e2e.browsing import LOAD_MS, REAL, press, rate_words, shoot
from tests.e2e.serving import Serving, serving, serving_environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
page = test_traffic_pages.page

OTHER = "Other 135M Chat (Q4_1)"
MODEL_ID, OTHER_ID = "smollm2_135m_fast", "other_135m_fast"
# One thread each: this machine is shared with a browser.
SMALL = {"threads": 1, "ctx_size": 2048, "parallel": 1}
FIGURES = "Models, over all prompts"


@pytest.fixture
def control_plane(tmp_path: Path, smollm2_path: Path) -> Iterator[Serving]:
    """The same model under two names, both enabled."""
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(smollm2_path, models)
    shutil.copy(smollm2_path, models / "Other-135M-Chat.Q4_1.gguf")
    with serving(serving_environment(tmp_path / "data", models)) as plane:
        for model_id in (MODEL_ID, OTHER_ID):
            edit = {"enabled": True, "settings": SMALL}
            plane.http.patch(f"/api/models/{model_id}", json=edit).raise_for_status()
        yield plane


def start(plane: Serving, model_id: str) -> None:
    plane.http.post(f"/api/models/servers/{model_id}/start").raise_for_status()


def running(plane: Serving) -> set[str]:
    servers = plane.http.get("/api/models/servers").json()["servers"]
    return {server["model_id"] for server in servers if server["status"] == "running"}


def newest(plane: Serving) -> dict[str, Any]:
    brief = plane.http.get("/api/benchmarks").json()["benchmarks"][0]
    whole: dict[str, Any] = plane.http.get(f"/api/benchmarks/{brief['id']}").json()
    return whole


def write_prompt(page: Page, text: str, tokens: int) -> None:
    """One prompt of one's own, in place of the built-in set, with answers of just that length."""
    page.get_by_role("checkbox", name="Short chat").uncheck()
    press(page, "WRITE A PROMPT")
    page.get_by_role("textbox", name="Your prompt 1").fill(text)
    page.get_by_role("spinbutton", name="Tokens of the answer", exact=True).fill(str(tokens))
    page.get_by_role("checkbox", name="Exactly so many tokens").check()


def progress(page: Page) -> Locator:
    return page.get_by_role("region", name="Progress of")


def wait_until_done(page: Page) -> None:
    expect(page.locator(".bench-facts .bench-status")).to_have_text("done", timeout=2 * LOAD_MS)
    expect(progress(page)).to_have_count(0)


def test_two_runs_from_the_choice_to_the_comparison(page: Page, control_plane: Serving) -> None:
    start(control_plane, MODEL_ID)
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page.get_by_role("button", name="START A FIRST RUN")).to_be_visible()
    expect(page.get_by_text(f"Starts 1 model ({OTHER})")).to_be_visible()
    shoot(page, "benchmarks-none")
    press(page, "CHOOSE MYSELF")
    write_prompt(page, "Tell me about lighthouses.", 60)
    page.get_by_role("spinbutton", name="Repetitions").fill("2")
    expect(page.get_by_text("4 measured requests: 2 models, 1 prompt, 2 repetitions.")).to_be_visible()
    shoot(page, "benchmarks-new")
    press(page, "START")
    expect(progress(page)).to_contain_text("of 4")
    page.reload()
    expect(progress(page)).to_contain_text("of 4")
    assert newest(control_plane)["status"] == "running"
    shoot(page, "benchmarks-running")
    wait_until_done(page)
    see_results(page, control_plane)
    see_exports(page)
    press(page, "RUN AGAIN")
    expect(page.get_by_role("textbox", name="Your prompt 1")).to_have_value("Tell me about lighthouses.")
    press(page, "START")
    wait_until_done(page)
    assert running(control_plane) == {MODEL_ID}
    page.get_by_role("combobox", name="Compare with").select_option(index=1)
    compared = page.get_by_role("table", name="B divided by A")
    expect(compared.get_by_role("rowheader")).to_have_text([REAL, OTHER])
    expect(page.get_by_text("Both were done under the same conditions.")).to_be_visible()
    told = control_plane.http.get("/api/benchmarks/compare", params={"a": 1, "b": 2}).json()
    ratio = told["compared"][0]["ratios"]["output_per_second"]["ratio"]
    expect(compared.get_by_role("row", name=REAL)).to_contain_text(f"{ratio:.2f}×")
    shoot(page, "benchmarks-compared")
    page.get_by_role("link", name="All runs").click()
    shoot(page, "benchmarks-history")
    page.get_by_role("button", name="Delete Benchmark 1").click()
    press(page, "DELETE")
    expect(page.get_by_role("link", name="Benchmark 1")).to_have_count(0)
    assert control_plane.http.get("/api/benchmarks/1").status_code == 404


def see_results(page: Page, plane: Serving) -> None:
    figures = page.get_by_role("table", name=FIGURES)
    for result in newest(plane)["by_model"]:
        row = figures.get_by_role("row", name=result["display_name"])
        median = result["figures"]["output_per_second"]["median"]
        expect(row).to_contain_text(rate_words(median))
        expect(row).to_contain_text(f"{int(result['memory_used_mb'] + 0.5)} MB")
    expect(figures.get_by_role("row", name=REAL)).to_contain_text("ran already")
    figures.get_by_role("button", name="Load").click()
    expect(figures.get_by_role("columnheader", name="Load")).to_have_attribute("aria-sort", "ascending")
    expect(figures.get_by_role("rowheader")).to_contain_text([OTHER, REAL])
    expect(page.get_by_role("img", name=re.compile("Peak memory against Generation"))).to_be_visible()
    for name in (REAL, OTHER):
        expect(page.get_by_role("region", name=f"Answer of {name}")).to_contain_text("lighthouse")
    shoot(page, "benchmarks-results")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("tab", name=OTHER).click()
    expect(page.get_by_role("region", name="Answer of")).to_have_count(1)
    page.set_viewport_size({"width": 1440, "height": 900})


def see_exports(page: Page) -> None:
    files = {}
    for name in ("CSV", "JSON", "Markdown"):
        with page.expect_download() as started:
            page.get_by_role("link", name=name, exact=True).click()
        files[started.value.suggested_filename] = Path(started.value.path()).read_text()
    assert list(files) == ["benchmark-1.csv", "benchmark-1.json", "benchmark-1.md"]
    assert len(list(csv.reader(files["benchmark-1.csv"].splitlines()))) == 5
    assert len(json.loads(files["benchmark-1.json"])["samples"]) == 4
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(page, "COPY AS MARKDOWN")
    expect(page.get_by_text("Copied Benchmark 1 as Markdown.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == files["benchmark-1.md"]


def test_in_isolation_and_cancelled_what_ran_comes_back(page: Page, control_plane: Serving) -> None:
    start(control_plane, MODEL_ID)
    start(control_plane, OTHER_ID)
    page.goto(f"{control_plane.url}/#/benchmarks?new=1")
    write_prompt(page, "Tell me about lighthouses.", 1500)
    page.get_by_role("radio", name="In isolation").check()
    expect(page.get_by_text(re.compile(f"^Stops 2 running models .*{re.escape(REAL)}"))).to_be_visible()
    shoot(page, "benchmarks-new-isolated")
    press(page, "START")
    expect(progress(page)).to_contain_text("Tell me about lighthouses., 1 of 3", timeout=LOAD_MS)
    assert len(running(control_plane)) == 1
    page.get_by_role("button", name="Cancel Benchmark 1").click()
    expect(page.get_by_text(re.compile("The fleet is put back as it was;"))).to_be_visible()
    expect(page.locator(".bench-facts .bench-status")).to_have_text("cancelled", timeout=LOAD_MS)
    expect(page.get_by_text("Afterwards the fleet was put back as it was before")).to_be_visible()
    assert running(control_plane) == {MODEL_ID, OTHER_ID}


def test_a_member_that_does_not_come_up_is_named_with_its_reason(page: Page, control_plane: Serving) -> None:
    start(control_plane, MODEL_ID)
    broken = {"settings": SMALL | {"extra_args": ["--device", "no-such-device"]}}
    control_plane.http.patch(f"/api/models/{OTHER_ID}", json=broken).raise_for_status()
    page.goto(f"{control_plane.url}/#/benchmarks?new=1")
    write_prompt(page, "Tell me about lighthouses.", 8)
    press(page, "START")
    wait_until_done(page)
    row = page.get_by_role("table", name=FIGURES).get_by_role("row", name=OTHER)
    expect(row).to_contain_text("Left out: ")
    expect(row).to_contain_text("no-such-device")
    expect(page.get_by_role("region", name=f"Answer of {OTHER}")).to_contain_text("No answer.")
    shoot(page, "benchmarks-left-out")
