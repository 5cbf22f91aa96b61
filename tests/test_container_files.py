"""The container's files hand on every setting, and publish to this machine only."""

from __future__ import annotations

import re
from pathlib import Path

from synapse_engine.settings import Settings

ROOT = Path(__file__).parent.parent
COMPOSE = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
SETTINGS = {str(field.validation_alias) for field in Settings.model_fields.values()}

IMAGE_DECIDES = {
    "SYNAPSE_HOST",
    "SYNAPSE_PORT",
    "SYNAPSE_INSECURE",
    "SYNAPSE_DATA_DIR",
    "SYNAPSE_KEEP_SERVERS",
    "MODEL_SCAN_PATH",
    "LLAMA_SERVER_PATH",
}


def test_every_setting_is_explained_in_the_example() -> None:
    assert SETTINGS - set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == set()


def test_compose_hands_on_every_setting() -> None:
    assert SETTINGS - IMAGE_DECIDES - set(re.findall(r"^ +- ([A-Z_]+)$", COMPOSE, re.MULTILINE)) == set()


def test_compose_publishes_to_this_machine_only() -> None:
    published = re.findall(r'^ +- "([^"]*:\d+)"', COMPOSE, re.MULTILINE)
    assert published
    assert all(address.startswith("127.0.0.1:") for address in published)
