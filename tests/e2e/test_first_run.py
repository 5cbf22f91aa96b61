"""From nothing to a model that runs: fetched from a hub, found in a folder; and a page without an engine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.browsing import LOAD_MS, browsing, expect_status, press, shoot
from tests.e2e.serving import Serving, serving, serving_environment
from tests.fakes.hub import FakeHub, hub_aside

from synapse_engine.launch.engine import find_engine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

REPO = "org/SmolLM2-135M-Instruct-GGUF"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "SmolLM2 135M Instruct (Q4_1)"
HUGE = "SmolLM2-135M-Instruct.F32.gguf"
TITLE = f"{REPO} Q4_1"


@pytest.fixture
def hub(smollm2_path: Path) -> Iterator[FakeHub]:
    too_large = {"size": 9_000_000_000_000, "lfs": {"oid": "a" * 64, "size": 9_000_000_000_000}}
    with hub_aside() as hub:
        hub.add(REPO, {FILE: smollm2_path.read_bytes(), HUGE: b""}, promised={HUGE: too_large})
        yield hub


@pytest.fixture
def environment(tmp_path: Path, hub: FakeHub) -> dict[str, str]:
    (tmp_path / "models").mkdir()
    searched = f"{tmp_path / 'models'}:{tmp_path / 'not-there'}"
    own = serving_environment(tmp_path / "data", tmp_path / "models")
    return own | {"HF_ENDPOINT": hub.endpoint, "MODEL_SCAN_PATH": searched}


@pytest.fixture
def control_plane(environment: dict[str, str]) -> Iterator[Serving]:
    with serving(environment) as plane:
        yield plane


@pytest.fixture
def page(control_plane: Serving) -> Iterator[Page]:
    with browsing(control_plane.url) as page:
        yield page


def test_a_model_is_fetched_by_name_paused_resumed_and_started(
    page: Page, hub: FakeHub, tmp_path: Path
) -> None:
    looked = page.get_by_role("region", name="Where it looked")
    expect(looked).to_contain_text(str(tmp_path / "models"))
    expect(looked.get_by_role("listitem").filter(has_text="not-there")).to_contain_text("It is not there")
    shoot(page, "first-run")
    hub.bytes_per_second = 8_000_000
    page.get_by_role("textbox", name="Repository on Hugging Face").fill(REPO)
    page.keyboard.press("Enter")
    offers = page.get_by_role("region", name=f"Offers of {REPO}")
    expect(offers.get_by_role("listitem").filter(has_text="Q4_1")).to_contain_text(
        re.compile(r"recommended.*\d+ MB.*fits")
    )
    expect(offers.get_by_role("listitem").filter(has_text="F32")).to_contain_text("no room on the disk")
    press(page, f"FETCH Q4_1 of {REPO}")
    progress = page.get_by_role("progressbar", name=f"Fetching {TITLE}")
    expect(progress).to_have_attribute("value", re.compile(r"^0\.[0-9]*[1-9]"), timeout=LOAD_MS)
    press(page, f"PAUSE {TITLE}")
    download = page.get_by_role("listitem", name=TITLE)
    expect(download).to_contain_text("paused at")
    shoot(page, "first-run-fetching")
    hub.bytes_per_second = None
    press(page, f"RESUME {TITLE}")
    expect_status(page, NAME, "stopped")
    assert hub.ranges()[-1].startswith("bytes=")
    press(page, f"START {NAME}")
    expect_status(page, NAME, "running")


def test_a_download_is_broken_off_and_begun_again(page: Page, hub: FakeHub, control_plane: Serving) -> None:
    hub.bytes_per_second = 4_000_000
    page.get_by_role("button", name="FETCH A MODEL").click()
    dialog = page.get_by_role("dialog", name="Fetch a model from Hugging Face")
    dialog.get_by_role("textbox", name="Repository on Hugging Face").fill(f"https://huggingface.co/{REPO}")
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name=f"FETCH Q4_1 of {REPO}").click()
    expect(dialog.get_by_role("progressbar")).to_be_visible()
    shoot(page, "fetch")
    dialog.get_by_role("button", name=f"Cancel {TITLE}").click()
    expect(dialog.get_by_role("progressbar")).to_be_hidden()
    assert control_plane.http.get("/api/downloads").json()["downloads"] == []
    hub.bytes_per_second = None
    page.get_by_role("region", name="Messages").get_by_role("button", name="Fetch it again").click()
    dialog.get_by_role("button", name=f"START {NAME}").click()
    expect_status(page, NAME, "running")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_folder_is_added_and_what_is_in_it_appears(page: Page, tmp_path: Path, smollm2_path: Path) -> None:
    (tmp_path / "my models").mkdir()
    shutil.copy(smollm2_path, tmp_path / "my models")
    field = page.get_by_role("textbox", name="Folder with models")
    field.fill(str(tmp_path / "nothing"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Add a folder")).to_contain_text("It is not there")
    field.fill(f"file://{tmp_path}/my%20models")
    press(page, "ADD FOLDER")
    expect_status(page, NAME, "stopped")
    expect(page.get_by_role("region", name="Messages")).to_contain_text("1 model in it")


def test_without_an_engine_it_says_what_to_type_and_looks_again(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    engine = tmp_path / "bin" / "llama-server"
    with (
        serving(environment | {"LLAMA_SERVER_PATH": str(engine)}) as plane,
        browsing(plane.url) as page,
    ):
        banner = page.get_by_role("alert").filter(has_text="llama-server not found")
        expect(banner).to_contain_text(plane.http.get("/api/system").json()["engine"]["install"])
        expect(banner).to_contain_text(str(engine))
        shoot(page, "no-engine")
        banner.get_by_role("button", name="LOOK AGAIN").click()
        expect(page.get_by_role("region", name="Messages")).to_contain_text("Still none that runs")
        engine.parent.mkdir()
        engine.symlink_to(find_engine(None, None))
        banner.get_by_role("button", name="LOOK AGAIN").click()
        expect(banner).to_be_hidden()
