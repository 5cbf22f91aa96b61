"""No page breaks a rule of axe: wide and narrow, light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.axe import violations
from tests.e2e.browsing import LOAD_MS, browsing
from tests.e2e.furnished import (
    ALSO_RUNNING,
    FAILED,
    NAMES,
    RUNNING,
    benchmark,
    furnished,
)
from tests.e2e.serving import Serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Iterator[Serving]:
    with furnished(tmp_path_factory.mktemp("axe"), smollm2_path) as plane:
        yield plane


@pytest.fixture
def page(plane: Serving) -> Iterator[Page]:
    with browsing(plane.url) as page:
        page.locator("tbody[data-model]").first.wait_for()
        yield page


def test_every_page(page: Page, plane: Serving) -> None:
    places = page.get_by_role("navigation", name="Pages").get_by_role("link")
    hrefs = [str(link.get_attribute("href")) for link in places.all()]
    assert len(hrefs) >= 6
    found = []
    query_id = plane.http.get("/api/query").json()["queries"][0]["id"]
    run_id = plane.http.get("/api/benchmarks").json()["benchmarks"][0]["id"]
    for href in (
        *hrefs,
        f"#/ask?q={query_id}",
        f"#/benchmarks?run={run_id}",
        "#/benchmarks?new=1",
        "#/nowhere",
    ):
        page.evaluate(f"location.hash = {href!r}")
        expect(page.get_by_role("heading", level=1)).to_be_attached()
        settle(page)
        found += violations(page, href)
    assert found == [], "\n".join(found)


def settle(page: Page) -> None:
    """Until nothing is asked for any more; the stream of events never ends."""
    expect(page.get_by_text(re.compile("^(Asking|Opening|Loading).*…$"))).to_have_count(0)


def test_every_tab_of_a_models_details(page: Page) -> None:
    found = []
    for model, tab in [
        *((RUNNING, tab) for tab in ("overview", "settings", "names", "log", "use")),
        (FAILED, "overview"),
    ]:
        page.evaluate(f"location.hash = '#/?model={model}&tab={tab}'")
        expect(page.get_by_role("dialog").get_by_role("tabpanel")).to_be_visible()
        settle(page)
        found += violations(page, f"{model} {tab}")
    assert found == [], "\n".join(found)


def open_palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    expect(page.get_by_role("listbox").get_by_role("option", name="RE-SCAN HUB")).to_be_visible()


def open_keys(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def open_fetch(page: Page) -> None:
    page.evaluate("location.hash = '#/?fetch='")
    expect(page.get_by_role("dialog")).to_be_visible()
    settle(page)


def open_theme(page: Page) -> None:
    page.get_by_role("button", name="Light or dark").click()
    expect(page.get_by_role("menu")).to_be_visible()


def select_two(page: Page) -> None:
    for model in (RUNNING, ALSO_RUNNING):
        page.get_by_role("checkbox", name=f"Select {NAMES[model]}", exact=True).check()
    expect(page.get_by_role("region", name="Selected models")).to_be_visible()


def open_failure(page: Page) -> None:
    failure = page.get_by_role("region", name=f"Failure of {NAMES[FAILED]}")
    failure.get_by_text("Last log lines").click()
    expect(failure.get_by_text("no_such_type").last).to_be_visible()


def find_nothing(page: Page) -> None:
    page.get_by_role("searchbox", name="Search models").fill("no such thing")
    expect(page.get_by_role("button", name="Show all models")).to_be_visible()


def say_something(page: Page) -> None:
    page.get_by_role("checkbox", name=f"Select {NAMES[RUNNING]}", exact=True).check()
    page.get_by_role("button", name="Disable selected").click()
    messages = page.get_by_role("region", name="Messages")
    messages.get_by_role("button", name="Undo").click()
    expect(messages).to_contain_text("Enabled")


def chat(page: Page) -> None:
    page.evaluate(f"location.hash = '#/ask?model={RUNNING}'")
    page.get_by_role("textbox", name="Question", exact=True).fill("Why?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name=f"Answer of {NAMES[RUNNING]}")).to_contain_text(
        "tokens/s", timeout=LOAD_MS
    )


def add_upstream(page: Page) -> None:
    page.evaluate("location.hash = '#/system'")
    page.get_by_role("button", name="ADD AN UPSTREAM").click()
    expect(page.get_by_role("form", name="New upstream")).to_be_visible()


STATES: list[Callable[[Page], None]] = [
    open_palette,
    open_keys,
    open_fetch,
    open_theme,
    select_two,
    open_failure,
    find_nothing,
    say_something,
    chat,
    add_upstream,
]


def test_what_is_opened_and_said(page: Page, plane: Serving) -> None:
    found = []
    for bring_about in STATES:
        page.goto("about:blank")
        page.goto(plane.url)
        page.locator("tbody[data-model]").first.wait_for()
        bring_about(page)
        found += violations(page, bring_about.__name__)
    assert found == [], "\n".join(found)


def test_a_debate_while_it_goes_on(page: Page, plane: Serving) -> None:
    options = {"turns": 10, "max_tokens": 200}
    asked = {"query": "Is one language enough?", "mode": "debate", "options": options, "detach": True}
    query_id = plane.http.post("/api/query", json=asked).json()["id"]
    page.evaluate(f"location.hash = '#/ask?q={query_id}'")
    expect(page.get_by_role("region", name=re.compile("^PRO")).first).to_be_visible(timeout=LOAD_MS)
    found = violations(page, "debate")
    status = plane.http.get(f"/api/query/{query_id}").json()["status"]
    plane.http.post(f"/api/query/{query_id}/cancel").raise_for_status()
    assert (status, found) == ("running", [])


def test_two_runs_compared(page: Page, plane: Serving) -> None:
    benchmark(plane)
    page.evaluate("location.hash = '#/benchmarks?run=1'")
    page.get_by_role("combobox", name="Compare with").select_option(index=1)
    expect(page.get_by_role("table", name="B divided by A")).to_be_visible()
    assert violations(page, "compared") == []


def test_who_has_no_key_is_asked_for_it(plane: Serving) -> None:
    refusal = {"error": "API key required", "detail": "", "timestamp": "2026-01-01T00:00:00Z"}
    with browsing(plane.url, forgives=("401",)) as page:
        page.route("**/api/**", lambda route: route.fulfill(status=401, json=refusal))
        page.reload()
        expect(page.get_by_role("dialog", name="API key")).to_be_visible()
        assert violations(page, "key") == []
