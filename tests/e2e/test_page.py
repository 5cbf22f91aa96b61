"""The page in a real Chromium, over the real control plane and the real llama-server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.browsing import REAL, browsing, expect_status, press, shoot
from tests.e2e.serving import Serving, serving, serving_environment
from tests.gguf_files import write_llama

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SMALL = "Tiny Llama 1B Instruct (F32)"


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
    with browsing(control_plane.url) as page:
        yield page


def test_tick_start_all_stop_all(page: Page, control_plane: Serving) -> None:
    expect_status(page, REAL, "stopped")
    assert control_plane.children() == []
    for name in (REAL, SMALL):
        page.get_by_role("checkbox", name=f"Enabled {name}", exact=True).check()
    press(page, "START ALL ENABLED")
    for name in (REAL, SMALL):
        expect_status(page, name, "running")
    assert len(control_plane.children()) == 2
    shoot(page, "running")
    press(page, "STOP ALL SERVERS")
    for name in (REAL, SMALL):
        expect_status(page, name, "stopped")
    assert control_plane.children() == []
    shoot(page, "stopped")


def test_start_and_stop_one(page: Page) -> None:
    press(page, f"START {REAL}")
    expect_status(page, REAL, "running")
    press(page, f"STOP {REAL}")
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
    press(page, f"START {SMALL}")
    expect_status(page, SMALL, "failed")
    failure = page.get_by_role("region", name=f"Failure of {SMALL}")
    expect(failure).to_contain_text("exit code 1")
    shoot(page, "failed")
    press(page, f"Dismiss failure of {SMALL}")
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
