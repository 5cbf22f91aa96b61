"""Conversations on the page, with the real engine."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect
from tests.catalog.model_files import put, put_mmproj
from tests.e2e import test_page
from tests.e2e.browsing import LOAD_MS, REAL, shoot
from tests.e2e.serving import Serving

pytestmark = test_page.pytestmark
page = test_page.page
control_plane = test_page.control_plane

MODEL = "smollm2_135m_fast"
QUESTION = "What is the capital of France? Answer in one sentence."
DOT_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def ask(page: Page, question: str) -> None:
    page.get_by_role("textbox", name="Question", exact=True).fill(question)
    page.keyboard.press("Enter")


def test_ask_a_stopped_model(page: Page, control_plane: Serving) -> None:
    page.goto(f"{control_plane.url}/#/ask")
    expect(page.get_by_text("No model can be asked")).to_be_visible()
    shoot(page, "ask-nobody")
    control_plane.http.patch(f"/api/models/{MODEL}", json={"enabled": True}).raise_for_status()
    page.get_by_role("combobox", name="Model").select_option(label=REAL)
    expect(page.get_by_text("Stopped. Your question starts it.")).to_be_visible()
    page.get_by_text("System prompt and sampling").click()
    page.get_by_role("spinbutton", name="temperature").fill("0")
    page.get_by_role("spinbutton", name="max_tokens").fill("40")
    shoot(page, "ask-settings")
    page.get_by_text("System prompt and sampling").click()
    ask(page, QUESTION)
    answer = page.get_by_role("region", name=f"Answer of {REAL}")
    expect(answer).to_contain_text("Paris", timeout=LOAD_MS)
    expect(answer).to_contain_text("tokens/s", timeout=LOAD_MS)
    page.get_by_role("button", name="Add a second model").click()
    ask(page, "Write a Python function that adds two numbers, in a code block. Then a list of three fruits.")
    expect(page.get_by_role("region", name="Answer of")).to_have_count(3)
    expect(page.get_by_text("tokens/s")).to_have_count(3, timeout=LOAD_MS)
    shoot(page, "ask-two")
    page.reload()
    expect(page.get_by_text("tokens/s")).to_have_count(3)
    expect(answer.first).to_contain_text("Paris")
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "ask-kept")


def test_stop_an_answer(page: Page, control_plane: Serving) -> None:
    control_plane.http.post(f"/api/models/servers/{MODEL}/start", timeout=60).raise_for_status()
    page.goto(f"{control_plane.url}/#/ask?model={MODEL}")
    ask(page, "Tell me a very long story about a river.")
    expect(page.locator(".answer .markdown")).to_contain_text("river", timeout=LOAD_MS)
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped.", exact=True)).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("textbox", name="Edit the question")).to_be_focused()


def test_a_picture_goes_to_a_model_that_sees(page: Page, control_plane: Serving, tmp_path: Path) -> None:
    put(tmp_path / "models" / "see" / "Tiny-See-1B-Instruct-F32.gguf")
    put_mmproj(tmp_path / "models" / "see" / "mmproj-F16.gguf")
    control_plane.http.post("/api/models/rescan").raise_for_status()
    models = control_plane.http.get("/api/models/registry").json()["models"]
    model_id = next(model["model_id"] for model in models if "vision" in model["capabilities"])
    control_plane.http.patch(f"/api/models/{model_id}", json={"enabled": True}).raise_for_status()
    asked: list[Any] = []

    def answer(route: Route) -> None:
        asked.append(route.request.post_data_json)
        chunk = json.dumps({"choices": [{"delta": {"content": "A dot."}}]})
        route.fulfill(content_type="text/event-stream", body=f"data: {chunk}\n\ndata: [DONE]\n\n")

    page.route("**/v1/chat/completions", answer)
    page.goto(f"{control_plane.url}/#/ask?model={model_id}")
    page.get_by_label("Add picture").set_input_files(
        {"name": "dot.png", "mimeType": "image/png", "buffer": b64decode(DOT_PNG)}
    )
    expect(page.get_by_role("img", name="Attachment 1")).to_be_visible()
    ask(page, "What is this?")
    expect(page.get_by_text("A dot.")).to_be_visible()
    text, picture = asked[0]["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert picture["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
