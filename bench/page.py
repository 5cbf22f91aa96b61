"""How long a server's change of state takes to be on the page: from the control plane's log to the DOM.

A real Chromium, the real control plane, and the tests' fake engine, so that changes come quickly.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from tests.fakes.stage import write_engine
from tests.gguf_files import write_llama

from bench.control_plane import ControlPlane, control_plane
from bench.sidebyside import print_machine, print_spread

ROUNDS = 20
BUDGET_MS = 100
STATES = {"ready": "running", "stopped": "stopped"}
LOGGED = re.compile(r"(\S+ \S+) INFO +\S+: \w+ -> (ready|stopped) ")
WATCH = """() => {
  window.seen = [];
  const row = document.querySelector("tbody[data-model]");
  new MutationObserver(() => window.seen.push([row.dataset.status, Date.now()]))
    .observe(row, { attributes: true, attributeFilter: ["data-status"] });
}"""


def main() -> None:
    print_machine()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        models = Path(scratch, "models")
        write_llama(models / "Tiny-Llama-1B-F32.gguf")
        engine = write_engine(Path(scratch, "llama-server"), sys.executable)
        environment = {"LLAMA_SERVER_PATH": str(engine)}
        with control_plane(Path(scratch, "data"), models, environment=environment) as plane:
            executable = shutil.which("chromium") or os.environ.get("CHROMIUM_PATH")
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{plane.port}")
            seen = watch(page, plane)
            browser.close()
        logged = LOGGED.findall(Path(scratch, "data", "logs", "control-plane.log").read_text())
    changes = [(STATES[state], moment(at)) for at, state in logged]
    delays = [there - at for (_, at), (_, there) in zip(changes, seen, strict=False)]
    print(f"{len(delays)} changes, from the log to the page, budget {BUDGET_MS} ms")
    print_spread("delay", delays, "ms")


def watch(page: Page, plane: ControlPlane) -> list[tuple[str, float]]:
    """What the row of the only model showed, and when: the states at which a start or a stop ends."""
    row = page.locator("tbody[data-model]")
    model_id = row.get_attribute("data-model")
    page.evaluate(WATCH)
    page.wait_for_timeout(1000)
    for _ in range(ROUNDS):
        for act, status in (("start", "running"), ("stop", "stopped")):
            plane.call("POST", f"/api/models/servers/{model_id}/{act}")
            page.locator(f"tbody[data-status={status}]").wait_for()
    return [(status, at) for status, at in page.evaluate("window.seen") if status in STATES.values()]


def moment(text: str) -> float:
    """Unix milliseconds."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f").timestamp() * 1000


if __name__ == "__main__":
    main()
