"""A download followed in the shell, and what a repository offers as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from synapse_engine.client import Client

UNDER_WAY = ("queued", "downloading", "verifying")
COLUMNS = ("best", "quantization", "size (MB)", "memory (MB)", "fits", "file")


def fetch(client: Client, repo: str, file: str | None, *, shows: bool) -> Any:
    """Begin a download, or go on with it, and follow it to its end; an interrupt pauses it.

    The last that was heard of it, as the API tells it. shows: write its progress on the terminal. Raises
    Unreachable, Answered.
    """
    download = client.call("POST", "/api/downloads", {"repo": repo, "file": file})
    try:
        for news in _news(client, download["id"]):
            download = news
            if shows:
                click.echo(f"\r{progress_line(download):<78}", nl=False, err=True)
            if download["status"] not in UNDER_WAY:
                break
    except KeyboardInterrupt:
        download = client.call("DELETE", f"/api/downloads/{download['id']}?keep=true")
    if shows:
        click.echo("", err=True)
    return download


def progress_line(download: Any) -> str:
    line = f"{download['status']} {download['done_mb']:,.0f} of {download['total_mb']:,.0f} MB"
    if download["mb_per_second"] is not None:
        line += f", {download['mb_per_second']:.1f} MB/s"
    if download["eta_seconds"] is not None:
        line += f", {download['eta_seconds']:.0f} s left"
    return line


def ending(download: Any) -> str:
    """Of one that is done: what to do with it."""
    if download["model_id"] is None:
        return f"It is in {download['folder']}. `synapse models` tells whether it can be used."
    return f"{download['model_id']} is there. Start it with: synapse start {download['model_id']}"


def why_not(download: Any) -> dict[str, str]:
    """Of one that is not done: an error and its detail."""
    if download["error"] is not None:
        return {"error": download["error"]["error"], "detail": download["error"]["detail"]}
    return {
        "error": f"The download is {download['status']}",
        "detail": "The same command goes on with it.",
    }


def rows(found: Any) -> list[list[object]]:
    """Of what a repository offers, by COLUMNS."""
    return [
        [
            "x" if offer["is_recommended"] else "",
            offer["quantization"],
            offer["size_mb"],
            offer["estimated_memory_mb"],
            "yes" if offer["fits"] else "no",
            offer["file"],
        ]
        for offer in found["offers"]
    ]


def _news(client: Client, download_id: str) -> Iterator[Any]:
    """It as it is, then at each change."""
    for name, event in client.events("/api/events"):
        heard = {"snapshot": event.get("downloads", []), "download": [event]}.get(name, [])
        yield from (download for download in heard if download["id"] == download_id)
