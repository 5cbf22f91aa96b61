"""Questions to several models on the page, with the real engine: one small model under three names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e import test_page
from tests.e2e.browsing import LOAD_MS, rate_words, shoot
from tests.e2e.serving import Serving, serving, serving_environment
from tests.e2e.test_ask import ask

from synapse_engine.modes.personas import PAIRS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
page = test_page.page

FAST, BALANCED, POWERFUL = "first_smol_135m_fast", "second_smol_135m_fast", "third_smol_135m_fast"
LABELS = {
    model: f"{word} Smol 135M Instruct (Q4_1)"
    for model, word in ((FAST, "First"), (BALANCED, "Second"), (POWERFUL, "Third"))
}
QUESTION = "Why is the sky blue?"
ANSWER_MS = 200_000


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Iterator[Serving]:
    """Three models that run, one of each tier."""
    folder = tmp_path_factory.mktemp("modes")
    (folder / "models").mkdir()
    for word in ("First", "Second", "Third"):
        shutil.copy(smollm2_path, folder / "models" / f"{word}-Smol-135M-Instruct.Q4_1.gguf")
    settings = {"ctx_size": 4096, "parallel": 1, "threads": 1}
    with serving(serving_environment(folder / "data", folder / "models")) as plane:
        for model, tier in ((FAST, "fast"), (BALANCED, "balanced"), (POWERFUL, "powerful")):
            edit = {"enabled": True, "tier": tier, "settings": settings}
            plane.http.patch(f"/api/models/{model}", json=edit).raise_for_status()
            plane.http.post(f"/api/models/servers/{model}/start").raise_for_status()
        yield plane


def choose(page: Page, url: str, mode: str, max_tokens: int = 24) -> None:
    page.goto(f"{url}/#/ask")
    page.get_by_role("link", name="New conversation").click()
    page.get_by_role("group", name="How it is answered").get_by_text(mode, exact=True).click()
    expect(page.get_by_role("radio", name=mode)).to_be_checked()
    page.get_by_text("System prompt and sampling").click()
    page.get_by_role("spinbutton", name="max_tokens").fill(str(max_tokens))
    page.get_by_role("spinbutton", name="temperature").fill("0")
    page.get_by_text("System prompt and sampling").click()


def answer(page: Page) -> Locator:
    """The mode's answer, once it has come."""
    expect(page.locator(".query-head").get_by_text("Answered")).to_be_visible(timeout=ANSWER_MS)
    return page.locator(".query")


def newest(plane: Serving) -> Any:
    query_id = plane.http.get("/api/query", params={"limit": 1}).json()["queries"][0]["id"]
    return plane.http.get(f"/api/query/{query_id}").json()


def test_auto_explains_its_choice(page: Page, control_plane: Serving) -> None:
    choose(page, control_plane.url, "Auto")
    ask(page, "What is the capital of France?")
    shown = answer(page)
    expect(shown).to_contain_text("Auto: Simple")
    choice = newest(control_plane)["choice"]
    shown.get_by_text(choice["why"]).click()
    for part in choice["parts"]:
        expect(shown.get_by_role("cell", name=part["reason"])).to_be_visible()
    expect(page.get_by_role("region", name=LABELS[FAST])).to_contain_text("t/s")
    shoot(page, "modes-auto")


def test_two_stage_shows_the_draft_and_what_was_passed_on(page: Page, control_plane: Serving) -> None:
    choose(page, control_plane.url, "Two-stage")
    ask(page, QUESTION)
    shown = answer(page)
    draft = page.get_by_role("region", name=f"Draft, {LABELS[FAST]}")
    refined = page.get_by_role("region", name=f"Refined, {LABELS[BALANCED]}")
    record = newest(control_plane)
    drafted, said = record["turns"]
    expect(refined).to_contain_text(f"{said['figures']['output_tokens']} tokens")
    refined.get_by_text("Was given the draft").click()
    given = refined.get_by_role("listitem").last
    expect(given).to_contain_text("The draft:")
    expect(given).to_contain_text(drafted["text"].strip())
    shoot(page, "modes-two-stage")
    page.reload()
    expect(refined).to_be_visible()
    expect(draft).to_be_hidden()
    shown.get_by_text("Draft", exact=True).click()
    expect(draft).to_be_visible()


def test_a_council_answers_at_once_and_puts_it_together(page: Page, control_plane: Serving) -> None:
    choose(page, control_plane.url, "Council")
    ask(page, QUESTION)
    for member, model in zip("ABC", (POWERFUL, BALANCED, FAST), strict=True):
        expect(page.get_by_role("region", name=f"{member}, {LABELS[model]}")).to_be_visible(timeout=LOAD_MS)
    shoot(page, "modes-council-running")
    shown = answer(page)
    record = newest(control_plane)
    answers = [turn for turn in record["turns"] if turn["role"] == "answer"]
    assert max(turn["began_seconds"] for turn in answers) < min(turn["ended_seconds"] for turn in answers)
    synthesis = record["turns"][-1]
    final = page.get_by_role("region", name=f"Synthesis, {LABELS[synthesis['model']]}")
    expect(final).to_contain_text(f"{synthesis['figures']['output_tokens']} tokens")
    expect(shown.get_by_text("Agreement in words")).to_have_count(2)
    if record["reviews"]:
        rows = shown.get_by_role("region", name="Scores").get_by_role("row")
        expect(rows).to_have_count(4)
    shown.get_by_text("Who spoke when").click()
    expect(shown.get_by_role("list", name="Who spoke when").get_by_role("listitem")).to_have_count(3)
    shoot(page, "modes-council")
    page.reload()
    expect(final).to_be_visible()
    shoot(page, "modes-council-kept")


def test_a_council_goes_on_over_a_reload(page: Page, control_plane: Serving) -> None:
    """And while nobody looks at it; each turn that runs is still being written."""
    choose(page, control_plane.url, "Council", max_tokens=120)
    ask(page, QUESTION)
    said = page.get_by_role("region", name=f"A, {LABELS[POWERFUL]}").locator(".markdown").first
    expect(said).to_be_visible(timeout=LOAD_MS)
    page.reload()
    expect(said).to_be_visible(timeout=LOAD_MS)
    assert newest(control_plane)["status"] == "running"
    before = len(said.inner_text())
    page.wait_for_function(
        "before => document.querySelector('.speech .markdown').innerText.length > before", arg=before
    )
    expect(page.get_by_role("button", name="STOP", exact=True)).to_be_visible()
    address = page.url
    page.goto("about:blank")
    assert newest(control_plane)["status"] == "running"
    page.goto(address)
    shown = answer(page)
    record = newest(control_plane)
    assert (record["status"], len(record["turns"])) == ("done", 10)
    expect(shown.get_by_role("region", name="Synthesis, ")).to_be_visible()
    expect(page.get_by_role("button", name="ASK", exact=True)).to_be_visible()


def test_a_debate_is_a_conversation(page: Page, control_plane: Serving) -> None:
    choose(page, control_plane.url, "Debate")
    page.get_by_text("Debate options").click()
    personas = page.get_by_role("combobox", name="Personas")
    offered = [option.get_attribute("value") for option in personas.get_by_role("option").all()]
    assert offered == [*PAIRS, "own"]
    personas.select_option("builder_and_operator")
    page.get_by_role("spinbutton", name="Turns of both together").fill("3")
    page.get_by_role("checkbox", name="A moderator between the rounds").check()
    shoot(page, "modes-debate-options")
    page.get_by_text("Debate options").click()
    ask(page, "Should a small team write its software in one language?")
    expect(page.get_by_role("region", name="PRO · Builder").first).to_be_visible(timeout=LOAD_MS)
    shoot(page, "modes-debate-running")
    shown = answer(page)
    record = newest(control_plane)
    assert record["options"]["personas"] == "builder_and_operator"
    turns = shown.get_by_role("list", name="Debate").get_by_role("region")
    expect(turns).to_have_count(len(record["turns"]) - 1)
    expect(shown).to_contain_text(record["ending"]["why"])
    expect(shown.get_by_role("region", name="Synthesis, ")).to_be_visible()
    shoot(page, "modes-debate")


def test_compare_shows_answers_and_figures_side_by_side(page: Page, control_plane: Serving) -> None:
    choose(page, control_plane.url, "Compare")
    ask(page, "Name three fruits.")
    shown = answer(page)
    record = newest(control_plane)
    table = shown.get_by_role("region", name="Figures")
    for turn in record["turns"]:
        expect(shown.get_by_role("region", name=LABELS[turn["model"]], exact=True)).to_be_visible()
        row = table.get_by_role("row").filter(has_text=LABELS[turn["model"]])
        expect(row).to_contain_text(rate_words(turn["figures"]["output_per_second"]))
    expect(table.get_by_role("row")).to_have_count(4)
    shoot(page, "modes-compare")


def test_stop_reload_and_ask_again_by_another_mode(page: Page, control_plane: Serving) -> None:
    choose(page, control_plane.url, "Council", max_tokens=400)
    ask(page, QUESTION)
    speech = page.get_by_role("region", name=f"A, {LABELS[POWERFUL]}")
    expect(speech.locator(".markdown")).to_be_visible(timeout=LOAD_MS)
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped.", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_text("Stopped.", exact=True)).to_be_visible()
    assert newest(control_plane)["status"] == "cancelled"
    shoot(page, "modes-stopped")
    again = page.get_by_role("combobox", name="Retry with another model or mode")
    again.select_option(label="Auto mode")
    expect(page.locator(".query-head")).to_contain_text("Auto", timeout=LOAD_MS)
    expect(page.locator(".speech .markdown").first).to_be_visible(timeout=LOAD_MS)
    page.get_by_role("button", name="STOP", exact=True).click()
    expect(page.get_by_text("Stopped.", exact=True)).to_be_visible()


@contextmanager
def asked_elsewhere(plane: Serving, body: dict[str, Any]) -> Iterator[int]:
    """Another client's question, under way while the block runs."""
    with plane.http.stream("POST", "/api/query", json={**body, "stream": True}) as response:
        lines = response.iter_lines()
        begun = next(line for line in lines if line.startswith("data: "))
        yield json.loads(begun.removeprefix("data: "))["id"]


def test_what_others_ask_is_followed_and_taken_over(page: Page, control_plane: Serving) -> None:
    body = {"query": "Tell me of rivers.", "mode": "two_stage", "options": {"max_tokens": 48}}
    with asked_elsewhere(control_plane, body) as query_id:
        page.goto(f"{control_plane.url}/#/ask?q={query_id}")
        draft = page.get_by_role("region", name=f"Draft, {LABELS[FAST]}")
        expect(draft.locator(".markdown")).to_be_visible(timeout=LOAD_MS)
        answer(page)
    link = page.get_by_role("link", name="Tell me of rivers.")
    expect(link).to_have_attribute("aria-current", "page")
    shoot(page, "modes-history")
    page.get_by_role("button", name="Go on from here").click()
    expect(page.get_by_role("heading", name="Tell me of rivers.")).to_be_visible()
    expect(page.get_by_role("radio", name="Two-stage")).to_be_checked()


def test_a_model_that_fails_is_replaced_with_a_note(page: Page, control_plane: Serving) -> None:
    http = control_plane.http
    http.post(f"/api/models/servers/{FAST}/stop").raise_for_status()
    http.post(f"/api/models/{FAST}/release").raise_for_status()
    http.patch(f"/api/models/{FAST}", json={"settings": {"cache_type_k": "no_such_type"}}).raise_for_status()
    choose(page, control_plane.url, "Two-stage")
    ask(page, QUESTION)
    shown = answer(page)
    note = f"{FAST} has failed (Failed to start server); {POWERFUL} takes its place."
    expect(shown.get_by_role("list", name="Notes")).to_contain_text(note)
    page.get_by_text(f"{LABELS[FAST]} failed first").click()
    expect(shown.locator(".speech-earlier")).to_contain_text("exit code 1")
    shoot(page, "modes-replaced")
